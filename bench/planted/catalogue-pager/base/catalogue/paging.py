"""Dividing lists into pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

SIZE = 20


def page_count(items: Sequence[T], size: int = SIZE) -> int:
    """Return the number of pages; an empty list has one."""
    return max(1, (len(items) + size - 1) // size)


def page(items: Sequence[T], number: int, size: int = SIZE) -> Sequence[T]:
    """Return one page; the first page has the number 1."""
    start = (number - 1) * size
    return items[start : start + size]
