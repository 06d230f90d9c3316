"""The index of reviews: which a tenant has asked for, newest first, and of which repositories.

It holds ids alone and is written together with the review; what is older than reviews are kept drops out.
"""

from __future__ import annotations

import time

from arq.connections import ArqRedis
from box_review.jobs import KEEP_S, repositories_key, reviews_key
from redis.asyncio.client import Pipeline

MAX_REPOSITORIES = 500


def note(pipe: Pipeline, tenant: str, repository: str, review_id: str, created_at: float) -> None:
    """Add a review to its tenant's index, in a transaction of the caller's."""
    for key, member in (
        (reviews_key(tenant), review_id),
        (reviews_key(tenant, repository), review_id),
        (repositories_key(tenant), repository),
    ):
        pipe.zadd(key, {member: created_at})
        pipe.zremrangebyscore(key, "-inf", created_at - KEEP_S)
        pipe.expire(key, KEEP_S)


async def review_ids(redis: ArqRedis, tenant: str, repository: str, before: str, count: int) -> list[str]:
    """Ids of a tenant's reviews, newest first, from the one that follows `before` on; an empty `before` begins with the newest.

    Args:
        repository: only those of this one; empty for all.
    """
    key, first = reviews_key(tenant, repository), 0
    if before:
        at = await redis.zrevrank(key, before)
        if at is None:
            return []  # it dropped out, and so did all that are older
        first = at + 1
    return [found.decode() for found in await redis.zrevrange(key, first, first + count - 1)]


async def repositories(redis: ArqRedis, tenant: str) -> list[str]:
    """Names of the repositories that a tenant had reviewed, the last one first."""
    found = await redis.zrevrangebyscore(repositories_key(tenant), "+inf", time.time() - KEEP_S, start=0, num=MAX_REPOSITORIES)
    return [name.decode("utf-8", "replace") for name in found]
