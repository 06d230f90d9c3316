"""When which box did what: one lane per box, its stages as shares of the whole time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from box_review.events import StageName
from box_review.review import ReviewRecord, Stage

TICKS = 4
LONGEST_S = 7 * 24 * 3600.0
_KNOWN: tuple[StageName, ...] = (
    "waiting",
    "checking out",
    "evidence",
    "reviewing",
    "rechecking",
    "proving",
    "judging",
    "freezing",
    "frozen",
    "failed",
)


@dataclass(frozen=True)
class Bar:
    """One stage of a lane; `left` and `width` in percent of the timeline, `kind` names its colour."""

    name: str
    kind: str
    started_s: float
    ended_s: float
    left: float
    width: float


@dataclass(frozen=True)
class Lane:
    """One box of the review."""

    name: str
    status: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Timeline:
    """All lanes over the same `total_s` seconds; `kinds` are the stages that occur."""

    total_s: float
    lanes: tuple[Lane, ...]
    kinds: tuple[str, ...]

    @property
    def ticks(self) -> list[float]:
        """Seconds at which the axis is labelled."""
        return [self.total_s * at / TICKS for at in range(TICKS + 1)]


def timeline(record: ReviewRecord) -> Timeline:
    """The lanes of a review; stages whose times make no sense are left out."""
    lanes = [(role.role, str(role.status), _sensible(role.stages)) for role in record.roles]
    if record.jury is not None:
        lanes.append(("jury", record.jury.status, _sensible(record.jury.stages)))
    ends = [stage.ended_s for _, _, stages in lanes for stage in stages]
    total_s = max(ends, default=0.0) or 1.0
    drawn = tuple(Lane(name, status, tuple(_bar(stage, total_s) for stage in stages)) for name, status, stages in lanes if stages)
    kinds = dict.fromkeys(bar.name for lane in drawn for bar in lane.bars if bar.kind != "other")
    return Timeline(total_s, drawn, tuple(kinds))


def _sensible(stages: Iterable[Stage]) -> list[Stage]:
    return [stage for stage in stages if math.isfinite(stage.ended_s) and 0 <= stage.started_s <= stage.ended_s <= LONGEST_S]


def _bar(stage: Stage, total_s: float) -> Bar:
    kind = stage.name.replace(" ", "-") if stage.name in _KNOWN else "other"
    left = 100 * stage.started_s / total_s
    width = 100 * (stage.ended_s - stage.started_s) / total_s
    return Bar(stage.name, kind, stage.started_s, stage.ended_s, left, width)
