"""Queues in Redis: a client for them, and putting jobs there."""

from __future__ import annotations

from arq.connections import ArqRedis
from arq.constants import abort_jobs_ss
from arq.utils import timestamp_ms
from box_review.jobs import Queue, decode, encode
from pydantic import BaseModel
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs import traces

__all__ = ["REDIS_DEADLINE_S", "Queue", "abort", "connect", "enqueue", "ring"]

REDIS_DEADLINE_S = 2.0
RINGS_KEPT = 100


def connect(url: str, *, deadline_s: float = REDIS_DEADLINE_S, connections: int = 50) -> ArqRedis:
    """A client of the queues; each call ends within about `deadline_s`, with RedisError or OSError when Redis is away."""
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=10,
        socket_timeout=deadline_s,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),
        # Not RedisError: a WatchError says that another host was faster, and must not be tried again.
        retry_on_error=[RedisConnectionError, RedisTimeoutError, OSError],
        **({} if url.startswith("unix:") else {"socket_connect_timeout": REDIS_DEADLINE_S}),
    )
    return ArqRedis(pool, job_serializer=encode, job_deserializer=decode)


async def enqueue(redis: ArqRedis, queue: Queue, function: str, job: BaseModel, job_id: str) -> bool:
    """Put a job on a queue and wake a worker; False if it is there already."""
    payload = job.model_dump(mode="json")
    if trace := traces.current():
        payload[traces.FIELD] = trace
    made = await redis.enqueue_job(function, payload, _job_id=job_id, _queue_name=queue.name)
    await ring(redis, queue)
    return made is not None


async def abort(redis: ArqRedis, queue: Queue, job_ids: list[str]) -> None:
    """Stop jobs wherever they run, within half a second."""
    await redis.zadd(abort_jobs_ss, dict.fromkeys(job_ids, timestamp_ms()))
    await ring(redis, queue)


async def ring(redis: ArqRedis, queue: Queue) -> None:
    """Wake a worker."""
    async with redis.pipeline() as pipe:
        pipe.rpush(queue.bell, 1)
        pipe.ltrim(queue.bell, -RINGS_KEPT, -1)
        await pipe.execute()
