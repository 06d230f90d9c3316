"""The queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Task:
    """Something to do."""

    name: str
    work: Callable[[], None]


class Queue:
    """Tasks that wait."""

    def __init__(self) -> None:
        self._tasks: deque[Task] = deque()

    def put(self, task: Task) -> None:
        """Add a task."""
        self._tasks.append(task)

    def take(self) -> Task | None:
        """Return the task that waits longest; None where none does."""
        return self._tasks.popleft() if self._tasks else None
