"""Where requests wait for the desk: changes one after the other, questions beside them, and neither where the rest of the server works."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from bot.knowledge.desk import Desk

READERS = 2
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Front:
    """The desk, for a server that must not wait itself. Arguments are those of `Desk`."""

    def __init__(self, folder: Path, *, needed: int, shares: bool) -> None:
        self.desk = Desk(folder, needed=needed, shares=shares)
        self._writer = ThreadPoolExecutor(1, "knowledge-write")
        self._readers = ThreadPoolExecutor(READERS, "knowledge-read")

    async def change(self, work: Callable[_P, _T], *given: _P.args, **named: _P.kwargs) -> _T:
        """What a method of the desk returns that changes something. A caller that goes away stops nothing."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, functools.partial(work, *given, **named))

    async def look(self, work: Callable[_P, _T], *given: _P.args, **named: _P.kwargs) -> _T:
        """What a method of the desk returns that changes nothing."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, functools.partial(work, *given, **named))

    async def close(self) -> None:
        """End what is begun, drop what waits."""
        for threads in (self._readers, self._writer):
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)
        self.desk.store.close()
