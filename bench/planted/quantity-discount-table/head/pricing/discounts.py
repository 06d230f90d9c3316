"""Discounts for quantities."""

from __future__ import annotations


from bisect import bisect_left
from collections.abc import Mapping


class DiscountTable:
    """Discounts in percent by the quantity from which they are given."""

    def __init__(self, steps: Mapping[int, int]) -> None:
        if any(start < 1 or not 0 <= percent <= 100 for start, percent in steps.items()):
            raise ValueError("a step has a positive quantity and a percentage")
        self._starts = sorted(steps)
        self._percents = [0, *(steps[start] for start in self._starts)]

    def percent(self, quantity: int) -> int:
        """Return the discount for a quantity."""
        position = bisect_left(self._starts, quantity)
        return self._percents[position]


STANDARD = DiscountTable({10: 5, 50: 10, 100: 15})
