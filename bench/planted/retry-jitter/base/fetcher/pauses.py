"""The pauses between tries."""

from __future__ import annotations

from collections.abc import Iterator

FIRST = 0.5
LONGEST = 30.0


def pauses(tries: int) -> Iterator[float]:
    """Yield the pauses between a number of tries, each twice as long as the one before."""
    pause = FIRST
    for _ in range(tries - 1):
        yield pause
        pause = min(pause * 2, LONGEST)
