"""Which bytes belong to which part."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST = 8 * 1024 * 1024


@dataclass(frozen=True)
class Part:
    """A part: the bytes from start up to, but not including, end."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self.end - self.start


def plan(size: int, largest: int = LARGEST) -> list[Part]:
    """Return the parts of a file; an empty file has one empty part."""
    if size < 0 or largest < 1:
        raise ValueError("a size is not negative and a part has room for a byte")
    parts = []
    start = 0
    while True:
        end = min(start + largest, size)
        parts.append(Part(start, end))
        start = end
        if start >= size:
            return parts
