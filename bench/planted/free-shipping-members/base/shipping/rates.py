"""Rates, in cents."""

from __future__ import annotations

from shipping.cart import Cart

HOME = "DE"
NEIGHBOURS = frozenset({"AT", "BE", "CH", "CZ", "DK", "FR", "LU", "NL", "PL"})
FREE_FROM = 5000
BULKY = 2500


def by_weight(grams: int) -> int:
    """Return the rate within the country."""
    for limit, cents in ((1000, 390), (5000, 590), (10000, 890)):
        if grams <= limit:
            return cents
    return 1490


def is_free(cart: Cart) -> bool:
    """Tell whether a cart is shipped for nothing."""
    return cart.total_cents >= FREE_FROM and cart.country == HOME and not cart.bulky


def rate(cart: Cart) -> int:
    """Return what shipping a cart costs."""
    if is_free(cart):
        return 0
    cents = by_weight(cart.grams)
    if cart.country != HOME:
        cents += 600 if cart.country in NEIGHBOURS else 1800
    return cents + BULKY if cart.bulky else cents
