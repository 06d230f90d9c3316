"""TLS towards a box, over whatever connection the box has."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import TypeVar

from sandbox.gateway.connection import Connection

_READ_BYTES = 1 << 18
_T = TypeVar("_T")


class TlsConnection:
    """The server's side of TLS.

    Args:
        connection: carries the encrypted bytes.
        context: our certificate.
        first: encrypted bytes that have been read from `connection` already.
    """

    def __init__(self, connection: Connection, context: ssl.SSLContext, first: bytes = b"") -> None:
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._incoming.write(first)
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._sending = asyncio.Lock()

    async def handshake(self) -> None:
        """Agree on keys. Raises ssl.SSLError (the box does not trust us, or does not speak TLS), ConnectionError."""
        await self._fed(self._tls.do_handshake)
        await self._flush()

    async def read(self) -> bytes:
        """As `Connection.read`."""
        try:
            return await self._fed(lambda: self._tls.read(_READ_BYTES))
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as error:
            raise ConnectionResetError(f"TLS broke: {error.reason}") from error

    async def write(self, data: bytes) -> None:
        """As `Connection.write`."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise ConnectionResetError(f"TLS broke: {error.reason}") from error
        await self._flush()

    async def close(self) -> None:
        """As `Connection.close`."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        await self._flush()
        await self._connection.close()

    def abort(self) -> None:
        """As `Connection.abort`."""
        self._connection.abort()

    async def _fed(self, step: Callable[[], _T]) -> _T:
        """Do a step, as often as it takes until enough has come for it."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLError:
                await self._flush()  # the alert that tells the other side why
                raise
            data = await self._connection.read()
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    async def _flush(self) -> None:
        async with self._sending:  # a second writer must not get between the pieces of the first
            if data := self._outgoing.read():
                await self._connection.write(data)
