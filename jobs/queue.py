"""Queues in Redis: a client for them, and putting jobs there."""

from __future__ import annotations

from arq.connections import ArqRedis
from arq.constants import abort_jobs_ss, job_key_prefix, result_key_prefix
from arq.jobs import serialize_job
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
KEPT_MS = 24 * 3600 * 1000
"""A job that nobody takes is gone after a day, as arq has it."""

# What `enqueue_job` of arq does and the bell, in one step instead of five: a queue on a disk answers each one when it is written down.
_ENQUEUE = """
local made = redis.call('exists', KEYS[1], KEYS[2]) == 0
if made then
  redis.call('psetex', KEYS[1], ARGV[3], ARGV[2])
  redis.call('zadd', KEYS[3], ARGV[4], ARGV[1])
end
redis.call('rpush', KEYS[4], 1)
redis.call('ltrim', KEYS[4], -tonumber(ARGV[5]), -1)
return made and 1 or 0
"""


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
    now = timestamp_ms()
    stored = serialize_job(function, (payload,), {}, None, now, serializer=encode).decode()
    names = [job_key_prefix + job_id, result_key_prefix + job_id, queue.name, queue.bell]
    return bool(await redis.eval(_ENQUEUE, 4, *names, job_id, stored, str(KEPT_MS), str(now), str(RINGS_KEPT)))  # type: ignore[misc]


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
