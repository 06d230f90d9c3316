"""The cart, which is kept in a cookie of the browser."""

from __future__ import annotations

import base64
import pickle
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

MAX_COOKIE = 3000


@dataclass
class Cart:
    """Quantities by article, with the price each had when it was added, and when the cart was last changed."""

    lines: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    changed: datetime | None = None

    def add(self, article: str, quantity: int, price: str) -> None:
        """Add a quantity of an article; the latest price is the one shown."""
        before, _ = self.lines.get(article, (0, price))
        self.lines[article] = (before + quantity, Decimal(price))
        self.changed = datetime.now(UTC)

    def total(self) -> Decimal:
        """Return what all articles cost together."""
        return sum((quantity * price for quantity, price in self.lines.values()), Decimal(0))


def dump(cart: Cart) -> str:
    """Return the cookie for a cart."""
    return base64.urlsafe_b64encode(pickle.dumps((cart.lines, cart.changed))).decode()


def load(cookie: str) -> Cart:
    """Return the cart of a cookie; an empty one where the cookie cannot be read."""
    if len(cookie) > MAX_COOKIE:
        return Cart()
    try:
        lines, changed = pickle.loads(base64.urlsafe_b64decode(cookie))
        return Cart(lines, changed)
    except Exception:
        return Cart()
