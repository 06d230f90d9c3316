"""How fast proposals may come. Counted by each process for itself: several bots together let through as many times as much."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from bot.errors import Refused

WINDOW_S = 60.0
PER_TENANT = 60
PER_SCOPE = 600


class Pace:
    """The last minute's proposals of each tenant and each scope."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._came: dict[tuple[str, str], deque[float]] = {}

    def step(self, scope: str, tenant: str) -> None:
        """Count one. Raises Refused (429) for one too many."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            for key, most, whose in (((scope, ""), PER_SCOPE, "this organisation"), ((scope, tenant), PER_TENANT, "this tenant")):
                if len(self._came.get(key, ())) >= most:
                    raise Refused(f"{whose} proposes too much: {most} proposals a minute are taken; try again in a minute", 429)
            for key in ((scope, ""), (scope, tenant)):
                self._came.setdefault(key, deque()).append(now)

    def _forget(self, now: float) -> None:
        for key, times in list(self._came.items()):
            while times and now - times[0] > WINDOW_S:
                times.popleft()
            if not times:
                del self._came[key]
