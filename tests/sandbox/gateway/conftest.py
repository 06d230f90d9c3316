"""A gateway between a box, played by clients on loopback, and an internet of our own."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.gateway.access import BoxAccess, Host
from sandbox.gateway.authority import Authority, trust_env
from sandbox.gateway.connection import SocketConnection
from sandbox.gateway.gateway import Gateway
from sandbox.gateway.policy import NetworkPolicy
from sandbox.gateway.provider import ModelSettings
from sandbox.gateway.settings import GatewaySettings
from tests.sandbox.gateway.outside import ADDRESS, Outside, Site, listening

BOX = "box-1"


class _Accepted(SocketConnection):
    """A connection of the box, handed to the gateway as soon as it is there."""

    def __init__(self, gateway: Gateway, tasks: set[asyncio.Task[None]]) -> None:
        super().__init__()
        self._gateway, self._tasks = gateway, tasks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        task = asyncio.get_running_loop().create_task(self._gateway.serve(BOX, self))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@dataclass
class Net:
    """All there is.

    Attributes:
        gateway: serves `BOX`.
        port: of the gateway, as the box sees it.
        outside: the internet.
        http: the server at `http://allowed.test`.
        https: the server at `https://allowed.test`.
        bundle: certificates the box trusts.
    """

    gateway: Gateway
    port: int
    outside: Outside
    http: Site
    https: Site
    bundle: Path

    async def say(self, data: bytes) -> bytes:
        """Send bytes to the gateway; all it answers until it ends the connection."""
        async with self.client() as (reader, writer):
            writer.write(data)
            writer.write_eof()
            return await reader.read()

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection from the box to the gateway."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    @contextlib.asynccontextmanager
    async def tunnel(self, authority: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """An accepted CONNECT."""
        async with self.client() as (reader, writer):
            writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            yield reader, writer

    async def curl(self, *words: str) -> tuple[int, str, str]:
        """Exit code, output and complaints of a real curl with the environment of a box."""
        proxy = f"http://127.0.0.1:{self.port}"
        env = {"PATH": "/usr/bin:/bin", "http_proxy": proxy, "https_proxy": proxy, **trust_env(self.bundle)}
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "--max-time", "20", *words, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()


@dataclass
class Setup:
    """What a test wants different."""

    access: BoxAccess = field(default_factory=lambda: BoxAccess(NetworkPolicy()))
    settings: GatewaySettings = field(default_factory=GatewaySettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    outside: Outside = field(default_factory=Outside)


OpenNet = Callable[..., AbstractAsyncContextManager[Net]]


@pytest.fixture(scope="session")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """The gateway's own, and the one the internet trusts."""
    folder = tmp_path_factory.mktemp("authorities")
    return Authority(folder / "gateway"), Authority(folder / "internet")


@pytest.fixture
def open_net(authorities: tuple[Authority, Authority], tmp_path: Path) -> OpenNet:
    """`async with open_net(access=..., settings=..., models=..., outside=...) as net`."""
    own, internet = authorities

    @contextlib.asynccontextmanager
    async def opened(**wanted: object) -> AsyncIterator[Net]:
        setup = Setup(**wanted)  # type: ignore[arg-type]
        trust = ssl.create_default_context(cadata=internet.certificate)
        host = Host(setup.settings, own, setup.outside.resolve, setup.outside.connect, trust)
        bundle = own.ca_bundle(tmp_path / "bundle.pem")
        bundle.write_text(bundle.read_text() + internet.certificate)
        async with AsyncExitStack() as stack:
            http, https = Site(), Site()
            http.port = await stack.enter_async_context(listening(http.serve))
            https.port = await stack.enter_async_context(listening(https.serve, internet.context_for("allowed.test")))
            setup.outside.ports |= {(ADDRESS, 80): http.port, (ADDRESS, 443): https.port}
            gateway = await stack.enter_async_context(Gateway(host, setup.models))
            gateway.attach(BOX, setup.access)
            tasks: set[asyncio.Task[None]] = set()
            server = await asyncio.get_running_loop().create_server(lambda: _Accepted(gateway, tasks), "127.0.0.1", 0)
            try:
                yield Net(gateway, server.sockets[0].getsockname()[1], setup.outside, http, https, bundle)
            finally:
                server.close()
                await gateway.detach(BOX)
                await asyncio.gather(*tasks)

    return opened


@pytest_asyncio.fixture
async def net(open_net: OpenNet) -> AsyncIterator[Net]:
    """A box that may reach all of the internet."""
    async with open_net() as opened:
        yield opened
