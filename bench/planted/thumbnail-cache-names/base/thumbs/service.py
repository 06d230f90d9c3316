"""The service that pages ask for thumbnails."""

from __future__ import annotations

from thumbs.scale import from_bytes, scale, to_bytes


class Thumbnails:
    """Makes thumbnails."""

    def __init__(self) -> None:
        self.made = 0

    def get(self, content: bytes, factor: int) -> bytes:
        """Return the thumbnail of a picture."""
        self.made += 1
        return to_bytes(scale(from_bytes(content), factor))
