"""Offers in several currencies."""

from __future__ import annotations

from collections.abc import Iterable

from rates.lookup import Lookup

CURRENCIES = ("EUR", "USD", "CHF")


def offer(lookup: Lookup, articles: Iterable[str]) -> list[str]:
    """Return one line per article with its price in every currency."""
    lines = []
    for article in articles:
        prices = (f"{lookup.price(article, currency=name):.2f} {name}" for name in CURRENCIES)
        lines.append(f"{article}: {', '.join(prices)}")
    return lines
