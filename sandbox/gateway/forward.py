"""One request passed on to a server, and its answer passed back, both while they come."""

from __future__ import annotations

import asyncio

import h11

from sandbox.gateway.decisions import Decision
from sandbox.gateway.errors import BadHttp, GatewayError, UpstreamFailed
from sandbox.gateway.headers import Headers, end_to_end, replaced
from sandbox.gateway.names import Target, parse_authority
from sandbox.gateway.requests import Requests
from sandbox.gateway.tasks import stop
from sandbox.gateway.upstream import Upstream

_REFUSED_METHODS = {
    b"TRACE": "would send attached headers back",
    b"CONNECT": "belongs to the proxy, not into a tunnel",
}


def check_method(request: h11.Request) -> None:
    """Raises BadHttp for methods that are not passed on."""
    if request.method.upper() in _REFUSED_METHODS:
        raise BadHttp(f"{request.method.decode()} {_REFUSED_METHODS[request.method.upper()]}", 405)


def check_host(request: h11.Request, target: Target, default_port: int | None) -> None:
    """The Host header must name the very host of the request line or tunnel, else a rule for one opens another.

    Args:
        request: with a Host header; HTTP/1.0 may go without.
        target: whom the request is for.
        default_port: if Host names none; None where Host need not name the port.

    Raises:
        BadHttp: it names another one.
        BadName: it names none.
    """
    for name, value in request.headers:
        if name == b"host":
            named = parse_authority(value.decode("latin-1"), default_port or target.port)
            if named.host != target.host or (default_port is not None and named.port != target.port):
                raise BadHttp(f"the Host header does not name {target.authority(default_port)}")


def outgoing_headers(request: h11.Request, target: Target, default_port: int, attached: Headers = ()) -> Headers:
    """The headers a server gets: end to end ones, one Host of ours, and those that are attached."""
    host = ((b"Host", target.authority(default_port).encode()),)
    kept = tuple((name, value) for name, value in end_to_end(tuple(request.headers.raw_items())) if name.lower() != b"expect")
    body = ((b"Transfer-Encoding", b"chunked"),) if _is_chunked(request) else ()
    return (*replaced(replaced(kept, host), attached), *body)


async def forward(client: Requests, upstream: Upstream, head: h11.Request, decision: Decision) -> None:
    """Pass a request on and its answer back.

    Args:
        client: where the rest of the request comes from, and where the answer goes.
        upstream: connected to the server.
        head: the request as the server gets it.
        decision: counts the bytes of both bodies.

    Raises:
        BadHttp: the box's request broke off.
        UpstreamFailed: the server's answer did.
    """
    await upstream.request(head.method, head.target, list(head.headers.raw_items()))
    upload = asyncio.create_task(_upload(client, upstream, decision))
    try:
        answer = await upstream.answer()
        await client.answer(answer.status_code, end_to_end(tuple(answer.headers.raw_items())), answer.reason)
        async for data in upstream.body():
            decision.received_bytes += len(data)
            await client.send(data)
        await client.end()
    except UpstreamFailed as failure:
        raise _cause(upload, failure) from failure
    finally:
        await stop(upload)


async def _upload(client: Requests, upstream: Upstream, decision: Decision) -> None:
    try:
        async for data in client.body():
            decision.sent_bytes += len(data)
            await upstream.send(data)
        await upstream.end()
    except UpstreamFailed:
        return  # it may still say why it wants no more of the body
    except BaseException:
        upstream.abort()  # half a request must not look like a whole one
        raise


def _cause(upload: asyncio.Task[None], failure: UpstreamFailed) -> GatewayError:
    """Who began it: when the box's request broke off, the server's side was ended by us."""
    error = None if not upload.done() or upload.cancelled() else upload.exception()
    return error if isinstance(error, BadHttp) else failure


def _is_chunked(request: h11.Request) -> bool:
    return any(name == b"transfer-encoding" for name, _ in request.headers)
