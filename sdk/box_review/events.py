"""Events of a running review, as streamed by `GET /v1/reviews/{id}/events`.

A lane is one box of the review: a role's name, or `jury`. Each event has an id on the stream, so that a
client that lost its connection continues with `Last-Event-ID`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from box_review.finding import ContractModel
from box_review.review import Conclusion, ReviewStatus, RoleStatus

StageName = Literal["waiting", "checking out", "evidence", "reviewing", "rechecking", "proving", "judging", "freezing", "frozen", "failed"]


class EventBase(ContractModel):
    """What every event has; `at_s` counts seconds since the review was queued."""

    at_s: float = 0.0


class LaneEvent(EventBase):
    """A box moved on to its next stage."""

    kind: Literal["lane"] = "lane"
    lane: str
    stage: StageName
    box_id: str = ""
    driver: str = ""
    note: str = Field(default="", max_length=500)


class RoleEvent(EventBase):
    """A reviewer came to its end."""

    kind: Literal["role"] = "role"
    role: str
    status: RoleStatus
    findings: int = 0
    error: str | None = None


class FinishedEvent(EventBase):
    """The review is over; its record can be fetched. Always the last event."""

    kind: Literal["finished"] = "finished"
    status: ReviewStatus
    conclusion: Conclusion


ReviewEvent = Annotated[LaneEvent | RoleEvent | FinishedEvent, Field(discriminator="kind")]
review_event: TypeAdapter[ReviewEvent] = TypeAdapter(ReviewEvent)
