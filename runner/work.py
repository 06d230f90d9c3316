"""The worker of a host: takes jobs off the queue and does them, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

import structlog
from arq.connections import ArqRedis
from arq.worker import func
from box_review import RoleStatus
from box_review.jobs import AGENT_JOB, JURY_JOB, RUNNER, AgentJob, JuryJob

from jobs.lease import MAX_TRIES, LeaseWorker, Terms, end
from runner.agent import review_role
from runner.host import Host, keep_house
from runner.jury.job import give_up, judge

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

log = structlog.get_logger()


@contextlib.asynccontextmanager
async def working(host: Host, redis: ArqRedis) -> AsyncIterator[LeaseWorker]:
    """A worker at work for as long as the context lasts; on the way out its jobs go back to the queue."""

    async def agent(_: dict[Any, Any], payload: dict[str, Any]) -> None:
        job = AgentJob.model_validate(payload)
        with structlog.contextvars.bound_contextvars(review_id=job.review_id, role=job.role):
            await review_role(host, job)

    async def jury(_: dict[Any, Any], payload: dict[str, Any]) -> None:
        job = JuryJob.model_validate(payload)
        with structlog.contextvars.bound_contextvars(review_id=job.review_id):
            await judge(host, job)

    worker = LeaseWorker(
        [func(cast("WorkerCoroutine", agent), name=AGENT_JOB), func(cast("WorkerCoroutine", jury), name=JURY_JOB)],
        queue=RUNNER,
        redis=redis,
        redis_url=host.settings.redis_url,
        terms=Terms(host.id, host.settings.box_runner_jobs, host.settings.box_lease_s),
        on_lost=lambda job: _lost(host, job),
    )
    # The data directory's lock is ours, so whoever held these leases is dead.
    if released := await worker.release_own():
        log.info("jobs of an earlier process of this host run again", jobs=released)
    work = asyncio.create_task(worker.main())
    house = asyncio.create_task(keep_house(host, redis))
    try:
        yield worker
    finally:
        await end(house)
        await worker.stop(work)


async def _lost(host: Host, job: str) -> None:
    """A job was started too often, or its payload is gone: the review says so."""
    _, review_id, lane = job.split(":", 2)
    review = await host.reviews.get(review_id)
    if review is None or review.status.final:
        return
    reason = f"given up after {MAX_TRIES} tries that each ended with the host's process"
    if lane == "jury":
        await give_up(host, review, reason)
        return
    report = review.role(lane).model_copy(update={"status": RoleStatus.FAILED, "error": reason})
    await host.reviews.finish_role(review, report)
