"""Limits that no control group enforces: looked at from outside as long as programs run, enforced by ending them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from sandbox.errors import BoxDead, SandboxError
from sandbox.link import SupervisorLink

log = structlog.get_logger()

_DISK_S = 1.0
_MEMORY_S = 0.05  # a program takes a gigabyte in less than a second
_BACKGROUND_S = 1.0  # between looks while nobody waits for what runs
_SHARE = 20  # reading all of a disk may take at most one part in twenty of the time


class Watch:
    """Looks at one box from the start of its processes to their end. What it finds it adds to the link's `hits`."""

    def __init__(self, link: SupervisorLink) -> None:
        self._link = link
        self._tasks: list[asyncio.Task[None]] = []

    def disk(self, written: Callable[[], Awaitable[int]], limit_bytes: int) -> None:
        """End all programs that go on writing once `written` tells more bytes than the limit; such as only read or remove may."""
        before = 0

        async def look() -> None:
            nonlocal before
            used = await written()
            if used > max(limit_bytes, before):
                self._link.hits["disk"] += 1
                self._link.kill_all()
            before = used

        self._repeat(look, _DISK_S, _SHARE)

    def memory(self, limit_bytes: int) -> None:
        """End the largest program while all together hold more than the limit."""

        async def look() -> None:
            if await self._link.ask("memory") > limit_bytes:
                self._link.hits["memory"] += 1
                await self._link.ask("kill largest")

        self._repeat(look, _MEMORY_S)

    def pids(self, limit: int) -> None:
        """End all programs when there are more than the limit."""

        async def look() -> None:
            if await self._link.ask("ps") > limit:
                self._link.hits["pids"] += 1
                self._link.kill_all()

        self._repeat(look, _MEMORY_S)

    def stop(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()

    def _repeat(self, look: Callable[[], Awaitable[None]], interval_s: float, share: int = 0) -> None:
        self._tasks.append(asyncio.ensure_future(self._look(look, interval_s, share)))

    async def _look(self, look: Callable[[], Awaitable[None]], interval_s: float, share: int) -> None:
        took = 0.0
        while not self._link.dead:
            try:
                await self._programs()
                await asyncio.sleep(max(interval_s if self._link.active else _BACKGROUND_S, share * took))
                started = time.monotonic()
                if not self._link.stopped:
                    await look()
                took = time.monotonic() - started
            except BoxDead:  # also said by a box that was frozen just now
                await asyncio.sleep(_BACKGROUND_S)
            except (SandboxError, OSError) as error:
                log.warning("a limit could not be looked at; it is tried again", error=str(error))
                await asyncio.sleep(_BACKGROUND_S)

    async def _programs(self) -> None:
        """Wait while the box is frozen or has no processes: nothing starts in it unless the host starts it."""
        await self._link.going.wait()
        start = self._link.next_start
        if not self._link.active and not await self._link.ask("ps"):
            await asyncio.shield(start)


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
