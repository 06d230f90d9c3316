"""Serves the box API of a host to fronts: on a unix socket that only its own user can open, and if need be on the network."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import uvicorn
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from runner.api.app import create_api
from runner.api.boxes import Boxes, Surroundings
from runner.errors import HostMisconfigured
from sandbox.driver import Driver

STOP_S = 5
TOKEN = b"x-box-host-token"


class _Server(uvicorn.Server):
    """Leaves signals to the process it is a part of, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True, slots=True)
class Network:
    """How fronts on other machines reach a host.

    Args:
        host, port: where to listen.
        url: what fronts are told.
        token: what they must show.
    """

    host: str
    port: int
    url: str
    token: SecretStr


@dataclass(frozen=True, slots=True)
class Served:
    """A box API that answers: where fronts find it (a socket's path or a URL), and the boxes it serves."""

    address: str
    boxes: Boxes


@contextlib.asynccontextmanager
async def serving(driver: Driver, data_dir: Path, surroundings: Surroundings, network: Network | None = None) -> AsyncIterator[Served]:
    """Serve as long as the context lasts. Raises HostMisconfigured."""
    path = data_dir / "boxes.sock"
    app = create_api(driver, data_dir, surroundings)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(path.unlink, missing_ok=True)
        listener = stack.enter_context(_listening(path))
        await stack.enter_async_context(_up(app, listener))
        if network is None:
            yield Served(str(path.absolute()), app.state.boxes)
            return
        door = stack.enter_context(_listening_at(network))
        await stack.enter_async_context(_up(Guard(app, network.token), door, lifespan="off"))
        yield Served(network.url, app.state.boxes)


class Guard:
    """An ASGI layer: who does not show the token of the fleet gets no further."""

    def __init__(self, below: ASGIApp, token: SecretStr) -> None:
        self._below, self._token = below, token.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shown = [value for name, value in scope["headers"] if name == TOKEN]
        if len(shown) == 1 and hmac.compare_digest(shown[0], self._token):
            headers = [pair for pair in scope["headers"] if pair[0] != TOKEN]  # it ends here: what is below passes headers on into boxes
            await self._below({**scope, "headers": headers}, receive, send)
            return
        refusal = JSONResponse({"error": "this port is for the fronts of the fleet"}, 401)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(refusal)
        else:
            await refusal(scope, receive, send)


@contextlib.asynccontextmanager
async def _up(app: ASGIApp, listener: socket.socket, lifespan: Literal["on", "off"] = "on") -> AsyncIterator[None]:
    """Serve an application on a listening socket."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=STOP_S,
        server_header=False,
        ws_max_size=16 << 20,
        lifespan=lifespan,
    )
    server = _Server(config)
    work = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.up.wait()
        yield
    finally:
        server.should_exit = True
        await work


@contextlib.contextmanager
def _listening_at(network: Network) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(network.host, network.port, type=socket.SOCK_STREAM)[0][0]
        made = socket.create_server((network.host, network.port), family=family, backlog=512)
        # Taken up anew by its number, so that it knows its protocol: else each answer waits 40 ms for more to send.
        listener = socket.socket(fileno=made.detach())
    except OSError as error:
        raise HostMisconfigured(f"BOX_LISTEN: {network.host}:{network.port} cannot be listened on: {error.strerror or error}") from error
    with listener:
        yield listener


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    path.unlink(missing_ok=True)  # of a server that was killed: the data directory's lock is ours
    before = os.umask(0o177)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            try:
                listener.bind(os.fspath(path))
            except OSError as error:
                raise HostMisconfigured(f"{path} cannot be listened on: {error}; choose a BOX_DATA_DIR with a shorter path") from error
            finally:
                os.umask(before)
            listener.listen(512)
            yield listener
    finally:
        os.umask(before)
