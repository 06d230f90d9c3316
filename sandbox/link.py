"""The host's end of the connection to a box's supervisor.

Frames are described in `sandbox.inbox.wire`. All that comes back is read as untrusted: what does
not fit counts as the death of the box.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sandbox.channel import Channel, Inlet, Outlet
from sandbox.errors import BadRequest, BoxBusy, BoxDead
from sandbox.inbox import wire

MAX_REQUEST_BYTES = 200_000
CONNECT_S = 20.0
ANSWER_S = 10.0
_BACKLOG_BYTES = 1 << 20
_UNREAD_BYTES = 64 << 20  # a box that answers but does not read is not ours any more
_MAX_CONNECTIONS = 256
_MAX_VISITS = 128
_LIMITS = {b"pids": "pids"}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Whom a link tells what: `died` once when the box ends by itself, `connected` of each connection to a service."""

    died: Callable[[], None] = field(default=lambda: None)
    connected: Callable[[str, Channel], None] = field(default=lambda _service, channel: channel.leave())


class SupervisorLink:
    """Sends requests to one supervisor and sorts what it answers. Lives in one event loop."""

    def __init__(self, box_id: str, callbacks: Callbacks, next_id: int = 1) -> None:
        self._box_id, self._callbacks = box_id, callbacks
        self.next_id = next_id
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._channels: dict[int, Channel] = {}
        self._answers: dict[int, asyncio.Future[int]] = {}
        self._connections = 0
        self._outgoing = bytearray()
        self._drained = asyncio.Event()
        self._drained.set()
        self._frames = wire.Frames()
        self._reader = self._writer = -1
        self._held = False
        self._stopped_at: float | None = None
        self._stopped_s = 0.0
        self.going = asyncio.Event()  # clear while the box is frozen
        self.going.set()
        self.next_start: asyncio.Future[None] = self._loop.create_future()
        self.hits: Counter[str] = Counter()  # how often each limit was found hit
        self.dead = False

    def clock(self) -> float:
        """Seconds by a clock that stands still while the box is frozen."""
        now = self._loop.time() if self._stopped_at is None else self._stopped_at
        return now - self._stopped_s

    @property
    def stopped(self) -> bool:
        """True while the box is frozen."""
        return self._stopped_at is not None

    def stop_clock(self) -> None:
        """The box is frozen from here on."""
        self._stopped_at = self._stopped_at or self._loop.time()
        self.going.clear()

    def start_clock(self) -> None:
        """The box goes on."""
        if self._stopped_at is not None:
            self._stopped_s += self._loop.time() - self._stopped_at
            self._stopped_at = None
            self.going.set()

    def attach(self, reader: int, writer: int) -> None:
        """Speak over these descriptors, which are owned from here on (both may be the same)."""
        self._reader, self._writer = reader, writer
        self._frames = wire.Frames()
        self._held = False
        for fd in {reader, writer}:
            os.set_blocking(fd, False)
        self._loop.add_reader(reader, self._receive)
        self._flush()

    async def hold(self) -> None:
        """Let both sides fall silent, so that nothing is under way while the box is saved. What is said waits."""
        await self.ask("hold")
        self._held = True

    def release(self) -> None:
        """Undo `hold`."""
        self._held = False
        self._flush()

    def detach(self) -> None:
        """Let go of the descriptors; what is said waits until `attach`."""
        self._held = True
        self._close_descriptors()

    async def wait_ready(self) -> None:
        """Wait for the supervisor's first word. Raises BoxDead if it ends before, TimeoutError after twenty seconds."""
        async with asyncio.timeout(CONNECT_S):
            await self._ready

    @property
    def active(self) -> int:
        """How many programs have not ended yet, or have left words that somebody may still read."""
        return sum(1 for ident, channel in self._channels.items() if ident < wire.CONNECTIONS and not channel.over)

    @property
    def busy(self) -> bool:
        """True while a program runs for a caller, talks to the gateway or is talked to."""
        return bool(self.active) or bool(self._connections) or any(ident >= wire.VISITS for ident in self._channels)

    def start(self, kind: bytes, words: Sequence[bytes]) -> Channel:
        """Start a program (`x`) or a file operation (`f`). Raises BadRequest, BoxDead."""
        payload = b"\0".join(words)
        if len(payload) > MAX_REQUEST_BYTES:
            raise BadRequest(f"the command line and environment take {len(payload)} bytes; {MAX_REQUEST_BYTES} is the limit")
        channel = self._open(self._take_id())
        self.send(kind, channel.ident, payload)
        started, self.next_start = self.next_start, self._loop.create_future()
        started.set_result(None)
        return channel

    def visit(self, port: int) -> Channel:
        """Open a connection to a port of the box; it is open once `Channel.pid` is not 0. Raises BoxBusy, BoxDead."""
        if sum(1 for ident in self._channels if ident >= wire.VISITS) >= _MAX_VISITS:
            raise BoxBusy(f"box {self._box_id} is talked to over {_MAX_VISITS} connections already")
        channel = self._open(wire.VISITS + self._take_id())
        self.send(b"o", channel.ident, b"%d" % port)
        return channel

    def end_visits(self) -> None:
        """Cut all connections to ports of the box."""
        for channel in [channel for ident, channel in self._channels.items() if ident >= wire.VISITS]:
            self.forget(channel)

    async def ask(self, question: str, patience_s: float = ANSWER_S) -> int:
        """Ask one of `inbox.supervisor.ANSWERS`; returns its number. Raises BoxDead when none comes."""
        ident = self._take_id()
        answer: asyncio.Future[int] = self._loop.create_future()
        self._answers[ident] = answer
        try:
            self.send(b"q", ident, question.encode())
            async with asyncio.timeout(patience_s):
                return await answer
        except TimeoutError as error:
            raise BoxDead(f"box {self._box_id} did not answer `{question}` within {patience_s:.0f} s") from error
        finally:
            self._answers.pop(ident, None)

    def kill_all(self) -> None:
        """Kill every program of the box, without waiting."""
        self.send(b"q", 0, b"killall")

    def send(self, kind: bytes, ident: int, payload: bytes = b"", stream: int = 0) -> None:
        """Send one frame; to a dead box it is lost."""
        if not self.dead:
            self._outgoing += wire.pack(kind, ident, payload, stream)
            self._flush()
            if len(self._outgoing) > _UNREAD_BYTES:
                self._loop.call_soon(self._die)

    async def drained(self) -> None:
        """Wait while the box does not read."""
        await self._drained.wait()

    def forget(self, channel: Channel) -> None:
        """Stop listening to a channel."""
        if self._channels.pop(channel.ident, None) is not None:
            self._connections -= wire.CONNECTIONS <= channel.ident < wire.VISITS
            self.send(b"z", channel.ident)
            channel.end(BoxDead("nobody listens"))

    def close(self) -> None:
        """End the connection, and with it the box; whoever waits gets BoxDead."""
        if self.dead:
            return
        self.dead = True
        self._close_descriptors()
        self._drained.set()
        self.going.set()
        error = BoxDead(f"box {self._box_id} has ended")
        for channel in self._channels.values():
            channel.end(error)
        futures: list[asyncio.Future[Any]] = [self._ready, *self._answers.values()]
        for future in futures:
            if not future.done():
                future.set_exception(error)
                future.exception()  # not every waiter still listens
        self._channels.clear()

    def _take_id(self) -> int:
        if self.dead:
            raise BoxDead(f"box {self._box_id} has ended")
        self.next_id += 1
        return self.next_id - 1

    def _open(self, ident: int) -> Channel:
        channel = Channel(
            self,
            ident,
            Outlet(self, ident),
            Inlet(self, ident, wire.STDOUT),
            Inlet(self, ident, wire.STDERR),
            exited=self._loop.create_future(),
            started=self._loop.create_future(),
        )
        self._channels[ident] = channel
        return channel

    def _close_descriptors(self) -> None:
        if self._reader >= 0:
            self._loop.remove_reader(self._reader)
            self._loop.remove_writer(self._writer)
            for fd in {self._reader, self._writer}:
                os.close(fd)
        self._reader = self._writer = -1

    def _die(self) -> None:
        if not self.dead:
            self.close()
            self._callbacks.died()

    def _flush(self) -> None:
        if self._held or self._writer < 0:
            if self._writer >= 0:
                self._loop.remove_writer(self._writer)
            return
        try:
            while self._outgoing:
                del self._outgoing[: os.write(self._writer, self._outgoing)]
        except BlockingIOError:
            self._loop.add_writer(self._writer, self._flush)
            if len(self._outgoing) > _BACKLOG_BYTES:
                self._drained.clear()
            return
        except OSError:
            self._loop.call_soon(self._die)
            return
        self._loop.remove_writer(self._writer)
        self._drained.set()

    def _receive(self) -> None:
        try:
            data = os.read(self._reader, 1 << 19)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            if not data:
                raise wire.BadFrame("the end")
            for kind, stream, ident, payload in self._frames.feed(data):
                self._dispatch(kind, stream, ident, payload)
        except (ValueError, KeyError, UnicodeDecodeError):
            self._die()

    def _dispatch(self, kind: bytes, stream: int, ident: int, payload: bytes) -> None:
        if kind == b"!":
            _settle(self._ready, None)
        elif kind == b"a":
            _settle(self._answers.get(ident), int(payload))
        elif kind == b"l":
            self.hits[_LIMITS[payload]] += 1
        elif kind == b"n":
            self._connect(ident, payload.decode("ascii"))
        elif (channel := self._channels.get(ident)) is not None:
            self._deliver(channel, kind, stream, payload)

    def _deliver(self, channel: Channel, kind: bytes, stream: int, payload: bytes) -> None:
        if kind == b"d" and stream == wire.STDERR and channel.ident >= wire.CONNECTIONS:
            raise wire.BadFrame("a connection has one stream each way")
        if kind == b"d":
            {wire.STDOUT: channel.output, wire.STDERR: channel.errors}[stream].feed(payload)
        elif kind == b"c":
            channel.input.grant(int(payload))
        elif kind == b"p":
            _settle(channel.started, int(payload))
        elif kind == b"e":
            _settle(channel.exited, int(payload))
        elif kind == b"z":
            self.forget(channel)

    def _connect(self, ident: int, service: str) -> None:
        if not wire.CONNECTIONS <= ident < wire.VISITS or ident in self._channels:
            raise wire.BadFrame("a connection under a wrong id")
        channel = self._open(ident)
        self._connections += 1
        if self._connections > _MAX_CONNECTIONS:
            channel.leave()
        else:
            self._callbacks.connected(service, channel)


def _settle(future: asyncio.Future[_T] | None, value: _T) -> None:
    if future is not None:
        with contextlib.suppress(asyncio.InvalidStateError):
            future.set_result(value)
