"""How an operator sets up the gateway of a host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sandbox.gateway.addresses import Network

PORT = 3128
"""Where a box's first process listens for what goes out."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one box's connections.

    Attributes:
        connections: at the same time, per box.
        header_bytes: of one request or response head.
        header_s: from the first byte of a head to its end.
        resolve_s: for one name.
        connect_s: for one address, TLS included.
        idle_s: without a byte in either direction.
        total_s: for one connection in all; packages and clones fit, a forgotten connection ends.
    """

    connections: int = 128
    header_bytes: int = 65_536
    header_s: float = 30.0
    resolve_s: float = 5.0
    connect_s: float = 10.0
    idle_s: float = 300.0
    total_s: float = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What is the same for all boxes of a host.

    Attributes:
        allowed_ports: ports outside that may be reached. Only the web's two by default: policies name hosts and
            not ports, and a host allowed for its web pages should not be open for mail, databases or ssh too.
        allow_private: networks reachable although they are private, for a mirror in the house or for tests.
        refuse_tls_with: how CONNECT is refused: `status` answers 403, which tools print; `alert` accepts the tunnel
            and ends it with a TLS alert, as a filter in the network would (curl then exits with 35).
        limits: bounds of connections.
    """

    allowed_ports: frozenset[int] = frozenset({80, 443})
    allow_private: tuple[Network, ...] = ()
    refuse_tls_with: Literal["status", "alert"] = "status"
    limits: Limits = field(default_factory=Limits)


def proxy_env(port: int = PORT) -> dict[str, str]:
    """The environment that leads programs in a box to the gateway."""
    url, inside = f"http://127.0.0.1:{port}", "localhost,127.0.0.1,::1"
    names = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "NO_PROXY": inside}
    models = {"ANTHROPIC_BASE_URL": f"{url}/anthropic", "OPENAI_BASE_URL": f"{url}/openai/v1"}
    return names | {name.lower(): value for name, value in names.items()} | models
