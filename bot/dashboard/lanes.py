"""What the boxes of a running review are doing, put together from its events."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from box_review.events import FinishedEvent, LaneEvent, ReviewEvent, RoleEvent, review_event
from box_review.finding import JURY
from box_review.report.wording import plain, plural
from box_review.review import ReviewRecord, RoleStatus
from pydantic import ValidationError

_LAST = ("frozen", "failed")


@dataclass(frozen=True)
class Step:
    """One stage of a lane. Seconds since the review was queued; None while it goes on."""

    name: str
    started_s: float
    ended_s: float | None = None

    @property
    def kind(self) -> str:
        """Its name as a class of the style."""
        return self.name.replace(" ", "-")


@dataclass
class Lane:
    """One box: its stages, and what is said of it beside them."""

    name: str
    steps: list[Step] = field(default_factory=list)
    box: str = ""
    said: str = ""
    """How it ended, empty while it works."""
    failed: bool = False

    @property
    def now(self) -> Step | None:
        """What it does, None before it began and after it ended."""
        return self.steps[-1] if self.steps and not self.over else None

    @property
    def over(self) -> bool:
        """True once nothing more happens in it."""
        return bool(self.said) or bool(self.steps and self.steps[-1].name in _LAST)


class Lanes:
    """The lanes of one review.

    Args:
        record: as it stands; says which lanes there will be and when it began.
    """

    def __init__(self, record: ReviewRecord) -> None:
        names = [*(() if record.replays else (report.role for report in record.roles)), JURY]
        self._lanes = {name: Lane(name) for name in names}
        self._began_at = record.created_at.timestamp()
        self.finished = False

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    @property
    def elapsed_s(self) -> float:
        """Seconds since the review was queued."""
        return max(0.001, time.time() - self._began_at)

    @property
    def kinds(self) -> list[str]:
        """The stages that occur, in the order they came."""
        return list(dict.fromkeys(step.name for lane in self for step in lane.steps))

    @property
    def summary(self) -> str:
        """How far all of it is, in one line."""
        over = sum(lane.over for lane in self)
        at_work = [f"{lane.name}: {lane.now.name}" for lane in self if lane.now and lane.now.name != "waiting"]
        return "; ".join([f"{over} of {plural(len(self._lanes), 'lane')} done", *at_work])

    def take(self, event: str) -> None:
        """Take in the next event, as JSON; one of a kind that is not known here is passed over."""
        try:
            self._take(review_event.validate_json(event))
        except ValidationError:
            return

    def _take(self, event: ReviewEvent) -> None:
        if isinstance(event, LaneEvent):
            _move(self._lanes.setdefault(event.lane, Lane(event.lane)), event)
        elif isinstance(event, RoleEvent):
            _end(self._lanes.setdefault(event.role, Lane(event.role)), event)
        elif isinstance(event, FinishedEvent):
            self.finished = True


def _move(lane: Lane, event: LaneEvent) -> None:
    if lane.steps and lane.steps[-1].ended_s is None:
        lane.steps[-1] = replace(lane.steps[-1], ended_s=max(event.at_s, lane.steps[-1].started_s))
    lane.steps.append(Step(event.stage, event.at_s))
    lane.box = event.box_id or lane.box
    lane.failed, lane.said = event.stage == "failed", ""  # a job that is tried again begins anew


def _end(lane: Lane, event: RoleEvent) -> None:
    completed = event.status is RoleStatus.COMPLETED
    lane.failed = not completed
    lane.said = plural(event.findings, "finding") if completed else ": ".join(filter(None, (plain(event.status), event.error)))
