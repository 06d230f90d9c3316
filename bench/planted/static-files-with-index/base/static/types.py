"""Media types by the ending of the name."""

from __future__ import annotations

from pathlib import PurePath

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
}


def media_type(path: PurePath) -> str:
    """Return the media type of a file."""
    return TYPES.get(path.suffix.lower(), "application/octet-stream")
