"""The worker."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from worker.queue import Queue

logger = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What the worker did."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """The exit code for the command: 1 where a task failed."""
        return 1 if self.failed else 0


def run(queue: Queue) -> Outcome:
    """Do all tasks that wait; one that fails is logged and counted, and the next is done.

    Only errors are caught: an interrupt or a request to exit still ends the worker.
    """
    outcome = Outcome()
    while (task := queue.take()) is not None:
        try:
            task.work()
        except Exception as error:
            logger.exception("%s failed", task.name)
            outcome.failed[task.name] = f"{type(error).__name__}: {error}"
        else:
            outcome.done.append(task.name)
    return outcome
