"""The host's end of the connection to a box's supervisor.

Messages are described in `sandbox.supervisor`. All that comes back is written by a process of the box
and is read as untrusted: a malformed message counts as the death of the box.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sandbox.errors import BadRequest, BoxDead

MAX_MESSAGE_BYTES = 200_000
CONNECT_S = 10.0
ANSWER_S = 10.0


@dataclass(eq=False)
class _Pending:
    """What the host waits for under one id."""

    exited: asyncio.Future[int]
    terminal: asyncio.Future[int] | None = None
    counts: asyncio.Future[int] | None = field(default=None)


class SupervisorLink:
    """Sends requests to one supervisor and matches its answers to them. Lives in one event loop."""

    def __init__(self, box_id: str, connection: socket.socket, on_death: Callable[[], None]) -> None:
        self._box_id = box_id
        self._socket = connection
        self._on_death = on_death
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[int] = self._loop.create_future()
        self._pending: dict[str, _Pending] = {}
        self._next = 0
        self.dead = False
        connection.setblocking(False)
        self._loop.add_reader(connection.fileno(), self._receive)

    async def wait_ready(self) -> None:
        """Wait for the supervisor's first word. Raises BoxDead if it ends before, TimeoutError after ten seconds."""
        async with asyncio.timeout(CONNECT_S):
            await self._ready

    @property
    def active(self) -> int:
        """How many execs have not ended yet."""
        return sum(1 for entry in self._pending.values() if entry.counts is None)

    def spawn(self, words: Sequence[bytes], fds: Sequence[int], *, tty: bool = False) -> _Exec:
        """Send an `exec` or `file` request: `words` is the message without the id after its verb."""
        entry = _Pending(self._loop.create_future(), self._loop.create_future() if tty else None)
        exec_id = self._register(entry)
        self._send([words[0], exec_id.encode(), *words[1:]], fds, exec_id)
        return _Exec(self, exec_id, entry)

    async def ask(self, verb: str) -> int:
        """Send `stop`, `cont`, `killall` or `ps`; returns the number of processes it concerned."""
        answer: asyncio.Future[int] = self._loop.create_future()
        request_id = self._register(_Pending(self._loop.create_future(), counts=answer))
        try:
            self._send([verb.encode(), request_id.encode()], (), request_id)
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError as error:
            raise BoxDead(f"box {self._box_id} did not answer `{verb}` within {ANSWER_S:.0f} s") from error
        finally:
            self._pending.pop(request_id, None)

    def tell(self, verb: str, exec_id: str, *words: bytes) -> None:
        """Send `kill` or `signal`, which have no answer of their own."""
        self._send([verb.encode(), exec_id.encode(), *words], (), None)

    def close(self) -> None:
        """End the connection, and with it the box; whoever waits gets BoxDead."""
        if self.dead:
            return
        self.dead = True
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        error = BoxDead(f"box {self._box_id} has ended")
        for entry in self._pending.values():
            for future in (entry.exited, entry.terminal, entry.counts):
                if future is not None and not future.done():
                    future.set_exception(error)
                    future.exception()  # not every waiter still listens
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()
        self._pending.clear()

    def _register(self, entry: _Pending) -> str:
        if self.dead:
            raise BoxDead(f"box {self._box_id} has ended")
        self._next += 1
        self._pending[str(self._next)] = entry
        return str(self._next)

    def forget(self, exec_id: str) -> None:
        """Stop waiting for an exec that nobody listens to any more."""
        self._pending.pop(exec_id, None)

    def _send(self, words: Sequence[bytes], fds: Sequence[int], exec_id: str | None) -> None:
        data = b"\0".join(words)
        if len(data) > MAX_MESSAGE_BYTES:
            self._pending.pop(exec_id or "", None)
            raise BadRequest(f"the command line and environment take {len(data)} bytes; {MAX_MESSAGE_BYTES} is the limit")
        try:
            socket.send_fds(self._socket, [data], list(fds))
        except BlockingIOError as error:
            raise BoxDead(f"box {self._box_id} does not read requests") from error
        except OSError as error:
            self._die()
            raise BoxDead(f"box {self._box_id} has ended") from error

    def _die(self) -> None:
        if not self.dead:
            self.close()
            self._on_death()

    def _receive(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, 4096, 1)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data:
            self._die()
            return
        try:
            self._dispatch(data.split(b"\0"), fds)
        except (ValueError, IndexError):
            self._die()
        finally:
            for fd in fds:
                os.close(fd)

    def _dispatch(self, words: list[bytes], fds: list[int]) -> None:
        verb, number = words[0], words[-1]
        if verb == b"ready":
            if not self._ready.done():
                self._ready.set_result(int(number))
            return
        entry = self._pending.get(words[1].decode("ascii"))
        if entry is None:
            return
        if verb == b"exit":
            self._pending.pop(words[1].decode("ascii"), None)
            _settle(entry.exited, int(number))
        elif verb == b"done" and entry.counts is not None:
            _settle(entry.counts, int(number))
        elif verb == b"tty" and entry.terminal is not None and fds:
            _settle(entry.terminal, os.dup(fds[0]))


def _settle(future: asyncio.Future[int], value: int) -> None:
    with contextlib.suppress(asyncio.InvalidStateError):
        future.set_result(value)


@dataclass(frozen=True)
class _Exec:
    """One request that starts a process."""

    link: SupervisorLink
    exec_id: str
    pending: _Pending

    async def exited(self) -> int:
        """Its exit code, negative for a signal."""
        return await asyncio.shield(self.pending.exited)

    async def terminal(self) -> int:
        """The master of its terminal, as a descriptor the caller owns."""
        if self.pending.terminal is None:
            raise BadRequest("this program was started without a terminal")
        async with asyncio.timeout(ANSWER_S):
            return await self.pending.terminal

    def kill(self) -> None:
        """Kill it and what it started; no error if it is gone."""
        with contextlib.suppress(BoxDead):
            self.link.tell("kill", self.exec_id)

    def signal(self, number: int) -> None:
        """Signal its process group."""
        self.link.tell("signal", self.exec_id, str(number).encode())
