"""Discounts for quantities."""

from __future__ import annotations


def discount_percent(quantity: int) -> int:
    """Return the discount for a quantity: 5 percent from 10 pieces, 10 from 50 and 15 from 100."""
    if quantity >= 100:
        return 15
    if quantity >= 50:
        return 10
    if quantity >= 10:
        return 5
    return 0
