"""The HTTP/1.1 server's side of a connection: requests in, answers out, bodies in pieces."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus

import h11

from sandbox.gateway.connection import Connection
from sandbox.gateway.errors import BadHttp
from sandbox.gateway.settings import Limits
from sandbox.gateway.slices import SLICE, joined

_DRAINED_BYTES = 1 << 20
_LINGER_S = 2.0


class Requests:
    """The requests that come over one connection, one after the other.

    Args:
        connection: to the box.
        limits: of heads and waiting.
        first: bytes that have been read from `connection` already.
    """

    def __init__(self, connection: Connection, limits: Limits, first: bytes = b"") -> None:
        self._connection, self._limits = connection, limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.header_bytes)
        self._rest, self._ended = first, False
        self._bodiless = False  # answers to HEAD have no body
        self.started = False
        """Whether an answer to the present request has begun."""

    async def next(self) -> h11.Request | None:
        """The next request; None when the box has ended or must end the connection, or sent nothing for `idle_s`.

        Raises:
            BadHttp: malformed, too long, too slow, or with a body of which two things are said.
        """
        if not await self._ready_for_next():
            return None
        try:
            async with asyncio.timeout(self._limits.header_s):
                event = await self._event()
        except TimeoutError as error:
            raise BadHttp(f"the request's headers took more than {self._limits.header_s:g} s", 408) from error
        if not isinstance(event, h11.Request):
            return None
        self._bodiless = event.method == b"HEAD"
        _check_framing(event, self._limits.header_bytes)
        return event

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body as it comes. Raises BadHttp if it breaks off or pauses for `idle_s`."""
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_s):
                    event = await self._event()
            except TimeoutError as error:
                raise BadHttp(f"no byte of the request's body for {self._limits.idle_s:g} s", 408) from error
            if not isinstance(event, h11.Data):
                return
            data, ended = joined(self._http, event)
            yield data
            if ended:
                return

    async def answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes = b"") -> None:
        """Begin an answer; the framing of its body is our matter where `headers` does not say."""
        self.started = True
        await self._send(h11.Response(status_code=status, headers=list(headers), reason=reason))

    async def send(self, data: bytes) -> None:
        """A piece of the answer's body. Raises BadHttp if it is too much, ConnectionError also if the box reads none for `idle_s`."""
        await self._send(h11.Data(data=data))

    async def end(self) -> None:
        """The answer is complete."""
        await self._send(h11.EndOfMessage())

    async def refuse(self, status: int, text: str, headers: Sequence[tuple[bytes, bytes]] = (), kind: bytes = b"text/plain") -> None:
        """Answer with a short text, if an answer is still possible."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        body = text.encode() + b"\n"
        about = [(b"content-type", kind + b"; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await self.answer(status, [*about, *headers], HTTPStatus(status).phrase.encode())
        if not self._bodiless:
            await self.send(body)
        await self.end()

    async def become_tunnel(self) -> bytes:
        """Accept CONNECT. Returns what came after the request already; HTTP ends here."""
        self.started = True
        if not isinstance(await self._event(), h11.EndOfMessage):
            raise BadHttp("CONNECT has no body")
        await self._send(h11.Response(status_code=200, headers=[], reason=b"Connection established"))
        return self._http.trailing_data[0] + self._rest

    async def finish(self) -> None:
        """End the connection so that the box gets all that was sent: it is cut only when the box closed its side, or after 2 s."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                await self._connection.close()
                while await self._connection.read():
                    pass
        self._connection.abort()

    async def _ready_for_next(self) -> bool:
        if self._http.our_state is h11.DONE and self._http.their_state is h11.SEND_BODY:
            await self._drain()
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self.started = False
        if self._http.our_state is not h11.IDLE:
            return False
        if self._rest or self._http.trailing_data[0]:
            return True
        try:
            async with asyncio.timeout(self._limits.idle_s):
                await self._receive()
        except TimeoutError:
            return False
        return bool(self._rest)

    async def _drain(self) -> None:
        """Read what is left of a body nobody wanted, if it is not much."""
        size = 0
        with contextlib.suppress(BadHttp):
            async for data in self.body():
                size += len(data)
                if size > _DRAINED_BYTES:
                    return

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise BadHttp("not HTTP/1.1 as it should be", error.error_status_hint) from error  # h11 quotes the line
            if event is not h11.NEED_DATA:
                return event
            await self._receive()
            piece, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            self._http.receive_data(piece)
            await asyncio.sleep(0)

    async def _receive(self) -> None:
        if not self._rest and not self._ended:
            self._rest = await self._connection.read()
            self._ended = not self._rest

    async def _send(self, event: h11.Event) -> None:
        try:
            data = self._http.send(event)
        except h11.LocalProtocolError as error:
            raise BadHttp("the answer is not framed as announced", 502) from error
        if not data:
            return
        try:
            async with asyncio.timeout(self._limits.idle_s):
                await self._connection.write(data)
        except TimeoutError as error:
            raise ConnectionAbortedError("the box did not read") from error


def _check_framing(request: h11.Request, limit: int) -> None:
    """What h11 lets pass, but two readers may understand differently."""
    names = [name for name, _ in request.headers]
    if b"transfer-encoding" in names and (b"content-length" in names or request.http_version < b"1.1"):
        raise BadHttp("Content-Length and Transfer-Encoding contradict each other")
    if sum(len(name) + len(value) + 4 for name, value in request.headers) + len(request.target) > limit:
        raise BadHttp(f"the request's headers take more than {limit} bytes", 431)
