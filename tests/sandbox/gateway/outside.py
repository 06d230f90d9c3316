"""An internet of our own: real servers on loopback, reached under public names and addresses."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import h11

from sandbox.gateway.connection import SocketConnection, connect

ADDRESS = "93.184.215.14"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """A request as a server got it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The only one of that name; None if there is none."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1
        return found[0] if found else None


@dataclass
class Reply:
    """What a server answers.

    Attributes:
        chunks: sent one by one, so that they arrive cut where the test wants it.
        ending: `end` properly, `cut` the connection, or `stall`; `nothing` cuts before the first byte.
    """

    status: int = 200
    chunks: Sequence[bytes] = (b"hello",)
    headers: Sequence[tuple[str, str]] = ()
    ending: str = "end"


@dataclass
class Site:
    """An HTTP/1.1 server: answers with `replies` in turn, the last one again and again."""

    replies: list[Reply] = field(default_factory=lambda: [Reply()])
    seen: list[Seen] = field(default_factory=list)
    port: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the head of a request has come."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        http = h11.Connection(h11.SERVER)
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                headers = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
                self.asked.set()
                self.seen.append(Seen(event.method.decode(), event.target.decode(), headers))
            elif isinstance(event, h11.Data):
                self.seen[-1].body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                await self._reply(http, writer)
                return
            else:
                return

    async def _reply(self, http: h11.Connection, writer: asyncio.StreamWriter) -> None:
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply.ending == "nothing":
            return
        writer.write(http.send(h11.Response(status_code=reply.status, headers=[*reply.headers, ("connection", "close")])) or b"")
        for chunk in reply.chunks:
            writer.write(http.send(h11.Data(data=chunk)) or b"")
            await writer.drain()
            await asyncio.sleep(0)
        if reply.ending == "stall":
            await asyncio.sleep(60)
        if reply.ending == "end":
            writer.write(http.send(h11.EndOfMessage()) or b"")
            await writer.drain()


@contextlib.asynccontextmanager
async def listening(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on loopback; gives its port, and ends all its connections at the end."""
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, h11.RemoteProtocolError, ssl.SSLError):
                await handler(reader, writer)
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.get_running_loop().create_task(guarded(reader, writer)))
        writers.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # transports close one turn of the loop later


@dataclass
class Outside:
    """Names, addresses and what listens there.

    Attributes:
        names: addresses by name; what is not in here does not exist.
        ports: the loopback port behind an address and port; what is not in here refuses connections.
        looked_up: names in the order in which they were asked for.
        connected: addresses in the order in which connections were made.
    """

    names: dict[str, list[str]] = field(default_factory=lambda: {"allowed.test": [ADDRESS]})
    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)

    async def resolve(self, host: str) -> Sequence[str]:
        """As `sandbox.gateway.resolve.Resolver`."""
        self.looked_up.append(host)
        if host not in self.names:
            raise OSError(f"no such name: {host}")
        return self.names[host]

    async def connect(self, host: str, port: int, tls: ssl.SSLContext | None = None, server_name: str | None = None) -> SocketConnection:
        """As `sandbox.gateway.connection.connect`."""
        self.connected.append((host, port))
        if (host, port) not in self.ports:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port}")
        return await connect("127.0.0.1", self.ports[host, port], tls, server_name)
