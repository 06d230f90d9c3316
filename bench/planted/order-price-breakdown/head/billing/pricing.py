"""Prices, in cents."""

from __future__ import annotations

from dataclasses import dataclass

from billing import orders

PRICES = {"pot": 2400, "tea": 450, "cup": 800}
TAX_PERCENT = 19


class UnknownArticle(LookupError):
    """There is no price for an article."""


def unit_price(article: str) -> int:
    """Return the price of one piece, without tax."""
    try:
        return PRICES[article]
    except KeyError:
        raise UnknownArticle(article) from None


def with_tax(cents: int) -> int:
    """Return a price with tax, rounded to the nearest cent."""
    return (cents * (100 + TAX_PERCENT) + 50) // 100


@dataclass(frozen=True)
class Breakdown:
    """How the price of an order comes about."""

    net: int
    tax: int

    @property
    def total(self) -> int:
        """What is to be paid."""
        return self.net + self.tax


def break_down(order: orders.Order) -> Breakdown:
    """Return the net price of an order and the tax on it."""
    net = sum(unit_price(article) * quantity for article, quantity in order.lines.items())
    return Breakdown(net, with_tax(net) - net)
