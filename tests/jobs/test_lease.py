"""The queue survives what arq alone does not: dead hosts, lost leases, a Redis that restarts."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.worker import Worker, func
from box_review.jobs import RUNNER
from pydantic import BaseModel

from jobs.lease import LeaseWorker, Terms
from jobs.queue import connect, enqueue
from tests.conftest import Valkey


class Job(BaseModel):
    """What is to be done."""

    a: int = 0


Work = Callable[[dict[Any, Any], dict[str, Any]], Awaitable[None]]


@contextlib.asynccontextmanager
async def worker(url: str, host: str, work: Work, lease_s: float = 1.0, lost: list[str] | None = None) -> AsyncIterator[LeaseWorker]:
    """A worker that is killed, not stopped, at the end: it gives nothing back."""

    async def on_lost(job: str) -> None:
        if lost is not None:
            lost.append(job)

    redis = connect(url)
    made = LeaseWorker(
        [func(work, name="work")],
        queue=RUNNER,
        redis=redis,
        redis_url=url,
        terms=Terms(host, 4, lease_s),
        on_lost=on_lost,
    )
    task = asyncio.create_task(made.main())
    try:
        yield made
        await made.looked.wait()  # a client that is cancelled while it connects leaves its socket to the garbage collector
    finally:
        await made.stop(task)
        await redis.aclose(close_connection_pool=True)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for lies outside this loop
            await asyncio.sleep(0.01)


def test_arq_still_has_the_inside_that_is_overridden() -> None:
    """The lease rests on methods arq does not promise; a new version must be looked at before it is used."""
    assert list(inspect.signature(Worker.run_job).parameters) == ["self", "job_id", "score"]
    assert list(inspect.signature(Worker.finish_job).parameters) == [
        *("self", "job_id", "finish", "result_data", "result_timeout_s", "keep_result_forever", "incr_score", "keep_in_progress")
    ]
    assert list(inspect.signature(Worker.finish_failed_job).parameters) == ["self", "job_id", "result_data"]
    assert list(inspect.signature(Worker._poll_iteration).parameters) == ["self"]
    source = inspect.getsource(Worker.start_jobs)
    assert "self.in_progress_timeout_s" in source
    assert "self.run_job(job_id, int(score))" in source
    for name in ("job_tasks", "tasks", "pool", "poll_delay_s", "keep_result_s"):
        assert f"self.{name}" in inspect.getsource(Worker) or name in vars(Worker)


async def test_job_starts_at_the_bell_not_at_the_next_poll(valkey: Valkey, redis: ArqRedis) -> None:
    ran = asyncio.Event()

    async def work(_: dict[Any, Any], payload: dict[str, Any]) -> None:
        ran.set()

    async with worker(valkey.url, "h1", work) as made:
        made.poll_delay_s = 30
        await asyncio.sleep(0.3)  # the first poll has found nothing
        await enqueue(redis, RUNNER, "work", Job(), "j")
        async with asyncio.timeout(5):
            await ran.wait()


async def test_payload_is_json_and_never_pickle(redis: ArqRedis) -> None:
    await enqueue(redis, RUNNER, "work", Job(a=1), "j")
    raw = await redis.get(job_key_prefix + "j")
    assert raw is not None
    assert raw.startswith(b"{")


async def test_job_is_queued_once_however_often_it_is_sent(valkey: Valkey, redis: ArqRedis) -> None:
    runs = []

    async def work(_: dict[Any, Any], payload: dict[str, Any]) -> None:
        runs.append(payload)

    assert await enqueue(redis, RUNNER, "work", Job(), "j")
    assert not await enqueue(redis, RUNNER, "work", Job(), "j")
    async with worker(valkey.url, "h1", work):
        await until(lambda: bool(runs))
        await asyncio.sleep(0.3)
    assert len(runs) == 1


async def test_job_of_a_dead_host_is_taken_over_when_its_lease_ends(valkey: Valkey, redis: ArqRedis) -> None:
    await enqueue(redis, RUNNER, "work", Job(), "j")
    await redis.set(in_progress_key_prefix + "j", "dead:1", px=700)
    ran: list[float] = []

    async def work(_: dict[Any, Any], payload: dict[str, Any]) -> None:
        ran.append(time.monotonic())

    began = time.monotonic()
    async with worker(valkey.url, "h2", work):
        await until(lambda: bool(ran))
    assert ran[0] - began >= 0.5


async def test_restarted_host_takes_its_own_jobs_back_at_once(valkey: Valkey, redis: ArqRedis) -> None:
    await redis.set(in_progress_key_prefix + "mine", "h1:1", px=600_000)
    await redis.set(in_progress_key_prefix + "other", "h2:1", px=600_000)

    async def work(_: dict[Any, Any], payload: dict[str, Any]) -> None: ...

    async with worker(valkey.url, "h1", work) as made:
        assert await made.release_own() == 1
    assert await redis.exists(in_progress_key_prefix + "other") == 1


async def test_running_job_keeps_its_lease_for_longer_than_the_lease_lasts(valkey: Valkey, redis: ArqRedis) -> None:
    runs: list[str] = []

    def slow(host: str) -> Work:
        async def work(_: dict[Any, Any], payload: dict[str, Any]) -> None:
            runs.append(host)
            await asyncio.sleep(2.5)

        return work

    await enqueue(redis, RUNNER, "work", Job(), "j")
    async with worker(valkey.url, "h1", slow("h1")), worker(valkey.url, "h2", slow("h2")):
        await until(lambda: bool(runs))
        await asyncio.sleep(2.8)
    assert len(runs) == 1
    assert await redis.zcard(RUNNER.name) == 0


async def test_host_that_lost_its_lease_stops_its_job_and_cannot_finish_it(valkey: Valkey, redis: ArqRedis) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def work(_: dict[Any, Any], payload: dict[str, Any]) -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()

    await enqueue(redis, RUNNER, "work", Job(), "j")
    async with worker(valkey.url, "h1", work):
        async with asyncio.timeout(5):
            await started.wait()
        await redis.set(in_progress_key_prefix + "j", "h2:stolen", px=60_000)
        async with asyncio.timeout(5):
            await stopped.wait()
        await asyncio.sleep(0.2)
    assert await redis.get(in_progress_key_prefix + "j") == b"h2:stolen"
    assert await redis.exists(job_key_prefix + "j") == 1
    assert await redis.zcard(RUNNER.name) == 1


async def test_job_that_kills_its_host_again_and_again_is_given_up_and_told(valkey: Valkey, redis: ArqRedis) -> None:
    async def work(_: dict[Any, Any], payload: dict[str, Any]) -> None:
        raise asyncio.CancelledError  # as if the process went down: the job goes back to the queue

    lost: list[str] = []
    await enqueue(redis, RUNNER, "work", Job(), "j")
    async with worker(valkey.url, "h1", work, lost=lost):
        await until(lambda: bool(lost))
    assert lost == ["j"]
    assert await redis.zcard(RUNNER.name) == 0


async def test_worker_outlives_a_restart_of_redis(valkey: Valkey, redis: ArqRedis) -> None:
    runs = []

    async def work(_: dict[Any, Any], payload: dict[str, Any]) -> None:
        runs.append(payload)

    async with worker(valkey.url, "h1", work) as made:
        await asyncio.to_thread(valkey.stop)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(valkey.start)
        client = connect(valkey.url)
        await enqueue(client, RUNNER, "work", Job(), "j")
        await until(lambda: bool(runs))
        assert made.jobs_complete == 1
        await client.aclose(close_connection_pool=True)


@pytest.mark.parametrize("payload", [b"cos\nsystem\n(S'true'\ntR.", b"\x80\x04]", b"[]", b"{"], ids=["pickle", "pickle4", "list", "cut"])
async def test_payload_that_is_no_job_runs_nothing(valkey: Valkey, redis: ArqRedis, payload: bytes) -> None:
    await redis.set(job_key_prefix + "j", payload)
    await redis.zadd(RUNNER.name, {"j": 1})

    async def work(_: dict[Any, Any], payload: dict[str, Any]) -> None:
        raise AssertionError("a foreign payload was run")

    lost: list[str] = []
    async with worker(valkey.url, "h1", work, lost=lost):
        await until(lambda: bool(lost))
    assert await redis.zcard(RUNNER.name) == 0
