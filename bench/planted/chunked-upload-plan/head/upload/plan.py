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
    """Return the parts of a file, as few as possible and of nearly equal size; an empty file has one empty part."""
    if size < 0 or largest < 1:
        raise ValueError("a size is not negative and a part has room for a byte")
    count = max(1, -(-size // largest))
    borders = [size * number // count for number in range(count + 1)]
    return [Part(start, end) for start, end in zip(borders, borders[1:])]
