"""What a tunnel may begin with: TLS to the very host that CONNECT named."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.gateway.connection import Connection
from sandbox.gateway.errors import Refused
from sandbox.gateway.hello import HANDSHAKE, Hello, NotHello, read_hello
from sandbox.gateway.second_hello import SecondHello


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first bytes of a tunnel.

    Attributes:
        data: all that was read; empty if the box ended at once.
        hello: None if it is not TLS.
    """

    data: bytes
    hello: Hello | None


async def read_beginning(connection: Connection, first: bytes, host: str, only_tls: bool) -> Beginning:
    """Read until it is clear whom the box talks to.

    Args:
        connection: the tunnel's side in the box.
        first: what was read of it already.
        host: whom CONNECT named.
        only_tls: refuse everything else.

    Raises:
        Refused: TLS to another host, a ClientHello that cannot be read, or no TLS where there must be.
    """
    data = first or await connection.read()
    while data[:1] == bytes((HANDSHAKE,)):
        try:
            hello = read_hello(data)
        except NotHello as error:
            raise Refused(host, f"unreadable ClientHello ({error})") from error
        if hello is not None:
            if hello.server_name not in (None, host):
                raise Refused(host, f"SNI names another host, {hello.server_name}")
            return Beginning(data, hello)
        more = await connection.read()
        if not more:
            raise Refused(host, "unreadable ClientHello (it ends early)")
        data += more
    if data and only_tls:
        raise Refused(host, "not TLS")
    return Beginning(data, None)


class Gate:
    """The box's side of a tunnel that gives nothing before its beginning is in order.

    Args:
        connection: towards the box.
        first: what was read of it already.
        host: whom CONNECT named.
        only_tls: refuse everything else.
    """

    def __init__(self, connection: Connection, first: bytes, host: str, only_tls: bool) -> None:
        self._connection, self._first, self._host, self._only_tls = connection, first, host, only_tls
        self._passed = False
        self._later: SecondHello | None = None

    async def read(self) -> bytes:
        """As `Connection.read`. Raises Refused."""
        if not self._passed:
            beginning = await read_beginning(self._connection, self._first, self._host, self._only_tls)
            self._passed = True
            if beginning.hello is None:
                return beginning.data
            self._later = SecondHello(self._host)
            return self._later.feed(beginning.data) or await self.read()
        while self._later is not None:
            data = await self._connection.read()
            if not data:
                return self._later.rest()
            if passed := self._later.feed(data):
                return passed
        return await self._connection.read()

    async def write(self, data: bytes) -> None:
        """As `Connection.write`."""
        await self._connection.write(data)

    async def close(self) -> None:
        """As `Connection.close`."""
        await self._connection.close()

    def abort(self) -> None:
        """As `Connection.abort`."""
        self._connection.abort()
