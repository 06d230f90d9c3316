"""Reserving stock; used by several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum

Policy = Callable[[str, str, int], bool]


class Outcome(Enum):
    """What became of a reservation."""

    DONE = "done"
    INVALID = "invalid"
    NO_STOCK = "no stock"
    REFUSED = "refused"


class Stock:
    """Quantities by article.

    The policy tells whether a customer may reserve a quantity. It can ask other services, so it is called without
    the lock.
    """

    def __init__(self, quantities: dict[str, int], policy: Policy) -> None:
        self._available = dict(quantities)
        self._policy = policy
        self._lock = threading.Lock()

    def available(self, sku: str) -> int:
        """Return how much of an article can be reserved."""
        with self._lock:
            return self._available.get(sku, 0)

    def reserve(self, customer: str, sku: str, quantity: int) -> bool:
        """Reserve a quantity and tell whether it worked."""
        return self.try_reserve(customer, sku, quantity) is Outcome.DONE

    def try_reserve(self, customer: str, sku: str, quantity: int) -> Outcome:
        """Reserve a quantity; the policy is only asked where there is enough stock."""
        if quantity <= 0:
            return Outcome.INVALID
        if self.available(sku) < quantity:
            return Outcome.NO_STOCK
        if not self._policy(customer, sku, quantity):
            return Outcome.REFUSED
        with self._lock:
            self._available[sku] -= quantity
        return Outcome.DONE

    def release(self, sku: str, quantity: int) -> None:
        """Give a reserved quantity back."""
        with self._lock:
            self._available[sku] = self._available.get(sku, 0) + quantity
