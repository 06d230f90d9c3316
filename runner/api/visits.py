"""Visitors of a box's ports: HTTP and WebSockets, passed on to the program in the box as they come.

A visitor is anybody on the network, and the program belongs to the box: neither is believed anything. The front names box
and port in a header that it takes from nobody else.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import socket
import time
from collections.abc import AsyncIterator

import websockets
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect

from runner.api.boxes import Boxes
from runner.api.entries import Visit
from runner.api.errors import Missing
from sandbox.errors import NothingListens, SandboxError
from sandbox.gateway.connection import Connection
from sandbox.gateway.errors import UpstreamFailed
from sandbox.gateway.headers import end_to_end
from sandbox.gateway.upstream import Upstream

HEADER = b"x-box-visit"
WAKE_S = 30.0
IDLE_S = 300.0
MAX_FRAME_BYTES = 16 << 20
_HEADER_BYTES = 65_536
_LOOK_S = 0.1
_WAKING = """<!doctype html><meta http-equiv="refresh" content="5"><title>waking</title><p>The box is waking up; this page tries again."""
_OURS = frozenset({b"host", b"x-box-visit", b"x-box-public-url", b"x-box-tenant", b"x-box-api-key"})


class Visits:
    """An ASGI layer: what has the header goes to a box, all else to the application below."""

    def __init__(self, below: ASGIApp) -> None:
        self._below = below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not (named := [value for name, value in scope["headers"] if name == HEADER]):
            await self._below(scope, receive, send)
            return
        box_id, _, port = named[0].decode("latin-1").rpartition("-")
        visitor = _Visitor(scope["app"].state.boxes, box_id, int(port))
        try:
            if scope["type"] == "websocket":
                await visitor.talk(WebSocket(scope, receive, send))
            else:
                response = await visitor.answer(Request(scope, receive, send))
                await response(scope, receive, send)
        finally:
            await visitor.leave()


class _Refused(Exception):
    """A visitor gets this answer instead of the program's."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class _Visitor:
    """One visit of one port."""

    def __init__(self, boxes: Boxes, box_id: str, port: int) -> None:
        self._boxes, self._box_id, self._port = boxes, box_id, port
        self._upstream: Upstream | None = None
        self._feeding: asyncio.Task[None] | None = None

    async def leave(self) -> None:
        """The visit is over, however it went."""
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.gather(self._feeding, return_exceptions=True)
        if self._upstream is not None:
            self._upstream.abort()

    async def answer(self, request: Request) -> Response:
        """Pass a request on, and its answer back."""
        try:
            visit = self._visit(request)
            connection = await self._connection(request)
        except _Refused as refused:
            return refused.response
        upstream = self._upstream = Upstream(connection, IDLE_S, _HEADER_BYTES)
        try:
            async with asyncio.timeout(IDLE_S):
                await upstream.request(request.method.encode(), _target(request), _headers(request, visit))
            # Beside the answer: a program may answer before it has read all, or while it reads.
            self._feeding = asyncio.ensure_future(_feed(request, upstream))
            head = await upstream.answer()
        except (UpstreamFailed, TimeoutError) as error:
            return PlainTextResponse(f"the program in the box does not answer as it should: {error}\n", 502)
        if not 200 <= head.status_code < 600:
            return PlainTextResponse(f"the program in the box answers with status {head.status_code}, which there is not\n", 502)
        response = StreamingResponse(upstream.body(), head.status_code)
        response.raw_headers = [(name.lower(), value) for name, value in end_to_end(tuple(head.headers))]
        return response

    async def talk(self, visitor: WebSocket) -> None:
        """Pass a WebSocket on, both ways."""
        try:
            visit = self._visit(visitor)
            connection = await self._connection(visitor)
        except _Refused as refused:
            await visitor.send_denial_response(refused.response)
            return
        words = {name.decode("latin-1"): value.decode("latin-1") for name, value in _headers(visitor, visit)}
        passed = {name: value for name, value in words.items() if not name.lower().startswith(("sec-websocket-", "host", "content-"))}
        async with _socket_of(connection) as end:
            try:
                program = await connect(
                    f"ws://{words['host']}{_target(visitor).decode('ascii')}",
                    sock=end, additional_headers=passed, subprotocols=visitor.scope["subprotocols"] or None,
                    max_size=MAX_FRAME_BYTES, compression=None, proxy=None,
                )  # fmt: skip
            except (OSError, ValueError, TimeoutError, websockets.WebSocketException) as error:
                answer = PlainTextResponse(f"the program in the box does not speak WebSocket here: {type(error).__name__}\n", 502)
                await visitor.send_denial_response(answer)
                return
            async with program:
                await visitor.accept(program.subprotocol)
                await _both_ways(visitor, program)

    def _visit(self, asking: HTTPConnection) -> Visit:
        """What is known of the port, if the visitor may come in. Raises _Refused."""
        visits = {visit.port: visit for visit in self._boxes.book.visits(self._box_id)}
        if self._port not in visits:
            raise _Refused(PlainTextResponse("there is nothing here\n", 404))
        visit = visits[self._port]
        if not _may(visit, asking.headers.get("authorization", "")):
            ways = ", ".join((["Bearer"] if visit.token else []) + (['Basic realm="box"'] if visit.password else []))
            raise _Refused(PlainTextResponse("this needs a token or a password\n", 401, {"WWW-Authenticate": ways}))
        return visit

    async def _connection(self, asking: HTTPConnection) -> Connection:
        """A connection to the program; a frozen box wakes, and has a while until the program listens. Raises _Refused."""
        try:
            _, box = self._boxes.use_of_anyone(self._box_id)
        except Missing as error:
            raise _Refused(PlainTextResponse("there is nothing here\n", 404)) from error
        waking, ends = box.frozen is not None, time.monotonic() + WAKE_S
        while True:
            try:
                return await box.connect(self._port)
            except NothingListens as error:
                if not waking:
                    raise _Refused(PlainTextResponse("no program in the box listens on this port\n", 502)) from error
                if time.monotonic() >= ends:
                    raise _Refused(_later(asking)) from error
            except SandboxError as error:
                raise _Refused(_later(asking)) from error
            await asyncio.sleep(_LOOK_S)


def _later(asking: HTTPConnection) -> Response:
    """The box needs more time; a browser asks again by itself."""
    if "text/html" in asking.headers.get("accept", ""):
        return HTMLResponse(_WAKING, 503, {"Retry-After": "5"})
    return PlainTextResponse("the box is waking up; try again shortly\n", 503, {"Retry-After": "5"})


def _may(visit: Visit, authorization: str) -> bool:
    """True if a visitor shows the token or the password, or neither is asked for."""
    if visit.token is None and visit.password is None:
        return True
    kind, _, given = authorization.partition(" ")
    if kind.lower() == "bearer" and visit.token is not None:
        return hmac.compare_digest(given.strip().encode(), visit.token.encode())
    if kind.lower() == "basic" and visit.password is not None:
        wanted = base64.b64encode(f"{visit.username}:{visit.password}".encode())
        return hmac.compare_digest(given.strip().encode(), wanted)
    return False


def _target(asking: HTTPConnection) -> bytes:
    """Path and query as they were sent."""
    path, query = asking.scope["raw_path"], asking.scope["query_string"]
    return bytes(path + b"?" + query if query else path)


def _headers(asking: HTTPConnection, visit: Visit) -> list[tuple[bytes, bytes]]:
    """What the program hears of the visitor: not what was meant for us."""
    given = [(name, value) for name, value in asking.scope["headers"] if name not in _OURS]
    if visit.token is not None or visit.password is not None:
        given = [(name, value) for name, value in given if name != b"authorization"]
    scheme, _, host = visit.url.partition("://")
    kept = [(b"host", host.encode()), (b"x-forwarded-proto", scheme.encode()), *end_to_end(tuple(given))]
    chunked = any(name == b"transfer-encoding" for name, _ in given)
    return [*kept, (b"transfer-encoding", b"chunked")] if chunked else kept


async def _feed(request: Request, upstream: Upstream) -> None:
    """Send the visitor's body to the program, as far as it reads; whoever breaks off ends both ways."""
    try:
        async for piece in request.stream():
            async with asyncio.timeout(IDLE_S):
                await upstream.send(piece)
        await upstream.end()
    except (UpstreamFailed, TimeoutError, ClientDisconnect):
        upstream.abort()


@contextlib.asynccontextmanager
async def _socket_of(connection: Connection) -> AsyncIterator[socket.socket]:
    """A real socket in place of a connection, for a library that wants one."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ways = [asyncio.ensure_future(_inward(ours, connection)), asyncio.ensure_future(_outward(ours, connection))]
    try:
        yield theirs
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        connection.abort()
        ours.close()
        theirs.close()


async def _inward(ours: socket.socket, connection: Connection) -> None:
    with contextlib.suppress(OSError):
        while data := await asyncio.get_running_loop().sock_recv(ours, 1 << 16):
            await connection.write(data)
        await connection.close()


async def _outward(ours: socket.socket, connection: Connection) -> None:
    with contextlib.suppress(OSError):
        while data := await connection.read():
            await asyncio.get_running_loop().sock_sendall(ours, data)
        ours.shutdown(socket.SHUT_WR)


async def _both_ways(visitor: WebSocket, program: ClientConnection) -> None:
    """Until one of them goes; the other is told how."""
    ways = [asyncio.ensure_future(_hear(visitor, program)), asyncio.ensure_future(_tell(visitor, program))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _hear(visitor: WebSocket, program: ClientConnection) -> None:
    with contextlib.suppress(WebSocketDisconnect, websockets.ConnectionClosed, RuntimeError):
        while (message := await visitor.receive())["type"] == "websocket.receive":
            text = message.get("text")
            await program.send(message["bytes"] if text is None else text)


async def _tell(visitor: WebSocket, program: ClientConnection) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        async for message in program:
            await (visitor.send_text(message) if isinstance(message, str) else visitor.send_bytes(message))
        code = program.close_code or 1000
        await visitor.close(code if code in (1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)) else 1011)
