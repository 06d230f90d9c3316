"""The cart, which is kept in a cookie of the browser."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field

MAX_COOKIE = 3000


@dataclass
class Cart:
    """Quantities by article, with the price each had when it was added."""

    lines: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, article: str, quantity: int, price: str) -> None:
        """Add a quantity of an article; the latest price is the one shown."""
        before, _ = self.lines.get(article, (0, price))
        self.lines[article] = (before + quantity, price)


def dump(cart: Cart) -> str:
    """Return the cookie for a cart."""
    text = json.dumps({article: list(line) for article, line in cart.lines.items()})
    return base64.urlsafe_b64encode(text.encode()).decode()


def load(cookie: str) -> Cart:
    """Return the cart of a cookie; an empty one where the cookie cannot be read."""
    if len(cookie) > MAX_COOKIE:
        return Cart()
    try:
        raw = json.loads(base64.urlsafe_b64decode(cookie))
        return Cart({str(article): (int(line[0]), str(line[1])) for article, line in raw.items()})
    except (binascii.Error, ValueError, AttributeError, TypeError, LookupError):
        return Cart()
