"""One lane of a review: the stages a box goes through, told to those who watch and kept for the record."""

from __future__ import annotations

import time

from box_review import BoxReport, Stage
from box_review.events import LaneEvent, StageName

from runner.reviews import Reviews, ReviewState
from sandbox.box import Box, Freeze
from sandbox.driver import Driver
from sandbox.errors import SandboxError


class Lane:
    """Times of one box's stages, in seconds since the review was queued."""

    def __init__(self, reviews: Reviews, review: ReviewState, name: str) -> None:
        self._reviews = reviews
        self._review = review
        self.review_id = review.review_id
        self.name = name
        self.box: Box | None = None
        self._stages: list[Stage] = []
        self._current: StageName | None = None
        self._since = 0.0
        self.started_s = self._now()

    async def enter(self, stage: StageName, note: str = "") -> None:
        """The next stage begins; the last one ends."""
        self._close()
        self._current, self._since = stage, self._now()
        box_id, driver = (self.box.id, self.box.driver) if self.box else ("", "")
        event = LaneEvent(lane=self.name, stage=stage, box_id=box_id, driver=driver, note=note[:500])
        await self._reviews.emit(self._review, event)

    def stages(self) -> tuple[Stage, ...]:
        """All stages so far."""
        self._close()
        return tuple(self._stages)

    @property
    def duration_s(self) -> float:
        """Wall time since the lane's work began."""
        return round(self._now() - self.started_s, 3)

    def _close(self) -> None:
        if self._current not in (None, "frozen", "failed"):
            self._stages.append(Stage(name=str(self._current), started_s=self._since, ended_s=self._now()))
        self._current = None

    def _now(self) -> float:
        return max(0.0, round(time.time() - self._review.created_at, 3))


async def put_away(box: Box, driver: Driver) -> BoxReport:
    """Freeze a box for the retention time and say in which state it is left."""
    freeze = ""
    try:
        report = await box.freeze(Freeze.COLD)
        freeze = f"cold: {'memory and files' if report.memory else 'files'}, {size(report.image_bytes)}"
    except SandboxError as error:
        freeze = f"not frozen: {error}"
    return describe(box, driver, freeze)


def describe(box: Box, driver: Driver, freeze: str) -> BoxReport:
    """A box for the record."""
    can = driver.capabilities
    limits = tuple(sorted(f"{name} limit" for name in can.limits))
    return BoxReport(
        box_id=box.id,
        driver=box.driver,
        isolation=can.isolation,
        state=box.state.value,
        freeze=freeze[:300],
        limits=(*limits, *can.notices),
    )


def size(count: int) -> str:
    """Bytes in words: `3 KB`, `1.2 MB`."""
    if count < 1_000_000:
        return f"{max(1, round(count / 1000))} KB"
    return f"{count / 1_000_000:.1f} MB"
