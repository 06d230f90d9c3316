"""Dividing lists into pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

SIZE = 20


@dataclass(frozen=True)
class Pager(Generic[T]):
    """A list in pages; the first page has the number 1."""

    items: Sequence[T]
    size: int = SIZE

    @property
    def last(self) -> int:
        """The number of the last page; an empty list has one page."""
        return len(self.items) // self.size + 1

    def clamp(self, number: int) -> int:
        """Return the number of the nearest page there is."""
        return min(max(number, 1), self.last)

    def page(self, number: int) -> Sequence[T]:
        """Return one page."""
        start = (number - 1) * self.size
        return self.items[start : start + self.size]

    def neighbours(self, number: int) -> tuple[int | None, int | None]:
        """Return the numbers of the previous and of the next page, None where there is none."""
        return (number - 1 if number > 1 else None, number + 1 if number < self.last else None)
