"""Lessons of repositories in Redis, beside the state of their pull requests:

    box:github:learned:{repo}   Lessons; kept as long as nobody forgets them

Pull requests of a repository are tended by several workers at once. So a change is made of what is there, and kept only if that is
there still; otherwise it is made again. Changes come to the same when made twice, so one whose answer got lost does no harm.
"""

from __future__ import annotations

from collections.abc import Callable

from arq.connections import ArqRedis

from bot.github.errors import Unavailable
from bot.github.lessons import Lessons

MOST_TRIES = 50
_SWAP = """
local now = redis.call('get', KEYS[1]) or ''
if now == ARGV[2] then return 1 end
if now ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[2])
return 1
"""


class LearnedStore:
    """What is remembered of all repositories."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def of(self, repo_id: int) -> Lessons:
        """What is remembered of a repository."""
        raw = await self._redis.get(_key(repo_id))
        return Lessons() if raw is None else Lessons.model_validate_json(raw)

    async def change(self, repo_id: int, changed: Callable[[Lessons], Lessons]) -> Lessons:
        """Make a change, and return what is remembered then. Raises Unavailable where others change it all the time."""
        for _ in range(MOST_TRIES):
            raw: bytes = await self._redis.get(_key(repo_id)) or b""
            before = Lessons.model_validate_json(raw) if raw else Lessons()
            after = changed(before)
            if after == before:
                return before
            if await self._redis.eval(_SWAP, 1, _key(repo_id), raw, after.model_dump_json()):  # type: ignore[misc, arg-type]
                return after
        raise Unavailable("what is learned of the repository is being changed by many at once")


def _key(repo_id: int) -> str:
    return f"box:github:learned:{repo_id}"
