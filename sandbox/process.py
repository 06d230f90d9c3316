"""Programs in a box as the host sees them: streams, deadlines, caps."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import IO

from sandbox.box import HOME, Command, ExecResult, Process, Session, Stream
from sandbox.channel import Channel, Inlet, Outlet
from sandbox.errors import BadRequest, BoxDead
from sandbox.inbox.wire import CHUNK

DRAIN_S = 0.25  # how long output may still come from a background child after the program itself has ended
KILL_S = 5.0
_STANDARD_ENV = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": HOME,
    "USER": "boxuser",
    "LOGNAME": "boxuser",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
}


def exec_words(command: Command, env: Mapping[str, str]) -> list[bytes]:
    """What the supervisor wants to know of a program to start. Raises BadRequest for what cannot be sent."""
    if not command.argv:
        raise BadRequest("a command needs at least a program")
    args = [arg if isinstance(arg, bytes) else arg.encode("utf-8", "surrogateescape") for arg in command.argv]
    merged = {**_STANDARD_ENV, **env, **command.env}
    if command.tty:
        merged.setdefault("TERM", "xterm-256color")
    pairs = [f"{key}={value}".encode("utf-8", "surrogateescape") for key, value in merged.items()]
    cwd = f"{HOME}/{command.cwd}" if not command.cwd.startswith("/") else command.cwd
    tty = b"%dx%d" % command.tty if command.tty else b""
    words = [tty, cwd.encode("utf-8", "surrogateescape"), b"%d" % len(args), *args, b"%d" % len(pairs), *pairs]
    if any(b"\0" in word for word in words):
        raise BadRequest("an argument, variable or folder holds a NUL byte")
    return words


class BoxSession(Session):
    """Starts a program on entry and kills it on exit."""

    def __init__(self, start: Callable[[], Awaitable[Channel]], *, tty: bool) -> None:
        self._start, self._tty = start, tty
        self._process: BoxProcess | None = None

    async def __aenter__(self) -> BoxProcess:
        self._process = BoxProcess(await self._start(), tty=self._tty)
        return self._process

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None:
            await asyncio.shield(self._process.close())


class BoxProcess(Process):
    """A live program on its channel."""

    def __init__(self, channel: Channel, *, tty: bool) -> None:
        self._channel, self._tty = channel, tty

    async def output(self) -> AsyncIterator[tuple[Stream, bytes]]:
        queue: asyncio.Queue[tuple[Stream, bytes] | None] = asyncio.Queue(maxsize=16)
        inlets: list[tuple[Stream, Inlet]] = [("stdout", self._channel.output)]
        if not self._tty:
            inlets.append(("stderr", self._channel.errors))
        pumps = [asyncio.ensure_future(_pump(name, inlet, queue)) for name, inlet in inlets]
        ending = asyncio.ensure_future(self._after_end(pumps, queue))
        try:
            while (item := await queue.get()) is not None:
                yield item
            for name, inlet in inlets:
                if data := inlet.take():
                    yield name, data
        finally:
            for task in (*pumps, ending):
                task.cancel()

    async def _after_end(self, pumps: Sequence[asyncio.Future[None]], queue: asyncio.Queue[tuple[Stream, bytes] | None]) -> None:
        """Mark the end: both streams are closed, or the program has ended and what it left behind keeps them open."""
        ended = asyncio.ensure_future(self._channel.wait())
        both = asyncio.ensure_future(asyncio.wait(pumps))
        try:
            await asyncio.wait([ended, both], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([both], timeout=DRAIN_S)
        finally:
            for task in (ended, both):
                task.cancel()
        await queue.put(None)

    async def write(self, data: bytes) -> None:
        if self._channel.input.closed:
            raise BadRequest("this program's stdin is closed")
        await self._channel.input.write(data)

    async def close_stdin(self) -> None:
        if self._tty:
            await self.write(b"\x04")
        else:
            self._channel.input.close()

    def resize(self, rows: int, columns: int) -> None:
        if not self._tty:
            raise BadRequest("this program has no terminal")
        if not (0 < rows < 1 << 16 and 0 < columns < 1 << 16):
            raise BadRequest(f"a terminal cannot have {rows} rows and {columns} columns")
        self._channel.resize(rows, columns)

    async def pid(self) -> int:
        return await self._channel.pid()

    async def signal(self, number: int) -> None:
        if not 0 < number <= 64:
            raise BadRequest(f"there is no signal {number}")
        self._channel.signal(number)

    async def kill(self) -> None:
        self._channel.kill()

    async def wait(self) -> int:
        return await self._channel.wait()

    async def close(self) -> None:
        """Kill what still runs."""
        if not self._channel.exited.done():
            self._channel.kill()
            with contextlib.suppress(TimeoutError, BoxDead):
                async with asyncio.timeout(KILL_S):
                    await self._channel.wait()
        self._channel.leave()


async def _pump(name: Stream, inlet: Inlet, queue: asyncio.Queue[tuple[Stream, bytes] | None]) -> None:
    while data := await inlet.read():
        await queue.put((name, data))


class _Collector:
    """Keeps the first bytes of each stream and counts the rest."""

    def __init__(self, cap: int, on_output: Callable[[Stream, bytes], None] | None) -> None:
        self.kept: dict[Stream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self.dropped = 0
        self._cap, self._on_output = cap, on_output

    async def collect(self, name: Stream, inlet: Inlet) -> None:
        """Take a stream to its end."""
        while data := await inlet.read():
            self.add(name, data)

    def add(self, name: Stream, data: bytes) -> None:
        """Take a piece."""
        if data and self._on_output is not None:
            self._on_output(name, data)
        room = max(0, self._cap - len(self.kept[name]))
        self.kept[name] += data[:room]
        self.dropped += max(0, len(data) - room)


async def run_to_end(
    channel: Channel,
    *,
    timeout_s: float,
    stdin: bytes | IO[bytes] | None,
    max_output_bytes: int,
    on_output: Callable[[Stream, bytes], None] | None,
) -> ExecResult:
    """Follow a program to its end; see `Box.exec`."""
    started = time.monotonic()
    collector = _Collector(max_output_bytes, on_output)
    streams = [
        asyncio.ensure_future(collector.collect("stdout", channel.output)),
        asyncio.ensure_future(collector.collect("stderr", channel.errors)),
    ]
    feeding = asyncio.ensure_future(_feed(channel.input, stdin))
    try:
        code, timed_out = await _await_end(channel, timeout_s)
        await asyncio.wait(streams, timeout=DRAIN_S)
        collector.add("stdout", channel.output.take())
        collector.add("stderr", channel.errors.take())
    except asyncio.CancelledError:
        channel.kill()
        raise
    finally:
        for task in (*streams, feeding):
            task.cancel()
        channel.leave()
    return ExecResult(
        exit_code=code if code >= 0 else 128 - code,
        signal=-code if code < 0 else None,
        stdout=bytes(collector.kept["stdout"]),
        stderr=bytes(collector.kept["stderr"]),
        dropped_bytes=collector.dropped,
        timed_out=timed_out,
        limit=None,
        duration_s=time.monotonic() - started,
    )


async def _await_end(channel: Channel, timeout_s: float) -> tuple[int, bool]:
    """Exit code, and whether the deadline had to be enforced; while the box is frozen no time passes."""
    ends = channel.link.clock() + timeout_s
    while (left := ends - channel.link.clock()) > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                return await channel.wait(), False
    channel.kill()
    try:
        async with asyncio.timeout(KILL_S):
            return await channel.wait(), True
    except TimeoutError as error:
        raise BoxDead(f"a program outlived SIGKILL for {KILL_S:.0f} s; the box is taken for dead") from error


async def _feed(outlet: Outlet, stdin: bytes | IO[bytes] | None) -> None:
    """Write all of stdin; a program that does not want it is its own business."""
    if isinstance(stdin, bytes):
        await outlet.write(stdin)
    elif stdin is not None:
        while piece := await asyncio.to_thread(stdin.read, CHUNK):
            await outlet.write(piece)
    outlet.close()
