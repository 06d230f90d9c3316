"""Sending the parts."""

from __future__ import annotations

from collections.abc import Callable

from upload.plan import LARGEST, plan

Send = Callable[[str, bytes], None]


def content_range(start: int, end: int, size: int) -> str:
    """Return the Content-Range header; its last position belongs to the part."""
    return f"bytes {start}-{end - 1}/{size}" if size else "bytes */0"


def upload(content: bytes, send: Send, largest: int = LARGEST) -> int:
    """Send a content in parts and return how many there were."""
    parts = plan(len(content), largest)
    for part in parts:
        send(content_range(part.start, part.end, len(content)), content[part.start : part.end])
    return len(parts)
