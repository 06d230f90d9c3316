"""How many requests a caller has left in this hour."""

from __future__ import annotations

import time
from collections import Counter

from tests.fakes.github.credentials import Caller
from tests.fakes.github.wire import JSON, Refused

_HOUR_S = 3600


class Rates:
    """`limit` may be set by tests."""

    def __init__(self) -> None:
        self.limit = 5000
        self._used: Counter[str] = Counter()
        self._reset = int(time.time()) + _HOUR_S

    def count(self, caller: Caller) -> None:
        """One more request. Raises Refused when none is left."""
        if self._used[self._key(caller)] >= self.limit:
            place = f"installation ID {caller.installation.id}" if caller.installation else f"user ID {caller.who}"
            raise Refused(403, f"API rate limit exceeded for {place}.")
        self._used[self._key(caller)] += 1

    def state(self, caller: Caller) -> JSON:
        """What is left."""
        used = self._used[self._key(caller)]
        return {"limit": self.limit, "remaining": max(self.limit - used, 0), "reset": self._reset, "used": used}

    def headers(self, caller: Caller) -> dict[str, str]:
        """The same as every answer tells it."""
        return {f"x-ratelimit-{name}": str(value) for name, value in {**self.state(caller), "resource": "core"}.items()}

    @staticmethod
    def _key(caller: Caller) -> str:
        return f"installation {caller.installation.id}" if caller.installation else caller.kind + caller.who
