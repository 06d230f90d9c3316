"""The HTTP/1.1 client's side of a connection: one request out, one answer in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import h11

from sandbox.gateway.connection import Connection
from sandbox.gateway.errors import UpstreamFailed
from sandbox.gateway.slices import SLICE, joined


class Upstream:
    """One exchange with a server outside.

    Args:
        connection: to the server; ours from here on, one request long.
        idle_s: how long the server may be silent.
        header_bytes: bound of the answer's head.
    """

    def __init__(self, connection: Connection, idle_s: float, header_bytes: int) -> None:
        self._connection, self._idle_s = connection, idle_s
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=header_bytes)
        self._rest = b""

    async def request(self, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the head. Raises UpstreamFailed."""
        await self._send(h11.Request(method=method, target=target, headers=[*headers, (b"Connection", b"close")]))

    async def send(self, data: bytes) -> None:
        """Send a piece of the body. Raises UpstreamFailed."""
        await self._send(h11.Data(data=data))

    async def end(self) -> None:
        """The request is complete. Raises UpstreamFailed."""
        await self._send(h11.EndOfMessage())

    async def answer(self) -> h11.Response:
        """The head of the answer; interim answers are left out. Raises UpstreamFailed."""
        while True:
            event = await self._event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise UpstreamFailed("the server's answer is not HTTP/1.1 as it should be")

    async def body(self) -> AsyncIterator[bytes]:
        """The answer's body as it comes. Raises UpstreamFailed if it breaks off or pauses for `idle_s`."""
        while isinstance(event := await self._event(), h11.Data):
            data, ended = joined(self._http, event)
            yield data
            if ended:
                return

    def abort(self) -> None:
        """Cut the connection."""
        self._connection.abort()

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                if not self._rest:
                    async with asyncio.timeout(self._idle_s):
                        self._rest = await self._connection.read()
                piece, self._rest = self._rest[:SLICE], self._rest[SLICE:]
                self._http.receive_data(piece)
                await asyncio.sleep(0)
        except TimeoutError as error:
            raise UpstreamFailed(f"the server was silent for {self._idle_s:g} s", 504) from error
        except h11.RemoteProtocolError as error:
            raise UpstreamFailed(
                "the server's answer broke off or is not HTTP/1.1"
            ) from error  # h11 quotes the line, which may hold secrets
        except ConnectionError as error:
            raise UpstreamFailed("the server broke the connection") from error
        return event

    async def _send(self, event: h11.Event) -> None:
        try:
            data = self._http.send(event)
            if data:
                await self._connection.write(data)
        except ConnectionError as error:
            raise UpstreamFailed("the server broke the connection") from error
        except h11.LocalProtocolError as error:
            raise UpstreamFailed("the request is not framed as announced", 400) from error
