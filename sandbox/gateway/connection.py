"""A byte stream with two ends, whatever carries it."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Protocol

from sandbox.channel import Channel

_QUEUE_BYTES = 1 << 18


class Connection(Protocol):
    """What the gateway needs of a connection. One task reads, any may write."""

    async def read(self) -> bytes:
        """What has come, at least one byte; empty at the end. Raises ConnectionError if it broke."""
        ...

    async def write(self, data: bytes) -> None:
        """Send all of it; waits while the other side does not read. Raises ConnectionError if it is gone."""
        ...

    async def close(self) -> None:
        """Say that no more will be written; reading goes on. Raises ConnectionError if it is gone."""
        ...

    def abort(self) -> None:
        """Cut it, both ways, at once."""
        ...


class ChannelConnection:
    """A connection that a program in a box opened, over the box's link."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def read(self) -> bytes:
        """As `Connection.read`."""
        return await self._channel.output.read()

    async def write(self, data: bytes) -> None:
        """As `Connection.write`."""
        if self._channel.input.closed:
            raise ConnectionResetError("the box has closed the connection")
        await self._channel.input.write(data)

    async def close(self) -> None:
        """As `Connection.close`."""
        self._channel.input.close()

    def abort(self) -> None:
        """As `Connection.abort`."""
        self._channel.leave()


class SocketConnection(asyncio.Protocol):
    """A TCP or TLS connection of this process. Thinner than asyncio's streams: what was received is handed on as it is."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def read(self) -> bytes:
        """As `Connection.read`."""
        while not self._pieces and not self._ended:
            self._news.clear()
            await self._news.wait()
        if not self._pieces and self._error is not None:
            raise ConnectionResetError(str(self._error)) from self._error
        data = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if self._size >= _QUEUE_BYTES and not self._ended:
            self._open().resume_reading()
        self._size = 0
        return data

    async def write(self, data: bytes) -> None:
        """As `Connection.write`."""
        transport = self._open()
        if transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        transport.write(data)
        await self._room.wait()

    async def close(self) -> None:
        """As `Connection.close`, and raises ConnectionError if it is gone; TLS knows no half-closed connection, there it does nothing."""
        transport = self._open()
        if transport.can_write_eof() and not transport.is_closing():
            try:
                transport.write_eof()
            except OSError as error:  # the other side was faster
                raise ConnectionResetError("the connection is closed") from error

    def abort(self) -> None:
        """As `Connection.abort`."""
        self._open().abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For asyncio."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_connection gives
        self._transport = transport
        # `write` is to end when the system has it all, so that `abort` loses nothing. asyncio's TLS never resumes at 0.
        transport.set_write_buffer_limits(high=0 if self._is_plain() else 1)

    def data_received(self, data: bytes) -> None:
        """For asyncio."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= _QUEUE_BYTES:
            self._open().pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        """For asyncio; the other direction stays open, which TLS cannot."""
        self._end(None)
        return self._is_plain()

    def connection_lost(self, exc: Exception | None) -> None:
        """For asyncio."""
        self._end(exc)
        self._room.set()

    def pause_writing(self) -> None:
        """For asyncio."""
        self._room.clear()

    def resume_writing(self) -> None:
        """For asyncio."""
        self._room.set()

    def _is_plain(self) -> bool:
        return self._open().get_extra_info("sslcontext") is None

    def _end(self, error: Exception | None) -> None:
        self._ended = True
        self._error = self._error or error
        self._news.set()

    def _open(self) -> asyncio.Transport:
        if self._transport is None:
            raise ConnectionResetError("not connected")
        return self._transport


class Connector(Protocol):
    """Opens connections, as `connect` does."""

    async def __call__(
        self, host: str, port: int, tls: ssl.SSLContext | None = None, server_name: str | None = None
    ) -> SocketConnection: ...


async def connect(host: str, port: int, tls: ssl.SSLContext | None = None, server_name: str | None = None) -> SocketConnection:
    """Open a connection.

    Args:
        host: an address, or a name that the system looks up.
        port: TCP port.
        tls: how to trust the server; None for none.
        server_name: whom the certificate must name; None for `host`.

    Raises:
        OSError: refused, unreachable, or its certificate is not trusted (ssl.SSLError).
    """
    loop = asyncio.get_running_loop()
    name = (server_name or host) if tls is not None else None
    _, connection = await loop.create_connection(SocketConnection, host, port, ssl=tls, server_hostname=name)
    return connection
