"""The way from the front to the hosts that hold boxes: HTTP, streams and WebSockets, passed on without buffering.

The key stays here: the host is told whose box it is, and believes nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import websockets
from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from fastapi.requests import HTTPConnection
from fastapi.responses import Response, StreamingResponse
from starlette.background import BackgroundTask
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.typing import Subprotocol

from bot.bodies import whole
from bot.errors import Refused
from bot.fleet import CONNECT_S, TOKEN, Fleet, Place
from bot.keys import Authorized
from bot.scatter import Scatter

SOCKET_OPEN_S = 60.0  # a frozen box wakes meanwhile
MAX_BODY_BYTES = 1100 << 20  # ten files of 100 MB, and their names
_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "host"}
_OURS = _HOP | {"x-box-api-key", "x-box-tenant", "x-box-visit", "x-box-public-url", TOKEN}
_VISIT = re.compile(r"([a-z0-9]+-[0-9]{1,5})\.(.+)")
MAX_LOOKED_AT_BYTES = 4 << 20
MAX_JSON_BYTES = 160 << 20  # a file, or ten for a prompt, in base64
MAX_FRAME_BYTES = 16 << 20
_LARGE = re.compile(r".*/(files/write|run|run/stream|files/upload)")
_OF_ALL = {(method, path) for method in ("GET", "DELETE") for path in ("", "snapshots")} | {("GET", "logs")}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
router = APIRouter(include_in_schema=False)


@router.api_route("/v2/box", methods=_METHODS)
@router.api_route("/v2/box/{rest:path}", methods=_METHODS)
async def forward(request: Request, caller: Authorized) -> Response:
    """Pass one request of a tenant on, and its answer back; to several hosts where it concerns boxes of several."""
    fleet = _fleet(request)
    headers = _headers(request, [("x-box-tenant", caller.tenant), ("x-box-public-url", _pattern(request))], {"accept-encoding"})
    places = await fleet.places()
    if len(places) == 1:
        return await _pass_on(request, places[0], headers)
    path = request.path_params.get("rest", "")
    scatter = Scatter(fleet, caller.tenant)
    if (request.method, path) in (("POST", ""), ("POST", "from-snapshot")):
        body = await whole(request, MAX_LOOKED_AT_BYTES)
        async with scatter.place_for(body, request.app.state.service.redis) as place:
            return await _pass_on(request, place, headers, body)
    if (request.method, path) in _OF_ALL:
        return await _scattered(request, scatter)
    first = path.partition("/")[0]
    place = places[0] if first in ("", "settings") else await fleet.of_box(caller.tenant, first)
    return await _pass_on(request, place, headers)


@router.websocket("/v2/box/{rest:path}")
async def forward_socket(socket: WebSocket, caller: Authorized) -> None:
    """Pass a WebSocket of a tenant on, both ways."""
    place = await _fleet(socket).of_box(caller.tenant, socket.path_params["rest"].partition("/")[0])
    await _pass_socket_on(socket, place, _encoded([("x-box-tenant", caller.tenant)]))


async def _scattered(request: Request, scatter: Scatter) -> Response:
    target = _target(request)
    kind = (request.method, request.path_params.get("rest", ""))
    if kind == ("DELETE", ""):
        return await scatter.delete_boxes(target, await whole(request, MAX_LOOKED_AT_BYTES))
    if kind == ("DELETE", "snapshots"):
        return await scatter.delete_snapshots(target, await whole(request, MAX_LOOKED_AT_BYTES))
    return await {"": scatter.list_boxes, "snapshots": scatter.list_snapshots, "logs": scatter.list_logs}[kind[1]](target)


class Visitors:
    """An ASGI layer: what is asked of a public URL's host goes to the port of a box, and never to the API below.

    Args:
        public_url: the pattern of public URLs, whose `*` stands for box and port; empty for those below `localhost`.
    """

    def __init__(self, below: ASGIApp, public_url: str) -> None:
        self._below = below
        self._domain = (httpx.URL(public_url.replace("*", "x", 1)).host if public_url else "x.localhost").removeprefix("x.").lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = self._visit(scope) if scope["type"] in ("http", "websocket") else None
        if visit is None:
            await self._below(scope, receive, send)
        elif scope["type"] == "websocket":
            socket = WebSocket(scope, receive, send)
            try:
                place = await _fleet(socket).of_visit(visit.rpartition("-")[0])
                await _pass_socket_on(socket, place, _headers(socket, [("x-box-visit", visit)]))
            except Refused as error:
                await socket.send_denial_response(Response(f"{error}\n", error.status_code))
        else:
            request = Request({**scope, "visit": visit}, receive, send)
            try:
                place = await _fleet(request).of_visit(visit.rpartition("-")[0])
                response = await _pass_on(request, place, _headers(request, [("x-box-visit", visit)]))
            except Refused as error:
                response = Response(f"{error}\n", error.status_code)
            await response(scope, receive, send)

    def _visit(self, scope: Scope) -> str | None:
        """Box and port that a host name stands for, None for any other host."""
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        found = _VISIT.fullmatch(host.rpartition(":")[0].lower() if re.search(r":\d+$", host) else host.lower())
        return found[1] if found and found[2] == self._domain else None


def _pattern(request: Request) -> str:
    """What public URLs look like; `*` stands for box and port."""
    configured: str = request.app.state.public_url
    port = request.url.port
    return configured or f"http://*.localhost{f':{port}' if port else ''}"


def _fleet(connection: HTTPConnection) -> Fleet:
    fleet: Fleet = connection.app.state.fleet
    return fleet


async def _pass_on(request: Request, place: Place, headers: list[tuple[bytes, bytes]], body: bytes | None = None) -> Response:
    """Pass one request to a host, and its answer back; `body` if it was read already. Raises Refused."""
    fleet = _fleet(request)
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    asked = httpx.Request(
        request.method,
        f"{place.url}{_target(request)}",
        headers=[*headers, *_encoded(fleet.shown(place))],
        content=body if body is not None else _limited(request) if has_body else None,
        extensions={"timeout": {"connect": CONNECT_S}},  # and no other: a command may be silent for as long as it likes
    )
    try:
        answer = await fleet.client(place).send(asked, stream=True)
    except httpx.TransportError as error:
        raise Refused(f"the host of the boxes does not answer: {type(error).__name__}; try again shortly", 503) from error
    response = StreamingResponse(_body(answer), answer.status_code, background=BackgroundTask(answer.aclose))
    response.raw_headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower().decode("latin-1") not in _HOP]
    return response


async def _limited(request: Request) -> AsyncIterator[bytes]:
    """The request's body as it comes. Raises Refused beyond the limit: what the host must take in whole is bounded."""
    limit, size = _limit(request), 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise Refused(f"this request may hold {limit >> 20} MB at most", 413)
        yield piece


def _limit(request: Request) -> int:
    if request.scope.get("visit") or request.headers.get("content-type", "").startswith("multipart/"):
        return MAX_BODY_BYTES
    return MAX_JSON_BYTES if _LARGE.fullmatch(request.url.path) else MAX_LOOKED_AT_BYTES


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


def _headers(connection: HTTPConnection, ours: list[tuple[str, str]], without: set[str] | None = None) -> list[tuple[bytes, bytes]]:
    """What the host hears of the caller, byte for byte: no key, and nothing that only we may say but what we do."""
    dropped = {name.encode() for name in _OURS | (without or set())}
    return [*((name, value) for name, value in connection.scope["headers"] if name not in dropped), *_encoded(ours)]


def _encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]


async def _pass_socket_on(socket: WebSocket, place: Place, headers: list[tuple[bytes, bytes]]) -> None:
    """Pass a WebSocket to a host, both ways. Raises Refused."""
    kept = [(name, value) for name, value in headers if not name.startswith(b"sec-websocket-") and value.isascii()]
    sent = [(name.decode("ascii"), value.decode("ascii")) for name, value in kept]
    try:
        upstream = await _connect(
            place,
            _target(socket),
            additional_headers=[*sent, *_fleet(socket).shown(place)],
            subprotocols=[Subprotocol(word) for word in socket.scope["subprotocols"]] or None,
            open_timeout=SOCKET_OPEN_S,
            max_size=MAX_FRAME_BYTES,
            compression=None,
            proxy=None,
        )
    except websockets.InvalidStatus as error:
        kind = error.response.headers.get("content-type", "application/json")
        await socket.send_denial_response(Response(bytes(error.response.body), error.response.status_code, media_type=kind))
        return
    except (OSError, TimeoutError, websockets.WebSocketException) as error:
        raise Refused(f"the host of the boxes does not answer: {type(error).__name__}; try again shortly", 503) from error
    async with upstream:
        await socket.accept(upstream.subprotocol)
        ways = [asyncio.ensure_future(_up(socket, upstream)), asyncio.ensure_future(_down(socket, upstream))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


def _connect(place: Place, target: str, **about: Any) -> connect:
    url = f"{place.url.replace('http', 'ws', 1)}{target}"
    return unix_connect(place.socket, url, **about) if place.socket else connect(url, **about)


async def _up(socket: WebSocket, upstream: ClientConnection) -> None:
    with contextlib.suppress(WebSocketDisconnect, websockets.ConnectionClosed, RuntimeError):
        while (message := await socket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            await upstream.send(message["bytes"] if text is None else text)


async def _down(socket: WebSocket, upstream: ClientConnection) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        async for frame in upstream:
            await (socket.send_text(frame) if isinstance(frame, str) else socket.send_bytes(frame))
        await socket.close(upstream.close_code or 1000)
