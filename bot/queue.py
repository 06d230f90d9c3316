"""The bot's end of the queue: it puts jobs there and never takes one."""

from __future__ import annotations

from arq.connections import ArqRedis
from arq.constants import abort_jobs_ss
from arq.utils import timestamp_ms
from box_review.jobs import BELL, QUEUE, decode, encode
from pydantic import BaseModel
from redis.asyncio import BlockingConnectionPool

REDIS_DEADLINE_S = 2.0
STREAM_WAIT_S = 15.0


def connect(url: str) -> ArqRedis:
    """A client whose calls end within seconds; waiting for events may take `STREAM_WAIT_S`."""
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url, max_connections=200, timeout=REDIS_DEADLINE_S, socket_timeout=STREAM_WAIT_S + REDIS_DEADLINE_S
    )
    return ArqRedis(pool, job_serializer=encode, job_deserializer=decode, default_queue_name=QUEUE)


async def submit(redis: ArqRedis, function: str, job: BaseModel, job_id: str) -> None:
    """Put a job on the queue, unless it is there, and wake a runner."""
    await redis.enqueue_job(function, job.model_dump(mode="json"), _job_id=job_id)
    await ring(redis)


async def abort(redis: ArqRedis, job_ids: list[str]) -> None:
    """Stop jobs wherever they run, within half a second."""
    await redis.zadd(abort_jobs_ss, dict.fromkeys(job_ids, timestamp_ms()))
    await ring(redis)


async def ring(redis: ArqRedis) -> None:
    """Wake a runner."""
    async with redis.pipeline() as pipe:
        pipe.rpush(BELL, 1)
        pipe.ltrim(BELL, -100, -1)
        await pipe.execute()
