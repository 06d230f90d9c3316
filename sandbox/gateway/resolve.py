"""From a host and a port to a connection: decided, looked up once, checked, pinned."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Protocol

from sandbox.gateway.addresses import why_never
from sandbox.gateway.connection import Connector, SocketConnection
from sandbox.gateway.errors import Refused, UpstreamFailed
from sandbox.gateway.names import Address, Target, address_of
from sandbox.gateway.policy import NetworkPolicy, Verdict
from sandbox.gateway.settings import GatewaySettings, Limits

_LOOKUPS = 32


class Resolver(Protocol):
    """Looks names up."""

    async def __call__(self, host: str) -> Sequence[str]:
        """The addresses of a name, best first. Raises OSError if there are none."""
        ...


class SystemResolver:
    """Looks names up as the host's own programs do, on threads of its own: slow names hold up nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="gateway-lookup")

    async def __call__(self, host: str) -> Sequence[str]:
        """As `Resolver`."""
        look_up = partial(socket.getaddrinfo, host.encode("ascii"), None, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Route:
    """A way out that is allowed.

    Attributes:
        target: what the box asked for.
        addresses: each of them checked; connections go to these and nowhere else.
        rule: what allowed it.
    """

    target: Target
    addresses: tuple[Address, ...]
    rule: str


async def find_route(target: Target, policy: NetworkPolicy, settings: GatewaySettings, resolver: Resolver) -> Route:
    """Decide and look up. A name with some forbidden addresses is reached by the others.

    Raises:
        Refused: port, host or every address is forbidden; nothing was looked up if port or host were.
        UpstreamFailed: the name does not exist, or looking it up took too long.
    """
    if target.port not in settings.allowed_ports:
        raise Refused(target.host, f"port {target.port}")
    before = policy.decide(target.host)
    if not before.allowed:
        raise Refused(target.host, before.rule)
    addresses = await _look_up(target.host, resolver, settings.limits)
    verdicts = [(address, _judge(address, policy, before, settings)) for address in addresses]
    allowed = [(address, verdict.rule) for address, verdict in verdicts if verdict.allowed]
    if not allowed:
        raise Refused(target.host, verdicts[0][1].rule)
    return Route(target, tuple(address for address, _ in allowed), allowed[0][1])


def check_still_allowed(route: Route, policy: NetworkPolicy) -> None:
    """Raises Refused unless a new policy allows every address of a route."""
    before = policy.decide(route.target.host)
    for verdict in (before, *(policy.decide_address(address, before) for address in route.addresses)):
        if not verdict.allowed:
            raise Refused(route.target.host, verdict.rule)


async def open_route(route: Route, limits: Limits, connect: Connector, tls: ssl.SSLContext | None = None) -> SocketConnection:
    """Connect to the first of a route's addresses that answers. Raises UpstreamFailed."""
    problem = UpstreamFailed(f"{route.target.host} has no address")
    for address in route.addresses:
        try:
            async with asyncio.timeout(limits.connect_s):
                return await connect(str(address), route.target.port, tls, route.target.host)
        except TimeoutError:
            problem = UpstreamFailed(f"{route.target.authority()} did not accept a connection within {limits.connect_s:g} s", 504)
        except ssl.SSLError as error:
            raise UpstreamFailed(f"the certificate or TLS of {route.target.authority()} is not in order: {error.reason}") from error
        except OSError as error:
            problem = UpstreamFailed(f"{route.target.authority()} cannot be reached: {error.strerror or error}")
    raise problem


def _judge(address: Address, policy: NetworkPolicy, before: Verdict, settings: GatewaySettings) -> Verdict:
    never = why_never(address, settings.allow_private)
    return policy.decide_address(address, before) if never is None else Verdict(False, f"address {address} ({never})")


async def _look_up(host: str, resolver: Resolver, limits: Limits) -> list[Address]:
    literal = address_of(host)
    if literal is not None:
        return [literal]
    try:
        async with asyncio.timeout(limits.resolve_s):
            addresses = [ip_address(text.partition("%")[0]) for text in await resolver(host)]
    except TimeoutError as error:
        raise UpstreamFailed(f"looking up {host} took more than {limits.resolve_s:g} s", 504) from error
    except OSError as error:
        raise UpstreamFailed(f"{host} cannot be looked up: {error.strerror or error}") from error
    if not addresses:
        raise UpstreamFailed(f"{host} has no address")
    return addresses
