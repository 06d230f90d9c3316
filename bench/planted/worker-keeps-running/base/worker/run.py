"""The worker."""

from __future__ import annotations

from dataclasses import dataclass, field

from worker.queue import Queue


@dataclass
class Outcome:
    """What the worker did."""

    done: list[str] = field(default_factory=list)


def run(queue: Queue) -> Outcome:
    """Do all tasks that wait."""
    outcome = Outcome()
    while (task := queue.take()) is not None:
        task.work()
        outcome.done.append(task.name)
    return outcome
