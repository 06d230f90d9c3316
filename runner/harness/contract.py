"""What a harness gets and gives."""

from __future__ import annotations

import abc
import asyncio
from dataclasses import dataclass

from box_review import ReviewRequest

from runner.lane import Lane
from runner.result import RoleResult
from sandbox.box import Box, Mount


@dataclass(frozen=True)
class Assignment:
    """One role's task in one box whose `/workspace/home/repo` stands at the head; `ends_at` is loop time."""

    request: ReviewRequest
    role: str
    box: Box
    lane: Lane
    ends_at: float

    def left_s(self) -> float:
        """Seconds until the deadline, at least a tenth."""
        return max(0.1, self.ends_at - asyncio.get_running_loop().time())


class Harness(abc.ABC):
    """One way to review. `name` is what requests ask for; `mounts` is what its boxes must see of the host."""

    name: str
    version: str = ""
    mounts: tuple[Mount, ...] = ()

    @abc.abstractmethod
    def roles(self) -> tuple[str, ...]:
        """Roles it can take."""

    @abc.abstractmethod
    async def review(self, assignment: Assignment) -> RoleResult:
        """Review the change in the box.

        Raises:
            ReviewerFailed: it came to no result; the message says why, in one sentence for the review.
        """
