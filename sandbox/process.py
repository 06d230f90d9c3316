"""Programs in a box as the host sees them: streams, deadlines, caps.

The pipes go straight from the program to the host; the supervisor never touches the data.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
import time
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import IO

from sandbox.box import HOME, Command, ExecResult, Process, Session, Stream
from sandbox.errors import BadRequest, BoxDead
from sandbox.link import SupervisorLink, _Exec

CHUNK = 1 << 16
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
    """The supervisor's `exec` message for a command. Raises BadRequest for what cannot be sent."""
    if not command.argv:
        raise BadRequest("a command needs at least a program")
    args = [arg if isinstance(arg, bytes) else arg.encode("utf-8", "surrogateescape") for arg in command.argv]
    merged = {**_STANDARD_ENV, **env, **command.env}
    if command.tty:
        merged.setdefault("TERM", "xterm-256color")
    pairs = [f"{key}={value}".encode("utf-8", "surrogateescape") for key, value in merged.items()]
    cwd = f"{HOME}/{command.cwd}" if not command.cwd.startswith("/") else command.cwd
    tty = b"%dx%d" % command.tty if command.tty else b""
    words = [b"exec", tty, cwd.encode("utf-8", "surrogateescape"), b"%d" % len(args), *args, b"%d" % len(pairs), *pairs]
    if any(b"\0" in word for word in words):
        raise BadRequest("an argument, variable or folder holds a NUL byte")
    return words


class BoxSession(Session):
    """Starts a program on entry and kills it on exit."""

    def __init__(self, link: SupervisorLink, words: list[bytes], *, tty: bool) -> None:
        self._link, self._words, self._tty = link, words, tty
        self._process: BoxProcess | None = None

    async def __aenter__(self) -> BoxProcess:
        self._process = await (_start_on_terminal if self._tty else _start_on_pipes)(self._link, self._words)
        return self._process

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None:
            await asyncio.shield(self._process.close())


class BoxProcess(Process):
    """A live program: its readers by stream name and the descriptor to write to."""

    def __init__(self, running: _Exec, readers: dict[Stream, asyncio.StreamReader], writer: asyncio.StreamWriter | None) -> None:
        self._exec = running
        self._readers = readers
        self._writer = writer
        self._transports: list[asyncio.BaseTransport] = []
        self._terminal: int | None = None

    async def output(self) -> AsyncIterator[tuple[Stream, bytes]]:
        queue: asyncio.Queue[tuple[Stream, bytes] | None] = asyncio.Queue(maxsize=16)
        pumps = [asyncio.ensure_future(self._pump(name, reader, queue)) for name, reader in self._readers.items()]
        try:
            left = len(pumps)
            while left:
                item = await queue.get()
                if item is None:
                    left -= 1
                else:
                    yield item
        finally:
            for pump in pumps:
                pump.cancel()

    async def _pump(self, name: Stream, reader: asyncio.StreamReader, queue: asyncio.Queue[tuple[Stream, bytes] | None]) -> None:
        with contextlib.suppress(OSError):  # a terminal whose last process ended reads EIO
            while data := await reader.read(CHUNK):
                await queue.put((name, data))
        await queue.put(None)

    async def write(self, data: bytes) -> None:
        if self._writer is None:
            raise BadRequest("this program's stdin is closed")
        self._writer.write(data)
        with contextlib.suppress(ConnectionError):  # it ended or closed its stdin: its own business
            await self._writer.drain()

    async def close_stdin(self) -> None:
        if self._terminal is not None:
            await self.write(b"\x04")
        elif self._writer is not None:
            self._writer.close()
            self._writer = None

    def resize(self, rows: int, columns: int) -> None:
        if self._terminal is None:
            raise BadRequest("this program has no terminal")
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def signal(self, number: int) -> None:
        self._exec.signal(number)

    async def kill(self) -> None:
        self._exec.kill()

    async def wait(self) -> int:
        return await self._exec.exited()

    async def close(self) -> None:
        """Kill what still runs and close the streams."""
        if not self._exec.pending.exited.done():
            self._exec.kill()
            with contextlib.suppress(TimeoutError, BoxDead):
                async with asyncio.timeout(KILL_S):
                    await self._exec.exited()
        for transport in self._transports:
            transport.close()
        self._exec.link.forget(self._exec.exec_id)

    async def read_with(self, fd: int, name: Stream) -> None:
        """Read a stream from the descriptor, which is owned from here on."""
        reader = asyncio.StreamReader()
        transport = await connect_reader(fd, reader)
        self._readers[name] = reader
        self._transports.append(transport)

    async def write_with(self, fd: int) -> None:
        """Write stdin to the descriptor, which is owned from here on."""
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(fd, "wb", buffering=0)
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
        self._writer = asyncio.StreamWriter(transport, protocol, None, loop)
        self._transports.append(transport)


async def connect_reader(fd: int, reader: asyncio.StreamReader) -> asyncio.BaseTransport:
    """Feed a reader from a pipe or terminal."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0))
    return transport


async def _start_on_pipes(link: SupervisorLink, words: list[bytes]) -> BoxProcess:
    (in_r, in_w), (out_r, out_w), (err_r, err_w) = (os.pipe2(os.O_CLOEXEC) for _ in range(3))
    try:
        running = link.spawn(words, (in_r, out_w, err_w))
    except BaseException:
        for fd in (in_w, out_r, err_r):
            os.close(fd)
        raise
    finally:
        for fd in (in_r, out_w, err_w):
            os.close(fd)
    process = BoxProcess(running, {}, None)
    await process.write_with(in_w)
    await process.read_with(out_r, "stdout")
    await process.read_with(err_r, "stderr")
    return process


async def _start_on_terminal(link: SupervisorLink, words: list[bytes]) -> BoxProcess:
    running = link.spawn(words, (), tty=True)
    master = await running.terminal()
    process = BoxProcess(running, {}, None)
    process._terminal = master
    await process.write_with(os.dup(master))
    await process.read_with(master, "stdout")
    return process


class _Collector:
    """Keeps the first bytes of each stream and counts the rest."""

    def __init__(self, cap: int, on_output: Callable[[Stream, bytes], None] | None) -> None:
        self.kept: dict[Stream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self.dropped = 0
        self._cap, self._on_output = cap, on_output

    def add(self, name: Stream, data: bytes) -> None:
        """Take one piece."""
        if self._on_output is not None:
            self._on_output(name, data)
        room = max(0, self._cap - len(self.kept[name]))
        self.kept[name] += data[:room]
        self.dropped += max(0, len(data) - room)


async def run_to_end(
    link: SupervisorLink,
    words: list[bytes],
    *,
    timeout_s: float,
    stdin: bytes | IO[bytes] | None,
    max_output_bytes: int,
    on_output: Callable[[Stream, bytes], None] | None,
) -> ExecResult:
    """Run one request of the supervisor to its end; see `Box.exec`."""
    started = time.monotonic()
    collector = _Collector(max_output_bytes, on_output)
    (out_r, out_w), (err_r, err_w) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    in_fd, feed = _open_stdin(stdin)
    try:
        running = link.spawn(words, (in_fd, out_w, err_w))
    except BaseException:
        for fd in (out_r, err_r, *([] if feed is None else [feed[0]])):
            os.close(fd)
        raise
    finally:
        for fd in (out_w, err_w, *([] if stdin is not None and not isinstance(stdin, bytes) else [in_fd])):
            os.close(fd)
    tasks = [asyncio.ensure_future(_collect(out_r, "stdout", collector)), asyncio.ensure_future(_collect(err_r, "stderr", collector))]
    if feed is not None:
        tasks.append(asyncio.ensure_future(_feed(*feed)))
    try:
        code, timed_out = await _await_end(running, timeout_s)
        await asyncio.wait(tasks[:2], timeout=DRAIN_S)
    except asyncio.CancelledError:
        running.kill()
        raise
    finally:
        for task in tasks:
            task.cancel()
        link.forget(running.exec_id)
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


async def _await_end(running: _Exec, timeout_s: float) -> tuple[int, bool]:
    """Exit code, and whether the deadline had to be enforced."""
    try:
        async with asyncio.timeout(timeout_s):
            return await running.exited(), False
    except TimeoutError:
        running.kill()
    try:
        async with asyncio.timeout(KILL_S):
            return await running.exited(), True
    except TimeoutError as error:
        raise BoxDead(f"a program outlived SIGKILL for {KILL_S:.0f} s; the box is taken for dead") from error


def _open_stdin(stdin: bytes | IO[bytes] | None) -> tuple[int, tuple[int, bytes] | None]:
    """The descriptor the program reads, and what is still to be fed into it (descriptor, bytes)."""
    if stdin is not None and not isinstance(stdin, bytes):
        return stdin.fileno(), None
    if not stdin:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), None
    reader, writer = os.pipe2(os.O_CLOEXEC)
    if len(stdin) <= CHUNK:  # fits into the pipe
        os.write(writer, stdin)
        os.close(writer)
        return reader, None
    return reader, (writer, stdin)


async def _feed(fd: int, data: bytes) -> None:
    """Write all of stdin; a program that does not want it is its own business."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(fd, "wb", buffering=0))
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    try:
        view = memoryview(data)
        for start in range(0, len(view), CHUNK):
            writer.write(view[start : start + CHUNK])
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        transport.close()


async def _collect(fd: int, name: Stream, collector: _Collector) -> None:
    """Read one stream to its end."""
    reader = asyncio.StreamReader()
    transport = await connect_reader(fd, reader)
    try:
        while data := await reader.read(CHUNK):
            collector.add(name, data)
    finally:
        transport.close()
