"""The worker of the GitHub queue: does its jobs, hears of verdicts, and looks for what was missed."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import structlog
from arq.worker import Function, func
from box_review.jobs import FINISHED, review_key
from pydantic import BaseModel
from redis.exceptions import RedisError

from bot.errors import NoSuchReview
from bot.github import missed, shadow
from bot.github.ask import ask
from bot.github.desk import Desk
from bot.github.errors import GitHubError
from bot.github.jobs import AskJob, Prepare, Tend, UninstalledJob
from bot.github.prepare import prepare
from bot.github.pull import PullRef
from bot.github.state import ASK_JOB, GITHUB, PREPARE_JOB, SLOW, TEND_JOB, UNINSTALLED_JOB
from bot.github.take_up import stop
from bot.github.tend import tend
from bot.github.turn import TurnLost
from jobs import traces
from jobs.lease import LeaseWorker, Terms, end
from jobs.queue import Queue, enqueue

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

log = structlog.get_logger()

LEASE_S = 10.0
SWEEP_S = 1.0
MISSED_S = 60.0
TIDY_S = 3600.0
_J = TypeVar("_J", bound=BaseModel)


@contextlib.asynccontextmanager
async def working(desk: Desk, redis_url: str) -> AsyncIterator[asyncio.Future[Any]]:
    """A worker at work for as long as the context lasts; on the way out its jobs go back to the queue.

    The future ends only where some part of it cannot go on.
    """
    quick = [_function(desk, TEND_JOB, Tend, tend), _function(desk, UNINSTALLED_JOB, UninstalledJob, uninstalled)]
    slow = [_function(desk, PREPARE_JOB, Prepare, prepare), _function(desk, ASK_JOB, AskJob, ask)]
    workers = [_worker(desk, redis_url, queue, functions) for queue, functions in ((GITHUB, quick), (SLOW, slow))]
    mains = [asyncio.create_task(worker.main()) for worker in workers]
    others = [
        asyncio.create_task(_hear(desk)),
        asyncio.create_task(_every(SWEEP_S, desk, _sweep)),
        asyncio.create_task(_every(MISSED_S, desk, missed.catch_up)),
        asyncio.create_task(_every(TIDY_S, desk, _tidy)),
    ]
    try:
        yield asyncio.gather(*mains, *others)
    finally:
        for task in others:
            await end(task)
        for worker, main in zip(workers, mains, strict=True):
            await worker.stop(main)


def _worker(desk: Desk, redis_url: str, queue: Queue, functions: Sequence[Function]) -> LeaseWorker:
    terms = Terms(f"bot-{secrets.token_hex(6)}", desk.settings.box_github_jobs, LEASE_S)
    return LeaseWorker(functions, queue=queue, redis=desk.pulls.redis, redis_url=redis_url, terms=terms, on_lost=_lost)


async def uninstalled(desk: Desk, job: UninstalledJob) -> None:
    """End what runs for an installation that was removed or suspended. GitHub hears of it if the App comes back soon."""
    for key in await desk.pulls.open():
        state = await desk.pulls.peek(key)
        if state is None or state.pull.installation_id != job.installation_id:
            continue
        try:
            await _stop(desk, state.pull)
        except TurnLost:
            await enqueue(desk.pulls.redis, GITHUB, UNINSTALLED_JOB, job, f"github:gone:{secrets.token_hex(6)}")
            await asyncio.sleep(1)


async def _stop(desk: Desk, pull: PullRef) -> None:
    async with desk.pulls.turn(pull) as turn:
        why = "The App was suspended or removed here."
        state = shadow.stop(stop(await turn.load(), why), why)
        for round_ in (*state.rounds, *state.shadows):
            with contextlib.suppress(NoSuchReview):
                await desk.reviews.cancel(round_.review_id)
        await turn.save(state, taken=await turn.inbox(), again_at=time.time())
    log.info("the App is gone from here; its review stops", repository=pull.full_name, pull=pull.number)


def _function(desk: Desk, name: str, model: type[_J], work: Callable[[Desk, _J], Awaitable[None]]) -> Function:
    async def run(_: dict[Any, Any], payload: dict[str, Any]) -> None:
        job = model.model_validate(payload)
        with structlog.contextvars.bound_contextvars(job=name, **_about(job)):
            try:
                await work(desk, job)
            except GitHubError as error:  # the job boundary: `tend` looks again by itself, a question is asked anew by its author
                log.warning("a job came to nothing", reason=str(error))
            except TurnLost:
                log.warning("another worker has the pull request; it is looked at again", reason="turn lost")
                if isinstance(job, Prepare):
                    await desk.pulls.look_again(job.pull.key, time.time() + 1)

    return func(cast("WorkerCoroutine", run), name=name)


def _about(job: BaseModel) -> dict[str, str | int]:
    """What of a job stands in every line that is logged for it."""
    pull: PullRef | None = getattr(job, "pull", None)
    about: dict[str, str | int] = (
        {} if pull is None else {"repository": pull.full_name, "pull": pull.number, "installation": pull.installation_id}
    )
    return about | {name: value for name in ("review_id", "role") if (value := getattr(job, name, None)) is not None}


async def _lost(job_id: str) -> None:
    """A job was started too often; its pull request is open, and is looked at again."""
    log.error("a job was given up", job_id=job_id)


async def _hear(desk: Desk) -> None:
    """Tend a pull request as soon as its review is over. Nothing is lost where this misses one: it is looked at again."""
    while True:
        try:
            async with desk.pulls.redis.pubsub(ignore_subscribe_messages=True) as channel:
                await channel.subscribe(FINISHED)
                while True:
                    message = await channel.get_message(timeout=10.0)
                    if message is not None:
                        await _finished(desk, message["data"].decode())
        except (RedisError, OSError):
            await asyncio.sleep(1)


async def _finished(desk: Desk, review_id: str) -> None:
    pull = await desk.pulls.of_review(review_id)
    if pull is not None:
        trace: Any = await desk.pulls.redis.hget(review_key(review_id), traces.FIELD)  # type: ignore[misc]
        with traces.span("verdict", trace.decode() if trace else "", review_id=review_id):
            await enqueue(desk.pulls.redis, GITHUB, TEND_JOB, Tend(key=pull.key), f"github:tend:{review_id}:finished")


async def _sweep(desk: Desk) -> None:
    """Tend what is due: to be looked at again, or left behind by somebody who died."""
    for key in await desk.pulls.due():
        await enqueue(desk.pulls.redis, GITHUB, TEND_JOB, Tend(key=key), f"github:tend:{key}:due")
        await desk.pulls.put_off(key, time.time() + LEASE_S)


async def _tidy(desk: Desk) -> None:
    await desk.mirrors.forget_unused()


async def _every(pause_s: float, desk: Desk, work: Callable[[Desk], Awaitable[None]]) -> None:
    while True:
        try:
            await work(desk)
        except (RedisError, OSError) as error:
            log.warning("looking around failed; trying on", error=str(error))
        except Exception:  # the boundary of a loop that must not end
            log.exception("looking around failed")
        await asyncio.sleep(pause_s)
