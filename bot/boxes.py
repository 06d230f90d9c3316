"""The way from the front to the host that holds a box: HTTP, streams and WebSockets, passed on without buffering.

The key stays here: the host is told whose box it is, and believes nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import websockets
from fastapi import APIRouter, Depends, Header, Request, WebSocket, WebSocketDisconnect
from fastapi.requests import HTTPConnection
from fastapi.responses import Response, StreamingResponse
from starlette.background import BackgroundTask
from websockets.asyncio.client import ClientConnection, unix_connect

from bot.errors import Refused
from bot.reviews import Reviews

CONNECT_S = 10.0
MAX_BODY_BYTES = 1100 << 20  # ten files of 100 MB, and their names
_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "host"}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
router = APIRouter(include_in_schema=False)


class Hosts:
    """Finds the host to ask, and keeps connections to it."""

    def __init__(self, reviews: Reviews) -> None:
        self._reviews = reviews
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def socket(self) -> str:
        """The unix socket of the host that holds the boxes. Raises Refused."""
        alive = [host for host in await self._reviews.hosts() if host.boxes]
        if not alive:
            raise Refused("no host that holds boxes is up; try again shortly", 503)
        if len(alive) > 1:
            raise Refused("boxes on several hosts behind one front are not available yet", 503)
        return alive[0].boxes

    def client(self, socket: str) -> httpx.AsyncClient:
        """A client for one host."""
        if socket not in self._clients:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
            transport = httpx.AsyncHTTPTransport(uds=socket, limits=limits)
            timeout = httpx.Timeout(None, connect=CONNECT_S)  # a command may be silent for as long as it likes
            self._clients[socket] = httpx.AsyncClient(transport=transport, base_url="http://host", timeout=timeout, trust_env=False)
        return self._clients[socket]

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))


async def _tenant(connection: HTTPConnection, x_box_api_key: Annotated[str | None, Header()] = None) -> str:
    """Whose key it is. Raises Refused."""
    tenant: str | None = connection.app.state.service.keys.tenant(x_box_api_key)
    if tenant is None:
        raise Refused("the API key is missing or wrong; send it as X-Box-Api-Key", 401)
    return tenant


Tenant = Annotated[str, Depends(_tenant)]


def _hosts(connection: HTTPConnection) -> Hosts:
    hosts: Hosts = connection.app.state.hosts
    return hosts


@router.api_route("/v2/box", methods=_METHODS)
@router.api_route("/v2/box/{rest:path}", methods=_METHODS)
async def forward(request: Request, tenant: Tenant) -> Response:
    """Pass one request on, and its answer back."""
    hosts = _hosts(request)
    client = hosts.client(await hosts.socket())
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    asked = client.build_request(
        request.method, _target(request), headers=_headers(request, tenant), content=_limited(request) if has_body else None
    )
    try:
        answer = await client.send(asked, stream=True)
    except httpx.TransportError as error:
        raise Refused(f"the host of the boxes does not answer: {type(error).__name__}; try again shortly", 503) from error
    headers = {name: value for name, value in answer.headers.items() if name not in _HOP}
    return StreamingResponse(_body(answer), answer.status_code, headers, background=BackgroundTask(answer.aclose))


async def _limited(request: Request) -> AsyncIterator[bytes]:
    """The request's body as it comes. Raises Refused beyond the limit."""
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise Refused(f"a request may hold {MAX_BODY_BYTES >> 20} MB at most", 413)
        yield piece


async def _body(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The answer's bytes as they come; when the caller goes, so does the connection to the host."""
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()


def _target(connection: HTTPConnection) -> str:
    """Path and query as they were sent: decoding them would make slashes of %2F."""
    path = connection.scope["raw_path"].decode("ascii")
    query = connection.scope["query_string"].decode("ascii")
    return f"{path}?{query}" if query else path


def _headers(connection: HTTPConnection, tenant: str) -> dict[str, str]:
    """What the host hears of the caller: no key, and no tenant but the one the key stands for."""
    ours = _HOP | {"x-box-api-key", "x-box-tenant", "accept-encoding"}
    return {name: value for name, value in connection.headers.items() if name not in ours} | {"x-box-tenant": tenant}


@router.websocket("/v2/box/{rest:path}")
async def forward_socket(socket: WebSocket, tenant: Tenant) -> None:
    """Pass a WebSocket on, both ways."""
    path = await _hosts(socket).socket()
    try:
        upstream = await unix_connect(
            path,
            f"ws://host{_target(socket)}",
            additional_headers={"x-box-tenant": tenant},
            open_timeout=CONNECT_S,
            max_size=None,
            proxy=None,
        )
    except websockets.InvalidStatus as error:
        await socket.send_denial_response(Response(bytes(error.response.body), error.response.status_code, media_type="application/json"))
        return
    except (OSError, TimeoutError, websockets.WebSocketException) as error:
        raise Refused(f"the host of the boxes does not answer: {type(error).__name__}; try again shortly", 503) from error
    async with upstream:
        await socket.accept()
        ways = [asyncio.ensure_future(_up(socket, upstream)), asyncio.ensure_future(_down(socket, upstream))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _up(socket: WebSocket, upstream: ClientConnection) -> None:
    with contextlib.suppress(WebSocketDisconnect, websockets.ConnectionClosed, RuntimeError, KeyError):
        while True:
            await upstream.send(await socket.receive_text())


async def _down(socket: WebSocket, upstream: ClientConnection) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        async for frame in upstream:
            await socket.send_text(frame if isinstance(frame, str) else frame.decode("utf-8", "replace"))
        await socket.close(1000)
