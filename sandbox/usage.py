"""How much a box has written: measured while something runs, enforced by ending it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from sandbox.errors import BoxDead
from sandbox.limits import Hits
from sandbox.link import SupervisorLink

INTERVAL_S = 1.0
_WATCH_INTERVAL_S = 0.05
_SHARE = 20  # looking may take at most one part in twenty of the time


class DiskWatch:
    """Looks at a box's upper layer every second or so while commands run in it."""

    def __init__(self, used: Callable[[], Awaitable[int]], limit_bytes: int) -> None:
        """`used` tells how many bytes the box has written."""
        self._used, self._limit = used, limit_bytes

    @contextlib.contextmanager
    def watching(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call `stop` once if the limit is passed before the context ends."""
        task = asyncio.ensure_future(self._look(stop))
        try:
            yield
        finally:
            task.cancel()

    async def _look(self, stop: Callable[[], None]) -> None:
        pause = INTERVAL_S
        while True:
            await asyncio.sleep(pause)
            started = time.monotonic()
            used = await self._used()
            pause = max(INTERVAL_S, _SHARE * (time.monotonic() - started))
            if used > self._limit:
                stop()
                return


def bytes_below(folder: Path) -> int:
    """Bytes on disk of a tree, without following links; what vanishes meanwhile or cannot be read counts nothing."""
    total, pending = 0, [os.fspath(folder)]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                info = entry.stat(follow_symlinks=False)
                total += info.st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
    return total


class Watch:
    """Asks a box with a kernel of its own many times a second what it holds, while commands run in it."""

    def __init__(self, link: SupervisorLink, memory_bytes: int, pids: int | None = None) -> None:
        """`pids` is None where the box's kernel bounds processes itself."""
        self._link, self._memory, self._pids = link, memory_bytes, pids

    @contextlib.contextmanager
    def watching(self, hits: Hits) -> Iterator[None]:
        """Enforce the limits until the context ends."""
        task = asyncio.ensure_future(self._look(hits))
        try:
            yield
        finally:
            task.cancel()

    async def _look(self, hits: Hits) -> None:
        while not self._link.dead:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            if not self._link.stopped:
                with contextlib.suppress(BoxDead):  # also said by a box that was frozen just now
                    await self._enforce(hits)

    async def _enforce(self, hits: Hits) -> None:
        if await self._link.ask("memory") > self._memory:
            hits.note("memory")
            await self._link.ask("kill largest")
        if self._pids is not None and await self._link.ask("ps") > self._pids:
            hits.note("pids")
            await self._link.ask("killall")
