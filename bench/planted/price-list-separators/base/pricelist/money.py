"""Amounts of money, in cents."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


def to_cents(text: str) -> int:
    """Return a price such as 19.99 in cents."""
    try:
        cents = Decimal(text.strip()) * 100
        if cents != int(cents):
            raise ValueError(f"not a whole number of cents: {text!r}")
    except (InvalidOperation, OverflowError) as error:
        raise ValueError(f"not a price: {text!r}") from error
    return int(cents)


def to_text(cents: int) -> str:
    """Return cents as a price."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"
