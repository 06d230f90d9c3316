"""How figures are taken: subject and baseline in turn, so that what else the machine does hits both."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Awaitable, Callable

Work = Callable[[], Awaitable[object]]


async def timed(work: Work) -> float:
    """Seconds one run takes."""
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


async def in_turn(subject: Work, baseline: Work, rounds: int) -> tuple[float, float]:
    """Medians of both, in seconds, after one round that does not count."""
    pairs = [(await timed(subject), await timed(baseline)) for _ in range(rounds + 1)][1:]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def tell(name: str, figure: float, target: float, unit: str, **more: object) -> None:
    """One line; `met` says whether the figure is at most the target."""
    print(
        json.dumps({"name": name, "figure": round(figure, 4), "target": target, "unit": unit, "met": figure <= target, **more}), flush=True
    )
