"""Prices, in cents."""

from __future__ import annotations

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
