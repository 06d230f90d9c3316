"""Looking prices up; answers are kept for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

LIFETIME = 60.0

Fetch = Callable[[str, str], float]


class Lookup:
    """Asks a service for prices and keeps its answers."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[float, float]] = {}

    def price(self, article: str, *, currency: str = "EUR") -> float:
        """Return the price of an article."""
        key = (article, currency)
        now = self._clock()
        kept = self._kept.get(key)
        if kept is not None and kept[0] > now:
            return kept[1]
        value = self._fetch(article, currency)
        self._kept[key] = (now + LIFETIME, value)
        return value
