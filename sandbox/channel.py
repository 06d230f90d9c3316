"""Streams and channels: what belongs together under one id of a link."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from sandbox.errors import BoxDead
from sandbox.inbox import wire


class Sender(Protocol):
    """What a stream needs of its link; see `sandbox.link.SupervisorLink`."""

    def send(self, kind: bytes, ident: int, payload: bytes = b"", stream: int = 0) -> None:
        """Send one frame."""

    async def drained(self) -> None:
        """Wait while the box does not read."""

    def forget(self, channel: Channel) -> None:
        """Stop listening to a channel."""

    def clock(self) -> float:
        """Seconds by a clock that stands still while the box is frozen."""
        ...


class Inlet:
    """One stream out of a box. Bytes wait here until they are read; only then may the box send more."""

    def __init__(self, link: Sender, ident: int, stream: int) -> None:
        self._link, self._ident, self._stream = link, ident, stream
        self._waiting = bytearray()
        self._ended = False
        self._news = asyncio.Event()

    async def read(self) -> bytes:
        """All that has come, at least one byte; empty at the end."""
        while not self._waiting and not self._ended:
            self._news.clear()
            await self._news.wait()
        data = self.take()
        if data:
            self._link.send(b"c", self._ident, b"%d" % len(data), self._stream)
        return data

    def feed(self, data: bytes) -> None:
        """Take a piece from the box; an empty one is the end. Raises BadFrame if it sends more than it may."""
        if len(self._waiting) + len(data) > wire.WINDOW + wire.LAST_WORDS:
            raise wire.BadFrame("more data than there was credit for")
        self._waiting += data
        self._ended = self._ended or not data
        self._news.set()

    @property
    def over(self) -> bool:
        """True if nothing is left to read."""
        return self._ended and not self._waiting

    def take(self) -> bytes:
        """What waits now, without waiting for more."""
        data = bytes(self._waiting)
        self._waiting.clear()
        return data

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._news.set()


class Outlet:
    """One stream into a box."""

    def __init__(self, link: Sender, ident: int) -> None:
        self._link, self._ident = link, ident
        self._credit = wire.WINDOW
        self._room = asyncio.Event()
        self.closed = False

    async def write(self, data: bytes | memoryview) -> None:
        """Send all of it; waits while the other side does not read. What nobody reads any more is lost in silence."""
        view = memoryview(data)
        while view and not self.closed:
            while not self._credit and not self.closed:
                self._room.clear()
                await self._room.wait()
            piece = view[: min(self._credit, wire.CHUNK)]
            self._credit -= len(piece)
            self._link.send(b"d", self._ident, bytes(piece))
            view = view[len(piece) :]
            await self._link.drained()

    def grant(self, count: int) -> None:
        """The other side has read that much. Raises BadFrame if it says it read more than it was sent."""
        if count < 0 or self._credit + count > wire.WINDOW:
            raise wire.BadFrame("credit for what was never sent")
        self._credit += count
        self._room.set()

    def close(self) -> None:
        """Nothing more will be written."""
        if not self.closed:
            self.closed = True
            self._link.send(b"d", self._ident)
        self._room.set()


@dataclass(eq=False)
class Channel:
    """Everything under one id: the streams of a program, or of a connection that leads out of the box (`output`) and into it (`input`)."""

    link: Sender
    ident: int
    input: Outlet
    output: Inlet
    errors: Inlet
    exited: asyncio.Future[int]
    started: asyncio.Future[int]

    @property
    def over(self) -> bool:
        """True if a program has ended and all it wrote has been read."""
        return self.exited.done() and self.output.over and self.errors.over

    async def pid(self) -> int:
        """A program's pid in the box, 0 if it could not be started. Raises BoxDead."""
        await asyncio.wait({self.started, self.exited}, return_when=asyncio.FIRST_COMPLETED)
        if self.started.done():
            return self.started.result()
        self.exited.result()  # a box that died
        return 0

    async def wait(self) -> int:
        """A program's exit code, negative for a signal. Raises BoxDead."""
        return await asyncio.shield(self.exited)

    def kill(self) -> None:
        """Kill a program and what it started; no error if it is gone."""
        self.link.send(b"k", self.ident)

    def signal(self, number: int) -> None:
        """Signal a program's process group."""
        self.link.send(b"s", self.ident, b"%d" % number)

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of a program's terminal."""
        self.link.send(b"w", self.ident, b"%dx%d" % (rows, columns))

    def leave(self) -> None:
        """Nobody listens any more: a connection is cut, a program's output is thrown away."""
        self.link.forget(self)

    def end(self, error: BoxDead) -> None:
        """The box is gone."""
        self.input.closed = True
        self.input.grant(0)  # wakes who waits for room
        self.output.end()
        self.errors.end()
        if not self.exited.done():
            self.exited.set_exception(error)
            self.exited.exception()  # not every waiter still listens
