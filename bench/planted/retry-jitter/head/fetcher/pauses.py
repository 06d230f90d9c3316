"""The pauses between tries."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

FIRST = 0.5
LONGEST = 30.0
SPREAD = 0.5


def spread(pause: float, draw: Callable[[], float]) -> float:
    """Return a pause shortened by up to the spread, so that clients that failed together do not come back together."""
    return pause * (1 - SPREAD * draw())


def pauses(tries: int, draw: Callable[[], float] = random.random) -> Iterator[float]:
    """Yield the pauses between a number of tries, each about twice as long as the one before."""
    pause = FIRST
    for _ in range(tries - 1):
        yield spread(pause, draw)
        pause = min(pause * 2, LONGEST)
