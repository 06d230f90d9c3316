"""Running one job."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from jobs.settings import Retry, effective


class TemporaryError(Exception):
    """The job may work when it is tried again."""


@dataclass(frozen=True)
class Job:
    """What to do."""

    name: str
    work: Callable[[], None]
    retry: Retry = field(default_factory=Retry)
    queue: Retry | None = None


def run(job: Job, sleep: Callable[[float], None] = time.sleep) -> int:
    """Run a job until it works and return how often it was tried; the last error is raised."""
    retries, delay = effective(job.retry, job.queue)
    tries = 0
    while True:
        tries += 1
        try:
            job.work()
        except TemporaryError:
            if tries > retries:
                raise
            sleep(delay)
        else:
            return tries
