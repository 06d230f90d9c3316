"""Tasks that end with what started them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_working: set[asyncio.Future[Any]] = set()


async def stop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended; what they raise is dropped, the caller's own cancellation is not."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # so that asyncio does not report it as never retrieved


async def run_together(*tasks: asyncio.Task[None]) -> None:
    """Wait for all; the first that fails ends the others, and its error is raised."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await stop(*tasks)


async def in_slot(slots: asyncio.Semaphore, work: Callable[[], Awaitable[_Result]]) -> _Result:
    """Do work that cannot be stopped, such as a thread's: its slot is free again when the work has ended, not when we stop waiting."""
    await slots.acquire()
    task = asyncio.ensure_future(work())
    _working.add(task)

    def ended(_: asyncio.Future[_Result]) -> None:
        _working.discard(task)
        slots.release()
        if not task.cancelled():
            task.exception()  # so that asyncio does not report it as never retrieved

    task.add_done_callback(ended)
    return await asyncio.shield(task)
