"""How bot and runner meet in Redis: names of keys, payloads of jobs, what a runner host says of itself.

Only names and models; each side brings its own Redis client. Payloads are JSON, never pickle: who can
write to Redis must not be able to run code in a worker.

Keys:
    box:runner                   the queue of runner jobs (arq)
    box:runner:bell              its bell
    box:hosts                    hash: host id -> HostReport
    box:reviews:active           sorted set: ids of reviews without a verdict, by deadline (Unix seconds)
    box:reviews:finished         channel: ids of reviews as they get their verdict; who must not miss one looks now and then
    box:review:{id}              hash: request, tenant, created_at, deadline_at, status, record, `role:{role}` -> RoleReport,
                                 and of a replay `replays`: the review whose results and votes it takes;
                                 where traces are made, `traceparent`: the trace it was asked for in
    box:review:{id}:events       stream of ReviewEvent in the field `event`
    box:reviews:of:{tenant}      sorted set: ids of the reviews a tenant asked for, by creation (Unix seconds); what is older than
                                 KEEP_S drops out
    box:reviews:in:{tenant}:{digest}       the same of one repository, named by 32 hex digits of its SHA-256
    box:reviews:repositories:{tenant}      sorted set: names of a tenant's repositories, by their last review
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, TypeAdapter

from box_review.finding import ContractModel, Role
from box_review.review import ReviewId


@dataclass(frozen=True)
class Queue:
    """One queue of jobs. `bell` is a list that wakes a waiting worker; losing its entries only costs half a second."""

    name: str

    @property
    def bell(self) -> str:
        """Name of the list."""
        return f"{self.name}:bell"


RUNNER = Queue("box:runner")
HOSTS = "box:hosts"
ACTIVE = "box:reviews:active"
FINISHED = "box:reviews:finished"
AGENT_JOB, JURY_JOB = "review_role", "judge"
_job: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
KEEP_S = 30 * 24 * 3600
JURY_S = 600.0
"""Seconds the jury has after the reviewers' deadline."""


def review_key(review_id: str) -> str:
    """Hash of one review."""
    return f"box:review:{review_id}"


def events_key(review_id: str) -> str:
    """Stream of one review's events."""
    return f"box:review:{review_id}:events"


def reviews_key(tenant: str, repository: str = "") -> str:
    """Sorted set of a tenant's reviews, or of those of one repository, whose digest no tenant's name can run into."""
    if not repository:
        return f"box:reviews:of:{tenant}"
    return f"box:reviews:in:{tenant}:{hashlib.sha256(repository.encode()).hexdigest()[:32]}"


def repositories_key(tenant: str) -> str:
    """Sorted set of the repositories a tenant had reviewed."""
    return f"box:reviews:repositories:{tenant}"


def role_field(role: str) -> str:
    """Field of a review's hash that holds a role's RoleReport."""
    return f"role:{role}"


def job_id(review_id: str, lane: str) -> str:
    """Id of the job that works on one lane: a role, or `jury`. One id, one job: enqueueing twice is harmless."""
    return f"review:{review_id}:{lane}"


class AgentJob(ContractModel):
    """Review one change in one role."""

    version: Literal[1] = 1
    review_id: ReviewId
    role: Role


class JuryJob(ContractModel):
    """Judge what the reviewers of one review claim."""

    version: Literal[1] = 1
    review_id: ReviewId


class HostReport(ContractModel):
    """What a runner host can do.

    Args:
        boxes: where its box API is, a unix socket's path or a URL; empty if it has none.
        held: how many boxes it holds.
        harness: what it reviews with where a review says `auto`.
        seen_at: its last sign of life, Unix seconds.
    """

    id: str = Field(max_length=64)
    version: str
    capacity: int
    drivers: tuple[str, ...]
    harnesses: tuple[str, ...]
    roles: tuple[str, ...]
    boxes: str = ""
    held: int = 0
    harness: str = "static"
    seen_at: float


def encode(payload: dict[str, Any]) -> bytes:
    """A job as arq stores it."""
    return json.dumps(payload, separators=(",", ":"), default=str).encode()


def decode(payload: bytes) -> dict[str, Any]:
    """A stored job. Raises ValueError if it is none."""
    return _job.validate_json(payload)
