"""Where running reviews stand, in Redis: the runner's half of `box_review.jobs`.

Whoever brings a role or a review to its end first decides; later ones change nothing. So a job that runs
twice, on this host or another, cannot report twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from box_review import ReviewRecord, ReviewRequest, ReviewStatus, RoleReport, RoleStatus
from box_review.events import FinishedEvent, ReviewEvent, RoleEvent
from box_review.jobs import (
    ACTIVE,
    AGENT_JOB,
    FINISHED,
    JURY_JOB,
    KEEP_S,
    RUNNER,
    AgentJob,
    JuryJob,
    events_key,
    job_id,
    review_key,
    role_field,
)

from jobs import metrics
from jobs.queue import enqueue

EVENTS_KEPT = 5000
LATE_S = 30.0

# A role's report, if the role has none that is final and the review no verdict.
_SET_ROLE = """
local final = redis.call('hget', KEYS[1], 'status')
if not final or (final ~= 'queued' and final ~= 'running') then return 0 end
local old = redis.call('hget', KEYS[1], ARGV[1])
if old then
  local status = cjson.decode(old).status
  if status ~= 'queued' and status ~= 'running' then return 0 end
end
redis.call('hset', KEYS[1], ARGV[1], ARGV[2], 'status', 'running')
return 1
"""

_FINISH = """
local status = redis.call('hget', KEYS[1], 'status')
if not status or (status ~= 'queued' and status ~= 'running') then return 0 end
redis.call('hset', KEYS[1], 'status', ARGV[2], 'record', ARGV[3])
redis.call('zrem', KEYS[2], ARGV[1])
redis.call('publish', KEYS[3], ARGV[1])
return 1
"""


@dataclass(frozen=True)
class ReviewState:
    """A review as it stands; `roles` holds one report a role, in the order asked for. Times are Unix seconds. `tenant` asked for it.

    `replays` is the review whose reviewers' results and votes this one takes; empty for most.
    """

    review_id: str
    request: ReviewRequest
    status: ReviewStatus
    created_at: float
    deadline_at: float
    roles: tuple[RoleReport, ...]
    tenant: str = ""
    replays: str = ""

    @property
    def roles_done(self) -> bool:
        """True once only the jury is left to work."""
        return all(report.status.final for report in self.roles)

    def role(self, name: str) -> RoleReport:
        """The report of one role. Raises KeyError for a role that was not asked for."""
        for report in self.roles:
            if report.role == name:
                return report
        raise KeyError(name)


class Reviews:
    """Reads and moves the reviews that are under way. Args: the queue; what one may cost at most, whatever it asks for."""

    def __init__(self, redis: ArqRedis, most_usd: float | None = None) -> None:
        self._redis, self._most_usd = redis, most_usd

    async def get(self, review_id: str) -> ReviewState | None:
        """The review, None where Redis does not know it."""
        fields = {key.decode(): value.decode() for key, value in (await self._redis.hgetall(review_key(review_id))).items()}  # type: ignore[misc]
        if "request" not in fields:
            return None
        request = ReviewRequest.model_validate_json(fields["request"])
        if self._most_usd is not None:
            request = request.model_copy(update={"budget_usd": min(self._most_usd, request.budget_usd or self._most_usd)})
        return ReviewState(
            review_id=review_id,
            request=request,
            status=ReviewStatus(fields["status"]),
            created_at=float(fields["created_at"]),
            deadline_at=float(fields["deadline_at"]),
            roles=tuple(RoleReport.model_validate_json(fields[role_field(role)]) for role in request.roles),
            tenant=fields.get("tenant", ""),
            replays=fields.get("replays", ""),
        )

    async def record(self, review_id: str) -> ReviewRecord | None:
        """The verdict; None for a review that has none, or that Redis does not know."""
        raw = await self._redis.hget(review_key(review_id), "record")  # type: ignore[misc]
        return None if raw is None else ReviewRecord.model_validate_json(raw)

    async def emit(self, review: ReviewState, event: ReviewEvent) -> None:
        """Tell those who watch."""
        timed = event.model_copy(update={"at_s": max(0.0, round(time.time() - review.created_at, 3))})
        key = events_key(review.review_id)
        async with self._redis.pipeline() as pipe:
            pipe.xadd(key, {"event": timed.model_dump_json()}, maxlen=EVENTS_KEPT, approximate=True)
            pipe.expire(key, KEEP_S)
            await pipe.execute()

    async def start_role(self, review: ReviewState, role: str) -> bool:
        """Mark a role as being worked on; False if there is nothing to do any more."""
        report = review.role(role).model_copy(update={"status": RoleStatus.RUNNING})
        return await self._set_role(review.review_id, report)

    async def finish_role(self, review: ReviewState, report: RoleReport) -> bool:
        """Write a role's final report and call the jury if it was the last; False if it had one already."""
        written = await self._set_role(review.review_id, report)
        if written:
            event = RoleEvent(role=report.role, status=report.status, findings=report.findings, error=report.error)
            await self.emit(review, event)
        await self.call_jury(review.review_id)
        return written

    async def call_jury(self, review_id: str) -> None:
        """Put the jury's job on the queue once every role has its report."""
        review = await self.get(review_id)
        if review is not None and not review.status.final and review.roles_done:
            await enqueue(self._redis, RUNNER, JURY_JOB, JuryJob(review_id=review_id), job_id(review_id, "jury"))

    async def finish(self, review: ReviewState, record: ReviewRecord) -> bool:
        """Write the verdict; False if the review has one."""
        arguments = (review.review_id, record.status.value, record.model_dump_json())
        written = await self._redis.eval(_FINISH, 3, review_key(review.review_id), ACTIVE, FINISHED, *arguments)  # type: ignore[misc]
        if written:
            metrics.reviews.labels(record.conclusion.value).inc()
            await self.emit(review, FinishedEvent(status=record.status, conclusion=record.conclusion))
        return bool(written)

    async def overdue_or_forgotten(self) -> None:
        """Repair: what is past its time ends, what has no job (its sender or host died in between) gets one."""
        now = time.time()
        for raw in await self._redis.zrange(ACTIVE, 0, -1):
            review = await self.get(raw.decode())
            if review is None or review.status.final:
                await self._redis.zrem(ACTIVE, raw)
                continue
            for report in review.roles:
                if not report.status.final:
                    await self._repair_role(review, report, now)
            await self.call_jury(review.review_id)

    async def _repair_role(self, review: ReviewState, report: RoleReport, now: float) -> None:
        if now > review.deadline_at + LATE_S:  # the reviewer's own clock comes first
            late = {
                "status": RoleStatus.TIMED_OUT,
                "error": f"no result within {review.request.timeout_s:g} s: no host took it up or came to its end",
            }
            await self.finish_role(review, report.model_copy(update=late))
            return
        job = job_id(review.review_id, report.role)
        if not await self._redis.exists(job_key_prefix + job, in_progress_key_prefix + job):
            await enqueue(self._redis, RUNNER, AGENT_JOB, AgentJob(review_id=review.review_id, role=report.role), job)

    async def _set_role(self, review_id: str, report: RoleReport) -> bool:
        arguments = (role_field(report.role), report.model_dump_json())
        return bool(await self._redis.eval(_SET_ROLE, 1, review_key(review_id), *arguments))  # type: ignore[misc]
