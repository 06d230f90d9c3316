"""Looking prices up; answers are kept for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any

from rates.caching import cached

LIFETIME = 60.0

Fetch = Callable[[str, str], float]


class Lookup:
    """Asks a service for prices and keeps its answers."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self.clock = clock
        self.kept: dict[Hashable, tuple[float, Any]] = {}

    @cached(LIFETIME)
    def price(self, article: str, *, currency: str = "EUR") -> float:
        """Return the price of an article."""
        return self._fetch(article, currency)
