"""One at a time: a lock in Redis that its holder keeps up, and stops working when it cannot.

Who fell silent loses it, and may not know. So what must happen once is asked for (`check`) right before it is done; and whoever was
stopped on the way, or cannot renew it any more, ends before others can begin, by long enough for a call that is under way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

TURN_S = 12.0
"""A turn whose worker fell silent ends after so many seconds."""
TURN_WAIT_S = 3.0
"""Who waits longer comes again later: a pull request in which much is said must not hold up the others."""


class TurnLost(Exception):
    """Another has the turn now."""


class Hold:
    """The turn, while it lasts."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    @property
    def token(self) -> bytes:
        """What stands in Redis while it is ours."""
        token: bytes = self._lock.local.token
        return token

    async def check(self) -> None:
        """Raises TurnLost unless it is still ours."""
        if not await self._lock.owned():
            raise TurnLost(str(self._lock.name))


@contextlib.asynccontextmanager
async def holding(redis: Redis, name: str) -> AsyncIterator[Hold]:
    """Wait for a turn and have it.

    Raises:
        TurnLost: it was not to be had within `TURN_WAIT_S`, or was lost on the way.
    """
    lock = Lock(redis, name, timeout=TURN_S, sleep=0.05, blocking_timeout=TURN_WAIT_S, thread_local=False)
    if not await lock.acquire():
        raise TurnLost(name)
    stopped, ends = True, asyncio.timeout(None)
    try:
        async with ends:
            keeper = asyncio.create_task(_keep(lock, ends))
            try:
                yield Hold(lock)
            except asyncio.CancelledError:
                raise
            except BaseException:
                stopped = False
                raise
            else:
                stopped = False
            finally:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)
    except TimeoutError:
        if ends.expired():
            raise TurnLost(name) from None
        raise
    finally:
        if not stopped:  # else a call may be under way, and the next one begins when the lock ends by itself
            with contextlib.suppress(RedisError, OSError):
                await lock.release()


async def _keep(lock: Lock, ends: asyncio.Timeout) -> None:
    """Renew a turn; its holder stops when that fails."""
    loop = asyncio.get_running_loop()
    renewed = loop.time()
    while True:
        await asyncio.sleep(TURN_S / 4)
        asked = loop.time()
        try:
            async with asyncio.timeout(TURN_S / 4):
                await lock.reacquire()
            renewed = asked
        except LockError:
            break
        except (RedisError, OSError, TimeoutError):
            if loop.time() - renewed >= TURN_S / 2:
                break
    ends.reschedule(loop.time())
