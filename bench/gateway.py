"""The gateway: what it adds to a request, and how fast its tunnels are."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path

from bench.measure import in_turn, tell
from sandbox.gateway.access import BoxAccess, Host
from sandbox.gateway.authority import Authority
from sandbox.gateway.connection import SocketConnection
from sandbox.gateway.gateway import Gateway
from sandbox.gateway.policy import NetworkPolicy
from sandbox.gateway.settings import GatewaySettings

BOX = "bench"
STREAM_BYTES = 256 << 20
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
Handler = Callable[[SocketConnection], Awaitable[None]]


async def run(folder: Path) -> None:
    """Measure with a gateway of its own, on loopback."""
    async with _listening(_answer) as web, _listening(_pour) as source:
        settings = GatewaySettings(frozenset({web, source}), (ip_network("127.0.0.0/8"),))
        async with Gateway(Host(settings, Authority(folder / "gateway"), trust=ssl.create_default_context())) as gateway:
            gateway.attach(BOX, BoxAccess(NetworkPolicy()))
            async with _listening(lambda connection: gateway.serve(BOX, connection)) as proxy:
                await requests(proxy, web)
                await tunnels(proxy, source)


async def requests(proxy: int, web: int) -> None:
    """One small request on a connection of its own, through the gateway and without it."""

    async def through() -> None:
        await _ask(proxy, f"http://127.0.0.1:{web}/", web)

    async def direct() -> None:
        await _ask(web, "/", web)

    ours, bare = await in_turn(through, direct, 200)
    tell(
        "request through the gateway, added", (ours - bare) * 1000, 5, "ms", baseline_ms=round(bare * 1000, 2), ratio=round(ours / bare, 2)
    )


async def tunnels(proxy: int, source: int) -> None:
    """A long answer through CONNECT. The figure is seconds per 200 MB, so that less is better, as everywhere."""

    async def through() -> None:
        connection = await _open(proxy)
        await connection.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (source, source))
        await connection.read()
        await _drink(connection)

    async def direct() -> None:
        await _drink(await _open(source))

    ours, bare = await in_turn(through, direct, 5)
    speed = STREAM_BYTES / 1e6 / ours
    tell("200 MB through a tunnel", 200 / speed, 1, "s", mb_per_s=round(speed), ratio=round(ours / bare, 2))


async def _ask(port: int, target: str, web: int) -> None:
    connection = await _open(port)
    await connection.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{web}\r\nConnection: close\r\n\r\n".encode())
    got = b""
    while data := await connection.read():
        got += data
    connection.abort()
    if not got.endswith(b"hello"):
        raise RuntimeError(f"the wrong answer: {got[:80]!r}")


async def _drink(connection: SocketConnection) -> None:
    size = 0
    await connection.write(b"go")
    while size < STREAM_BYTES:
        data = await connection.read()
        if not data:
            raise RuntimeError(f"the stream ended after {size} bytes")
        size += len(data)
    connection.abort()


async def _answer(connection: SocketConnection) -> None:
    await connection.read()
    await connection.write(ANSWER)
    connection.abort()


async def _pour(connection: SocketConnection) -> None:
    await connection.read()
    piece = b"x" * (1 << 18)
    with contextlib.suppress(ConnectionError):
        for _ in range(STREAM_BYTES // len(piece)):
            await connection.write(piece)
        await connection.read()
    connection.abort()


async def _open(port: int) -> SocketConnection:
    _, connection = await asyncio.get_running_loop().create_connection(SocketConnection, "127.0.0.1", port)
    return connection


class _Accepted(SocketConnection):
    """A connection that a handler serves."""

    def __init__(self, handler: Handler, tasks: set[asyncio.Future[None]]) -> None:
        super().__init__()
        self._handler, self._tasks = handler, tasks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        task = asyncio.ensure_future(self._handler(self))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@contextlib.asynccontextmanager
async def _listening(handler: Handler) -> AsyncIterator[int]:
    tasks: set[asyncio.Future[None]] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Accepted(handler, tasks), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*tasks, return_exceptions=True)
