"""How often a job is tried, and with which pauses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

RETRIES = 3
DELAY = 5.0


@dataclass(frozen=True)
class Retry:
    """Settings; None means those of the queue, and where it has none the default."""

    retries: int | None = None
    delay: float | None = None


def first(*values: T | None) -> T:
    """Return the first of the values that is set."""
    return next(value for value in values if value)


def effective(job: Retry, queue: Retry | None = None) -> tuple[int, float]:
    """Return the number of retries and the pause before each."""
    queue = queue or Retry()
    return first(job.retries, queue.retries, RETRIES), first(job.delay, queue.delay, DELAY)
