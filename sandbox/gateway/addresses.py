"""Addresses no box ever reaches, whatever its policy says.

Behind them are the host itself, its neighbours and the cloud's metadata services, which give
credentials to whoever asks. IPv6 addresses that carry an IPv4 one are refused as a whole, because
where they lead is decided by routers and not by us.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from sandbox.gateway.names import Address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NEVER: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "this host"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "cloud metadata"),  # Azure's, the only one within public space
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "reserved"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmark"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/96", "reserved"),
    ("::ffff:0:0/96", "translated IPv4"),
    ("::ffff:0:0:0/96", "translated IPv4"),
    ("64:ff9b::/96", "translated IPv4"),
    ("64:ff9b:1::/48", "translated IPv4"),
    ("100::/64", "reserved"),
    ("2001::/23", "reserved"),  # Teredo, benchmark, ORCHID
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "translated IPv4"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "reserved"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "private"),
    ("ff00::/8", "multicast"),
)
_NEVER = tuple((ipaddress.ip_network(network), reason) for network, reason in NEVER)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")


def why_never(address: Address, allow_private: Iterable[Network] = ()) -> str | None:
    """Why a box may not reach an address; None if it may as far as this goes.

    Args:
        address: where a connection would go.
        allow_private: networks the operator opened all the same.
    """
    if any(address in network for network in allow_private):
        return None
    for network, reason in _NEVER:
        if address in network:
            return reason
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_V6:
        return "reserved"
    return "this host" if _is_own(address) else None


def _is_own(address: Address) -> bool:
    """Whether one of this host's interfaces has it: the system would then use it as the source too. Sends nothing."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return bool(probe.getsockname()[0] == str(address))
    except OSError:
        return False  # no way there at all, which connecting will tell
