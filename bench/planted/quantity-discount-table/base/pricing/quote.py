"""Quotes."""

from __future__ import annotations

from dataclasses import dataclass

from pricing.discounts import discount_percent


@dataclass(frozen=True)
class Quote:
    """What a quantity costs, in cents."""

    quantity: int
    full: int
    discount: int

    @property
    def total(self) -> int:
        """What is to be paid."""
        return self.full - self.discount


def quote(unit_cents: int, quantity: int) -> Quote:
    """Return the quote for a quantity; the discount is rounded down."""
    if quantity < 1:
        raise ValueError("at least one piece")
    full = unit_cents * quantity
    return Quote(quantity, full, full * discount_percent(quantity) // 100)
