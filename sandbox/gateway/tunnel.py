"""Bytes from one connection to another, untouched, until both have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sandbox.gateway.connection import Connection
from sandbox.gateway.decisions import Decision
from sandbox.gateway.tasks import run_together


class Idle:
    """Ends what it surrounds when nothing has happened for a while; raises TimeoutError then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(seconds)
        self._next = 0.0

    async def __aenter__(self) -> Idle:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._timeout.__aexit__(*exc_info)  # type: ignore[arg-type]

    def touch(self) -> None:
        """Something happened. Cheap: the timer is moved only now and then."""
        now = self._loop.time()
        if now >= self._next:
            self._next = now + self._seconds / 20
            self._timeout.reschedule(now + self._seconds)


async def tunnel(box: Connection, server: Connection, decision: Decision, idle_s: float) -> None:
    """Move bytes both ways; an end is passed on as an end, a break cuts both.

    Args:
        box: towards the box.
        server: towards the outside.
        decision: counts the bytes.
        idle_s: without a byte in either direction before it is cut.

    Raises:
        TimeoutError: it was idle.
        ConnectionError: one side broke.
    """

    def sent(count: int) -> None:
        decision.sent_bytes += count

    def received(count: int) -> None:
        decision.received_bytes += count

    async with Idle(idle_s) as idle:
        out = asyncio.create_task(_pump(box, server, idle, sent))
        await run_together(out, asyncio.create_task(_pump(server, box, idle, received)))


async def _pump(source: Connection, sink: Connection, idle: Idle, count: Callable[[int], None]) -> None:
    while data := await source.read():
        count(len(data))
        idle.touch()
        await sink.write(data)
        idle.touch()
    await sink.close()
