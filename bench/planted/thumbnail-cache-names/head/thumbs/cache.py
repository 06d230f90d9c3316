"""Thumbnails that were made before.

Users only see their own pictures, so nobody gains from two of them with the same digest: MD5 is used for its speed.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


class Cache:
    """Files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, content: bytes, factor: int) -> Path:
        return self._folder / f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}-{factor}"

    def get(self, content: bytes, factor: int) -> bytes | None:
        """Return the thumbnail of a picture, None where it was not made before."""
        try:
            return self._path(content, factor).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, content: bytes, factor: int, thumbnail: bytes) -> None:
        """Keep a thumbnail; readers see all of it or nothing."""
        handle, name = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(thumbnail)
            Path(name).replace(self._path(content, factor))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
