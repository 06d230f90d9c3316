"""One connection out of a box, from its first request to its end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import h11

from sandbox.gateway.access import AttachedBox, Host
from sandbox.gateway.connection import Connection
from sandbox.gateway.errors import BadHttp, GatewayError, Refused, UpstreamFailed
from sandbox.gateway.forward import check_host, check_method, forward, outgoing_headers
from sandbox.gateway.gate import Beginning, Gate, read_beginning
from sandbox.gateway.headers import Headers
from sandbox.gateway.hello import ALERT
from sandbox.gateway.models import ModelRoutes
from sandbox.gateway.names import Target, parse_authority, parse_url
from sandbox.gateway.requests import Requests
from sandbox.gateway.resolve import Route, check_still_allowed, find_route, open_route
from sandbox.gateway.settings import PORT
from sandbox.gateway.tasks import in_slot
from sandbox.gateway.tls import TlsConnection
from sandbox.gateway.tunnel import tunnel
from sandbox.gateway.upstream import Upstream

_HTTP, _HTTPS = 80, 443
_OURSELVES = frozenset(Target(host, PORT) for host in ("127.0.0.1", "localhost", "::1"))
_Answer = Callable[[Requests, h11.Request], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class _Way:
    """How requests get to one host.

    Attributes:
        route: where to.
        tls: how to trust it; None for plain HTTP.
        attached: headers put in.
    """

    route: Route
    tls: ssl.SSLContext | None = None
    attached: Headers = ()

    @property
    def default_port(self) -> int:
        return _HTTP if self.tls is None else _HTTPS


class Session:
    """Serves one connection.

    Attributes:
        route: what the box talks to just now; None between requests and for model calls.
    """

    def __init__(self, host: Host, box: AttachedBox, connection: Connection, models: ModelRoutes) -> None:
        self._host, self._box, self._connection, self._models = host, box, connection, models
        self._settings, self._limits = host.settings, host.settings.limits
        self.route: Route | None = None

    async def run(self) -> None:
        """Serve until it ends. Raises ConnectionError if the box breaks it, TimeoutError if a tunnel was idle."""
        await self._serve(Requests(self._connection, self._limits), self._answer)

    async def _serve(self, client: Requests, answer: _Answer) -> None:
        """Answer requests until there are no more; `answer` says whether the connection still is HTTP afterwards."""
        while (request := await _next(client)) is not None:
            try:
                if not await answer(client, request):
                    break
            except GatewayError as error:
                if client.started:  # half an answer must not look like a whole one
                    self._connection.abort()
                    return
                await client.refuse(error.status, str(error))
        await client.finish()

    async def _answer(self, client: Requests, request: h11.Request) -> bool:
        """A request to the proxy itself, for an http:// URL, or for a tunnel."""
        if request.method == b"CONNECT":
            await self._connect(client, request)
            return False
        check_method(request)
        text = request.target.decode("ascii")
        target, path = (None, text) if text.startswith("/") else parse_url(text)
        if target is None or target in _OURSELVES:  # the latter from programs that do not heed NO_PROXY
            await self._models.serve(client, request, path, self._box.ledger)
            return True
        check_host(request, target, _HTTP)
        way = _Way(await self._find(target))
        try:
            await self._exchange(client, request, path, way)
        finally:
            self.route = None
        return True

    async def _connect(self, client: Requests, request: h11.Request) -> None:
        target = parse_authority(request.target.decode("ascii"))
        check_host(request, target, None)
        try:
            route = await self._find(target)
            await self._tunnel(client, route)
        except Refused:
            if not client.started and (self._settings.refuse_tls_with == "status" or target.port != _HTTPS):
                raise
            if not client.started:
                await client.become_tunnel()
            await self._connection.write(ALERT)

    async def _tunnel(self, client: Requests, route: Route) -> None:
        target = route.target
        attached = self._box.headers.for_host(target.host) if target.port == _HTTPS else ()
        if attached:
            await self._intercept(await client.become_tunnel(), _Way(route, self._host.trust, attached))
        elif target.port == _HTTP:
            await self._web(await client.become_tunnel(), route)
        else:
            await self._pass(route, client.become_tunnel, only_tls=target.port == _HTTPS)

    async def _pass(self, route: Route, accept: Callable[[], Awaitable[bytes]], only_tls: bool) -> None:
        """Bytes both ways. The server comes first: that it cannot be reached is told while CONNECT can still be answered."""
        with self._box.decisions.record(route.target, route.rule) as decision:
            server = await open_route(route, self._limits, self._host.connect)
            try:
                gate = Gate(self._connection, await accept(), route.target.host, only_tls)
                await tunnel(gate, server, decision, self._limits.idle_s)
            finally:
                server.abort()

    async def _web(self, first: bytes, route: Route) -> None:
        """A tunnel to port 80: some clients use one for plain HTTP too, which then gets the same checks as without."""
        async with asyncio.timeout(self._limits.header_s):
            beginning = await self._begin(first, route.target)
        if beginning.hello is None:
            await self._inside(self._connection, beginning.data, _Way(route))
        else:
            await self._pass(route, _given(beginning.data), only_tls=True)

    async def _intercept(self, first: bytes, way: _Way) -> None:
        """TLS ends here, and begins anew towards the server."""
        host = way.route.target.host
        try:
            async with asyncio.timeout(self._limits.header_s):
                beginning = await self._begin(first, way.route.target)
                box = TlsConnection(self._connection, self._host.authority.context_for(host), beginning.data)
                await box.handshake()
        except ssl.SSLError as error:
            raise UpstreamFailed(f"the box and the gateway could not agree on TLS for {host}: {error.reason}") from error
        await self._inside(box, b"", way)

    async def _inside(self, connection: Connection, first: bytes, way: _Way) -> None:
        """The requests within a tunnel, which all go to one host."""

        async def answer(client: Requests, request: h11.Request) -> bool:
            check_method(request)
            path = request.target.decode("ascii")
            if not path.startswith("/"):
                raise BadHttp("within a tunnel, the request line names a path only")
            check_host(request, way.route.target, way.default_port)
            await self._exchange(client, request, path, way)
            return True

        await self._serve(Requests(connection, self._limits, first), answer)

    async def _exchange(self, client: Requests, request: h11.Request, path: str, way: _Way) -> None:
        headers = outgoing_headers(request, way.route.target, way.default_port, way.attached)
        with self._box.decisions.record(way.route.target, way.route.rule) as decision:
            server = await open_route(way.route, self._limits, self._host.connect, way.tls)
            upstream = Upstream(server, self._limits.idle_s, self._limits.header_bytes)
            try:
                head = h11.Request(method=request.method, target=path, headers=list(headers))
                await forward(client, upstream, head, decision)
            finally:
                upstream.abort()

    async def _begin(self, first: bytes, target: Target) -> Beginning:
        """The tunnel's first bytes, where requests are ours to read: TLS, or on port 80 plain HTTP."""
        try:
            return await read_beginning(self._connection, first, target.host, only_tls=target.port == _HTTPS)
        except Refused as error:
            self._box.decisions.refuse(target, error.rule)
            raise

    async def _find(self, target: Target) -> Route:
        try:
            route = await find_route(target, self._box.policy, self._settings, self._look_up)
            check_still_allowed(route, self._box.policy)  # it may have been replaced meanwhile
        except Refused as error:
            self._box.decisions.refuse(target, error.rule)
            raise
        self.route = route  # from here on `Gateway.set_policy` sees it
        return route

    async def _look_up(self, host: str) -> Sequence[str]:
        """Ask the host's resolver, whose threads cannot be stopped: a box that gave up waiting still has its slot taken."""
        return await in_slot(self._box.lookups, lambda: self._host.resolver(host))


async def _next(client: Requests) -> h11.Request | None:
    try:
        return await client.next()
    except GatewayError as error:
        await client.refuse(error.status, str(error))
        return None


def _given(data: bytes) -> Callable[[], Awaitable[bytes]]:
    async def accept() -> bytes:
        return data

    return accept
