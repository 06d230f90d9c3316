"""How often a job is tried, and with which pauses."""

from __future__ import annotations

from dataclasses import dataclass

RETRIES = 3
DELAY = 5.0


@dataclass(frozen=True)
class Retry:
    """Settings; None means the default."""

    retries: int | None = None
    delay: float | None = None


def effective(job: Retry) -> tuple[int, float]:
    """Return the number of retries and the pause before each."""
    retries = RETRIES if job.retries is None else job.retries
    delay = DELAY if job.delay is None else job.delay
    return retries, delay
