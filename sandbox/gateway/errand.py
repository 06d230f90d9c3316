"""One request of the host's own to a URL that somebody else has named: it may lead where boxes may go, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from sandbox.gateway.access import Host
from sandbox.gateway.errors import BadName, UpstreamFailed
from sandbox.gateway.headers import AttachedHeaders, Headers
from sandbox.gateway.names import Target, parse_host
from sandbox.gateway.policy import NetworkPolicy
from sandbox.gateway.resolve import find_route, open_route
from sandbox.gateway.upstream import Upstream

_ANYWHERE = NetworkPolicy()


def check_url(url: str) -> None:
    """Raises BadName unless it is an absolute http or https URL without user information."""
    _taken_apart(url)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises BadHeaders if they would break a request."""
    _checked(headers)


async def post(host: Host, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> int:
    """Send a body; returns the answer's status. Redirects are not followed.

    Raises:
        BadName, BadHeaders: see `check_url` and `check_headers`.
        Refused: the address is private, or the port is none that may be reached.
        UpstreamFailed: it cannot be reached, or did not answer in time.
    """
    target, tls, path = _taken_apart(url)
    extra = _checked(headers)
    try:
        async with asyncio.timeout(timeout_s):
            route = await find_route(target, _ANYWHERE, host.settings, host.resolver)
            limits = host.settings.limits
            connection = await open_route(route, limits, host.connect, host.trust if tls else None)
            upstream = Upstream(connection, timeout_s, limits.header_bytes)
            try:
                length = (b"Content-Length", str(len(body)).encode())
                await upstream.request(b"POST", path, [(b"Host", target.authority(443 if tls else 80).encode()), length, *extra])
                await upstream.send(body)
                await upstream.end()
                return (await upstream.answer()).status_code
            finally:
                upstream.abort()
    except TimeoutError as error:
        raise UpstreamFailed(f"{target.host} did not answer within {timeout_s:g} s", 504) from error


def _checked(headers: Mapping[str, str]) -> Headers:
    return AttachedHeaders({"host.invalid": headers}).for_host("host.invalid")


def _taken_apart(url: str) -> tuple[Target, bool, bytes]:
    """Where it leads, whether over TLS, and what to ask for there."""
    try:
        parts = urlsplit(url)
        port, name = parts.port, parts.hostname or ""
    except ValueError as error:
        raise BadName(f"not a URL: {error}") from error
    if parts.scheme not in ("http", "https") or parts.username is not None or not url.isascii() or not url.isprintable() or " " in url:
        raise BadName("a URL must be http://host or https://host, in printable ASCII and without user information")
    tls = parts.scheme == "https"
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    host = parse_host(f"[{name}]" if ":" in name else name)
    return Target(host, port or (443 if tls else 80)), tls, path.encode()
