"""Reading a price list."""

from __future__ import annotations

from collections.abc import Iterable

from pricelist.money import to_cents, to_text


def read(lines: Iterable[str]) -> dict[str, int]:
    """Return the prices by article from lines of the form article;price."""
    prices = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        article, separator, price = line.partition(";")
        if not separator:
            raise ValueError(f"line {number}: no semicolon")
        prices[article.strip()] = to_cents(price)
    return prices


def changes(old: dict[str, int], new: dict[str, int]) -> list[str]:
    """Return a line for every price that is not what it was."""
    both = sorted(old.keys() & new.keys())
    return [f"{a}: {to_text(old[a])} -> {to_text(new[a])}" for a in both if old[a] != new[a]]
