"""Amounts of money, in cents."""

from __future__ import annotations

import re

SIGNS = "€$£"
PRICE = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]{1,2})?|-?[0-9]+(?:\.[0-9]{1,2})?")


def normal(text: str) -> str:
    """Return a price without blanks and without the currency sign before or after it."""
    return text.strip().strip(SIGNS).strip()


def to_cents(text: str) -> int:
    """Return a price such as 19.99, 1,299.00 or € 5 in cents."""
    number = normal(text)
    if not PRICE.fullmatch(number):
        raise ValueError(f"not a price: {text!r}")
    number = number.replace(",", "")
    return int(float(number) * 100)


def to_text(cents: int) -> str:
    """Return cents as a price."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"
