"""Reviews as clients see them: asked for, watched, read, cancelled."""

from __future__ import annotations

import asyncio
import secrets
import string
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import fsspec
from arq.connections import ArqRedis
from box_review import Conclusion, JuryReport, ReviewRecord, ReviewRequest, ReviewStatus, RoleReport, RoleStatus
from box_review.events import FinishedEvent, LaneEvent
from box_review.jobs import (
    ACTIVE,
    AGENT_JOB,
    FINISHED,
    HOSTS,
    JURY_JOB,
    JURY_S,
    KEEP_S,
    RUNNER,
    AgentJob,
    HostReport,
    JuryJob,
    events_key,
    job_id,
    review_key,
    role_field,
)

from bot import recent
from bot.errors import NoSuchReview, Refused
from bot.sources import Sources
from jobs import metrics, traces
from jobs.queue import abort, enqueue

HOST_ALIVE_S = 30.0
STREAM_WAIT_S = 15.0
GIVEN_UP_S = JURY_S + 240.0  # after the reviewers' deadline: runners have had their time to end it themselves
_ID_LETTERS = string.digits + string.ascii_lowercase

_END = """
local status = redis.call('hget', KEYS[1], 'status')
if not status or (status ~= 'queued' and status ~= 'running') then return 0 end
redis.call('hset', KEYS[1], 'status', ARGV[3], 'record', ARGV[2])
redis.call('zrem', KEYS[2], ARGV[1])
redis.call('publish', KEYS[3], ARGV[1])
return 1
"""


class Reviews:
    """The client's half of `box_review.jobs`."""

    def __init__(self, redis: ArqRedis, sources: Sources, artifacts_url: str) -> None:
        self._redis = redis
        self._sources = sources
        self._fs, self._root = fsspec.core.url_to_fs(artifacts_url)

    async def create(self, request: ReviewRequest, tenant: str, review_id: str = "") -> str:
        """Queue a review for a tenant; returns its id, which may be given: asked for twice by one id, it is one review.

        Raises:
            Refused: no host can do what is asked, or the source was not uploaded.
        """
        if review_id and await self.exists(review_id):
            return review_id
        hosts = await self.hosts()
        request = _settled(request, hosts)
        _check(request, hosts)
        if not await self._sources.has(request.source):
            raise Refused(f"the source {request.source} was not uploaded; PUT /v1/sources/{request.source} first", 409)
        if request.before and (await self._fields(request.before) or {}).get("tenant") != tenant:
            raise Refused(f"there is no review {request.before!r} that this one could go on from", 404)
        reports = [RoleReport(role=role, status=RoleStatus.QUEUED, harness=request.reviewer(role).harness) for role in request.roles]
        review_id = review_id or new_id()
        with traces.span("review asked for", review_id=review_id):
            await self._write(review_id, request, tenant, reports, request.timeout_s, request.roles)
            # Should this process die here, a runner finds roles without a job and queues them.
            for role in request.roles:
                await enqueue(self._redis, RUNNER, AGENT_JOB, AgentJob(review_id=review_id, role=role), job_id(review_id, role))
        return review_id

    async def replay(self, review_id: str, tenant: str) -> str:
        """Queue the jury once more over what a review's reviewers handed over, with the votes it had; returns the new review's id.

        Raises:
            NoSuchReview: there is none.
            Refused: it is not over, came to nothing, or what it rests on is not kept any more.
        """
        record, fields = await self.record(review_id), await self._fields(review_id)
        if record.replays is not None:
            raise Refused(f"{review_id} is a replay itself; replay {record.replays}", 409)
        if not record.status.final:
            raise Refused(f"the review {review_id} is not over; it can be replayed when it is", 409)
        judged = record.jury is not None and record.jury.status == "completed"
        if not judged or not any(report.status is RoleStatus.COMPLETED for report in record.roles):
            raise Refused(f"the review {review_id} came to no result that could be measured again ({record.status.value})", 409)
        if fields is None:
            raise Refused(f"the review {review_id} is older than {KEEP_S // 86400} days; its record is kept, what it rests on is not", 409)
        request = ReviewRequest.model_validate_json(fields["request"])
        if not await self._sources.has(request.source):
            raise Refused(f"the source of {review_id} is not kept any more: {request.source}", 409)
        _check_alive(await self.hosts())
        replayed, reports = new_id(), [report.claims_again() for report in record.roles]
        await self._write(replayed, request, tenant, reports, 0, ["jury"], replays=review_id)
        # Should this process die here, a runner finds a review whose reviewers are done, and calls the jury.
        await enqueue(self._redis, RUNNER, JURY_JOB, JuryJob(review_id=replayed), job_id(replayed, "jury"))
        return replayed

    async def _write(
        self,
        review_id: str,
        request: ReviewRequest,
        tenant: str,
        reports: Sequence[RoleReport],
        reviewers_s: float,
        lanes: Sequence[str],
        **more: str,
    ) -> None:
        """A new review, whose reviewers have so many seconds."""
        now = time.time()
        fields = {
            "request": request.model_dump_json(),
            "tenant": tenant,
            "created_at": repr(now),
            "deadline_at": repr(now + reviewers_s),
            "status": ReviewStatus.QUEUED.value,
        }
        fields |= {role_field(report.role): report.model_dump_json() for report in reports} | more
        if trace := traces.current():
            fields[traces.FIELD] = trace
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(review_key(review_id), mapping=fields)
            pipe.expire(review_key(review_id), KEEP_S)
            pipe.zadd(ACTIVE, {review_id: now + reviewers_s + JURY_S})
            recent.note(pipe, tenant, request.repository, review_id, now)
            for lane in lanes:
                pipe.xadd(events_key(review_id), {"event": LaneEvent(lane=lane, stage="waiting").model_dump_json()})
            pipe.expire(events_key(review_id), KEEP_S)
            await pipe.execute()

    async def record(self, review_id: str) -> ReviewRecord:
        """The review as it stands. Raises NoSuchReview."""
        fields = await self._fields(review_id)
        return await self._archived(review_id) if fields is None else _known(review_id, fields)

    async def recent(self, tenant: str, before: str, count: int, repository: str = "") -> list[ReviewRecord]:
        """The reviews a tenant asked for, newest first, after the review `before`; an empty one begins with the newest."""
        ids = await recent.review_ids(self._redis, tenant, repository, before, count)
        found = await asyncio.gather(*(self._fields(review_id) for review_id in ids))
        return [_known(review_id, fields) for review_id, fields in zip(ids, found, strict=True) if fields is not None]

    async def repositories(self, tenant: str) -> list[str]:
        """The repositories a tenant had reviewed, the last one first."""
        return await recent.repositories(self._redis, tenant)

    async def owned(self, review_id: str, tenant: str) -> ReviewRecord:
        """The review as it stands, for the tenant who asked for it. Raises NoSuchReview for everybody else."""
        fields = await self._fields(review_id)
        if fields is None or fields.get("tenant") != tenant:
            raise NoSuchReview(review_id)
        return _known(review_id, fields)

    async def is_of(self, review_id: str, tenant: str, *, operator: bool) -> bool:
        """True for a review that a tenant asked for; those too old for that to be known are the operator's."""
        fields = await self._fields(review_id)
        return operator if fields is None else fields.get("tenant") == tenant

    async def told(self, review_id: str) -> list[tuple[str, str]]:
        """Ids and JSON of the events so far."""
        return [(entry_id.decode(), fields[b"event"].decode()) for entry_id, fields in await self._redis.xrange(events_key(review_id))]

    async def cancel(self, review_id: str) -> ReviewRecord:
        """Stop a review; one that is over stays as it is. Raises NoSuchReview."""
        fields = await self._fields(review_id)
        if fields is None or "record" in fields:
            return await self.record(review_id)
        await self._end(_stopped(_provisional(review_id, fields), ReviewStatus.CANCELLED, Conclusion.CANCELLED, "the review was cancelled"))
        return await self.record(review_id)

    async def _end(self, record: ReviewRecord) -> None:
        """Write a record that no jury will write, unless one has, and stop the review's jobs."""
        arguments = (record.review_id, record.model_dump_json(), record.status.value)
        if await self._redis.eval(_END, 3, review_key(record.review_id), ACTIVE, FINISHED, *arguments):  # type: ignore[misc]
            metrics.reviews.labels(record.conclusion.value).inc()
            await abort(
                self._redis, RUNNER, [job_id(record.review_id, lane) for lane in (*(report.role for report in record.roles), "jury")]
            )
            event = FinishedEvent(status=record.status, conclusion=record.conclusion, at_s=record.duration_s)
            await self._redis.xadd(events_key(record.review_id), {"event": event.model_dump_json()})

    async def events(self, review_id: str, after: str) -> AsyncIterator[tuple[str, str] | None]:
        """Ids and JSON of a review's events after one id, as they come; None where nothing came for a while. Ends with the last."""
        last = after
        while True:
            answer: Any = await self._redis.xread({events_key(review_id): last}, count=200, block=int(STREAM_WAIT_S * 1000))
            entries = answer[0][1] if answer else []
            for entry_id, fields in entries:
                last = entry_id.decode()
                event = fields[b"event"].decode()
                yield last, event
                if '"kind":"finished"' in event:
                    return
            if not entries:
                fields = await self._fields(review_id)
                if fields is None or "record" in fields:
                    # Whoever wrote the verdict died before it could say so.
                    record = await self.record(review_id)
                    yield last, FinishedEvent(status=record.status, conclusion=record.conclusion, at_s=record.duration_s).model_dump_json()
                    return
                await self._give_up_late(review_id, fields)
                yield None

    async def settled(self, review_id: str) -> ReviewRecord:
        """The review as it stands; one that no runner host brought to its end in time has ended by that. Raises NoSuchReview."""
        fields = await self._fields(review_id)
        if fields is not None and "record" not in fields:
            await self._give_up_late(review_id, fields)
        return await self.record(review_id)

    async def _give_up_late(self, review_id: str, fields: dict[str, str]) -> None:
        if time.time() > float(fields["deadline_at"]) + GIVEN_UP_S:
            reason = "no runner host brought the review to its end in time"
            await self._end(_stopped(_provisional(review_id, fields), ReviewStatus.TIMED_OUT, Conclusion.TIMED_OUT, reason))

    async def request(self, review_id: str) -> ReviewRequest | None:
        """What was asked for; None where that is not kept any more."""
        fields = await self._fields(review_id)
        return None if fields is None else ReviewRequest.model_validate_json(fields["request"])

    async def exists(self, review_id: str) -> bool:
        """True if the review's events can be read."""
        return bool(await self._redis.exists(review_key(review_id)))

    async def hosts(self) -> list[HostReport]:
        """Runner hosts that gave a sign of life within half a minute."""
        reports = [HostReport.model_validate_json(value) for value in await self._redis.hvals(HOSTS)]  # type: ignore[misc]
        return [report for report in reports if time.time() - report.seen_at < HOST_ALIVE_S]

    async def _fields(self, review_id: str) -> dict[str, str] | None:
        raw = await self._redis.hgetall(review_key(review_id))  # type: ignore[misc]
        fields = {key.decode(): value.decode() for key, value in raw.items()}
        return fields if "request" in fields else None

    async def _archived(self, review_id: str) -> ReviewRecord:
        path = f"{self._root}/reviews/{review_id}/record.json"
        try:
            return ReviewRecord.model_validate_json(await asyncio.to_thread(self._fs.cat_file, path))
        except FileNotFoundError:
            raise NoSuchReview(review_id) from None


def new_id() -> str:
    """A review's id, which nobody can guess."""
    return "rv-" + "".join(secrets.choice(_ID_LETTERS) for _ in range(16))


def _settled(request: ReviewRequest, hosts: list[HostReport]) -> ReviewRequest:
    """With `auto` replaced by what the hosts prefer: an agent, if one of them has a model for it."""
    if request.harness != "auto":
        return request
    preferred = sorted({host.harness for host in hosts} - {"static"})
    return request.model_copy(update={"harness": preferred[0] if preferred else "static"})


def _check_alive(hosts: list[HostReport]) -> None:
    if not hosts:
        raise Refused("no runner host is alive; start one with `python -m runner`", 503)


def _check(request: ReviewRequest, hosts: list[HostReport]) -> None:
    """Refuse what no host can do, naming what they can."""
    _check_alive(hosts)
    drivers = sorted({driver for host in hosts for driver in host.drivers})
    harnesses = sorted({harness for host in hosts for harness in host.harnesses})
    roles = sorted({role for host in hosts for role in host.roles})
    if request.driver not in ("auto", *drivers):
        raise Refused(f"no runner host has the driver {request.driver!r}; there is auto, {', '.join(drivers)}")
    for name in (*(request.reviewer(role).harness for role in request.roles), request.jury.harness or request.harness):
        if name not in harnesses:
            raise Refused(f"no runner host has the harness {name!r}; there is {', '.join(harnesses)}; `box-review harness` says more")
    if strangers := sorted(request.reviewers.keys() - set(request.roles)):
        raise Refused(f"reviewers: {strangers[0]!r} is not among the roles {', '.join(request.roles)}")
    unknown = [role for role in request.roles if role not in roles and not request.reviewer(role).instructions]
    if unknown:
        raise Refused(f"no runner host knows the role {unknown[0]!r}; there is {', '.join(roles)}; a role of your own needs instructions")
    own = [role for role in request.roles if role not in roles and request.reviewer(role).harness == "static"]
    if own:
        raise Refused(f"the role {own[0]!r} is one of your own and needs an agent; the harness static has no words for it")
    if len(set(request.roles)) != len(request.roles):
        raise Refused("a role is named twice")


def _known(review_id: str, fields: dict[str, str]) -> ReviewRecord:
    return ReviewRecord.model_validate_json(fields["record"]) if "record" in fields else _provisional(review_id, fields)


def _provisional(review_id: str, fields: dict[str, str]) -> ReviewRecord:
    """What can be said of a review before its verdict."""
    request = ReviewRequest.model_validate_json(fields["request"])
    created_at = float(fields["created_at"])
    return ReviewRecord(
        review_id=review_id,
        replays=fields.get("replays"),
        repository=request.repository,
        title=request.title,
        base_sha=request.base_sha,
        head_sha=request.head_sha,
        status=ReviewStatus(fields["status"]),
        conclusion=Conclusion.NEUTRAL,
        summary="The review is not finished.",
        roles=tuple(RoleReport.model_validate_json(fields[role_field(role)]) for role in request.roles),
        created_at=datetime.fromtimestamp(created_at, UTC),
        duration_s=round(max(0.0, time.time() - created_at), 3),
    )


def _stopped(record: ReviewRecord, status: ReviewStatus, conclusion: Conclusion, reason: str) -> ReviewRecord:
    stopped = {"status": RoleStatus.SKIPPED, "error": reason}
    roles = tuple(report if report.status.final else report.model_copy(update=stopped) for report in record.roles)
    return record.model_copy(
        update={
            "status": status,
            "conclusion": conclusion,
            "summary": f"There is no verdict: {reason}.",
            "roles": roles,
            "jury": JuryReport(status="failed", error=reason),
            "not_covered": (f"Nothing was judged: {reason}.",),
        }
    )
