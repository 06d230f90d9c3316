"""The service that pages ask for thumbnails."""

from __future__ import annotations

from pathlib import Path

from thumbs.cache import Cache
from thumbs.scale import from_bytes, scale, to_bytes


class Thumbnails:
    """Makes thumbnails, and keeps them where there is a folder for it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.made = 0
        self._cache = Cache(folder) if folder else None

    def get(self, content: bytes, factor: int) -> bytes:
        """Return the thumbnail of a picture."""
        if self._cache is None:
            return self._make(content, factor)
        kept = self._cache.get(content, factor)
        if kept is None:
            kept = self._make(content, factor)
            self._cache.put(content, factor, kept)
        return kept

    def _make(self, content: bytes, factor: int) -> bytes:
        self.made += 1
        return to_bytes(scale(from_bytes(content), factor))
