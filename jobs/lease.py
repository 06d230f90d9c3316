"""A worker of a queue: arq's, made fit for hosts that die, hang or lose their network.

arq marks a running job with a key that lives as long as the job may. Here that key is a lease of seconds, renewed
while the job runs and holding a token of its own: a dead host's job is taken over as soon as its lease
ends, and a host that lost its lease stops its job and cannot finish it any more. A doorbell replaces the
waiting for the next poll. Written for arq 0.28; `tests/jobs/test_lease.py` fails if its inside changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import structlog
from arq.connections import ArqRedis
from arq.constants import abort_jobs_ss, in_progress_key_prefix, job_key_prefix, result_key_prefix, retry_key_prefix
from arq.worker import Function, Worker
from box_review.jobs import decode, encode
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs import metrics, traces
from jobs.queue import Queue, connect

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

log = structlog.get_logger()

LONGEST_JOB_S = 25 * 3600.0
MAX_TRIES = 3
READ_LIMIT = 1000  # more than all hosts run at once: running jobs stay in the list that is read
RING_WAIT_S = 30

# Every script begins with the question whether the lease is still ours.
_RENEW = "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end redis.call('pexpire', KEYS[1], ARGV[2]) return 1"
_FINISH = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('del', KEYS[1])
if ARGV[3] == '1' then
  redis.call('del', KEYS[2], KEYS[3])
  redis.call('zrem', KEYS[5], ARGV[2])
  redis.call('zrem', KEYS[6], ARGV[2])
  if ARGV[5] ~= '' then redis.call('set', KEYS[4], ARGV[5], 'px', ARGV[6]) end
elseif ARGV[4] ~= '0' then
  redis.call('zincrby', KEYS[6], ARGV[4], ARGV[2])
end
return 1
"""


@dataclass(frozen=True)
class Terms:
    """How a worker takes jobs.

    Args:
        host_id: who it is; two workers never share one.
        max_jobs: jobs at the same time.
        lease_s: seconds a lease lasts without renewal.
    """

    host_id: str
    max_jobs: int
    lease_s: float


class LeaseWorker(Worker):
    """An arq worker whose jobs are leases.

    Args:
        functions: the jobs it can do.
        queue: where they come from.
        redis: a client by `connect`.
        redis_url: for the doorbell's own connection.
        terms: how it takes them.
        on_lost: called with the id of a job that was started too often and is given up.
    """

    def __init__(
        self,
        functions: Sequence[Function],
        *,
        queue: Queue,
        redis: ArqRedis,
        redis_url: str,
        terms: Terms,
        on_lost: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__(
            [_measured(function) for function in functions],
            queue_name=queue.name,
            redis_pool=redis,
            handle_signals=False,
            max_jobs=terms.max_jobs,
            job_timeout=LONGEST_JOB_S,
            keep_result=0,
            queue_read_limit=READ_LIMIT,
            max_tries=MAX_TRIES,
            health_check_interval=10,
            health_check_key=f"{queue.name}:health:{terms.host_id}",
            allow_abort_jobs=True,
            job_serializer=encode,
            job_deserializer=decode,
            log_results=False,
        )
        self.in_progress_timeout_s = terms.lease_s
        self._queue = queue
        self._lease_s = terms.lease_s
        self._redis_url = redis_url
        self._host_id = terms.host_id
        self._on_lost = on_lost
        self._tokens: dict[str, str] = {}
        self._rung = asyncio.Event()
        self.looked = asyncio.Event()
        """Set once the queue was read."""
        self._away = False

    async def release_own(self) -> int:
        """Give up what an earlier process of this host left running; call only when that process is known to be dead."""
        released = 0
        async for key in self.pool.scan_iter(match=f"{in_progress_key_prefix}*", count=500):
            token = await self.pool.get(key)
            if token is not None and token.decode().startswith(f"{self._host_id}:"):
                released += await self.pool.delete(key)
        return released

    async def main(self) -> None:
        """Work until cancelled."""
        self.ctx["redis"] = self.pool
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                self._rung.clear()
                await self._poll_iteration()
                self.looked.set()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.poll_delay_s):
                        await self._rung.wait()
        finally:
            await end(listener)

    async def stop(self, main: asyncio.Task[None]) -> None:
        """End `main` and all jobs, which go back to the queue."""
        await end(main)
        await asyncio.gather(*(end(task) for task in self.tasks.values()))

    async def _poll_iteration(self) -> None:
        """One look at the queue; an outage of Redis is waited out."""
        try:
            await super()._poll_iteration()
        except (RedisError, OSError) as error:
            if not self._away:
                log.warning("the queue cannot be reached; trying on", error=str(error))
            self._away = True
            await asyncio.sleep(0.5)
        else:
            if self._away:
                log.info("the queue is back")
            self._away = False

    async def run_job(self, job_id: str, score: int) -> None:
        """Run a job under a lease of its own."""
        token = f"{self._host_id}:{secrets.token_hex(8)}"
        self._tokens[job_id] = token
        structlog.contextvars.bind_contextvars(job_id=job_id)  # arq runs each job in a task of its own
        renewal = asyncio.create_task(self._renew(job_id, token))
        try:
            await self.pool.set(in_progress_key_prefix + job_id, token, px=self._lease_ms)
            await super().run_job(job_id, score)
        except (RedisError, OSError) as error:
            log.warning("the queue went away; the job runs again when its lease ends", job_id=job_id, error=str(error))
        finally:
            await end(renewal)
            del self._tokens[job_id]
            self._rung.set()  # a place is free

    async def finish_job(
        self,
        job_id: str,
        finish: bool,
        result_data: bytes | None,
        result_timeout_s: float | None,
        keep_result_forever: bool,
        incr_score: int | None,
        keep_in_progress: float | None,
    ) -> None:
        """Take the job off the queue (`finish`) or give it back, if its lease is still ours."""
        await self._finish(job_id, finish=finish, later_ms=incr_score or 0, result=result_data, keep_s=result_timeout_s or 0)

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        """Take a job off the queue that can never run, and say so."""
        if await self._finish(job_id, finish=True, result=result_data, keep_s=self.keep_result_s or 0):
            metrics.lost_jobs.labels(self.queue_name).inc()
            await self._on_lost(job_id)

    async def _finish(self, job_id: str, *, finish: bool, later_ms: int = 0, result: bytes | None = None, keep_s: float = 0) -> bool:
        names = [prefix + job_id for prefix in (in_progress_key_prefix, retry_key_prefix, job_key_prefix, result_key_prefix)]
        kept = result.decode() if keep_s > 0 and result else ""
        arguments = (self._tokens.get(job_id, ""), job_id, "1" if finish else "0", str(later_ms), kept, str(int(keep_s * 1000)))
        done = await self.pool.eval(_FINISH, 6, *names, abort_jobs_ss, self.queue_name, *arguments)  # type: ignore[misc]
        if not done:
            log.warning("another host has taken the job over; its end counts, not ours", job_id=job_id)
        return bool(done)

    @property
    def _lease_ms(self) -> int:
        return int(self._lease_s * 1000)

    async def _renew(self, job_id: str, token: str) -> None:
        """Keep the lease; when it is gone, or may be soon because Redis does not answer, stop the job."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(self._lease_s / 4)
            try:
                async with asyncio.timeout(self._lease_s / 8):
                    held = await self.pool.eval(_RENEW, 1, in_progress_key_prefix + job_id, token, str(self._lease_ms))  # type: ignore[misc]
            except (RedisError, OSError, TimeoutError):
                if loop.time() - renewed < self._lease_s / 2:
                    continue
                held = 0
            if not held:
                log.warning("the lease is lost; the job stops here", job_id=job_id)
                metrics.lost_leases.labels(self.queue_name).inc()
                if task := self.job_tasks.get(job_id):
                    task.cancel()
                return
            renewed = loop.time()

    async def _listen(self) -> None:
        """Wait for the doorbell on a connection of its own, because a blocked one serves nobody else."""
        bell: Redis = connect(self._redis_url, deadline_s=RING_WAIT_S + 5, connections=1)
        try:
            while True:
                try:
                    if await bell.blpop([self._queue.bell], timeout=RING_WAIT_S):  # type: ignore[misc]
                        self._rung.set()
                except (RedisError, OSError):
                    await asyncio.sleep(1)
        finally:
            await bell.aclose(close_connection_pool=True)


def _measured(function: Function) -> Function:
    """The same job, timed, and in the trace that queued it."""

    async def run(ctx: dict[Any, Any], *arguments: Any) -> Any:
        if ctx["job_try"] == 1:
            metrics.job_wait.labels(function.name).observe(max(0.0, time.time() - ctx["enqueue_time"].timestamp()))
        trace = arguments[0].get(traces.FIELD, "") if arguments and isinstance(arguments[0], dict) else ""
        with metrics.job_seconds.labels(function.name).time(), traces.span(f"job {function.name}", trace, job_id=ctx["job_id"]):
            return await function.coroutine(ctx, *arguments)

    return replace(function, coroutine=cast("WorkerCoroutine", run))


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it has ended: a cancellation that meets the end of a call with a deadline can get lost (Python 3.11)."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1)
    if not task.cancelled():
        task.exception()  # looked at, so that nobody is warned that it never was
