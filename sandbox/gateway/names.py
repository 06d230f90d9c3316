"""Host names as a box may write them: one spelling each, everything doubtful refused.

Resolvers are generous: `127.1`, `0x7f000001`, `2130706433` and `0177.0.0.1` are all loopback to them.
A rule that compares names must not be, so only what has a single meaning gets through.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from sandbox.gateway.errors import BadName

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([^:]*))?")
_URL = re.compile(r"http://([^/?#]*)([^#]*)", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Target:
    """A host and a port.

    Attributes:
        host: canonical: lower case, no dot at the end; an IPv6 address without brackets.
        port: 1 to 65535.
    """

    host: str
    port: int

    def authority(self, default_port: int | None = None) -> str:
        """As in a URL; the port is left out if it is the default one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default_port else f"{host}:{self.port}"


def parse_authority(text: str, default_port: int | None = None) -> Target:
    """`host`, `host:port` or `[v6]:port`.

    Args:
        text: from a request line, a Host header or a URL.
        default_port: the port if none is named; None where one must be.

    Raises:
        BadName: no host, user information, a port that is none, or see `parse_host`.
    """
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        raise BadName(f"{_shown(text)} is not `host:port`")
    host, port = found[1], found[2]
    if port is None and default_port is not None:
        return Target(parse_host(host), default_port)
    if port is None or not _PORT.fullmatch(port) or int(port) > 65535:
        raise BadName(f"{_shown(text)} does not name a port from 1 to 65535")
    return Target(parse_host(host), int(port))


def parse_url(text: str) -> tuple[Target, str]:
    """Host and port of an `http://` URL, and the rest of it from the first slash on. Raises BadName."""
    found = _URL.fullmatch(text)
    if found is None:
        raise BadName("the request line does not name an http:// URL; https goes through CONNECT")
    path = found[2]
    return parse_authority(found[1], 80), path if path.startswith("/") else f"/{path}"


def parse_host(text: str) -> str:
    """The canonical form of a host name or address; IPv6 comes in brackets and leaves without.

    Raises:
        BadName: anything else than letters, digits, `-`, `_` and dots; an empty or too long label; an
            address in another notation than four decimal numbers or bracketed IPv6 without a zone.
    """
    if text.startswith("["):
        return _ipv6(text)
    name = text.lower().removesuffix(".")
    if not name.isascii() or len(name) > 253:
        raise BadName(f"{_shown(text)} is not a host name: ASCII (punycode) and at most 253 characters")
    labels = name.split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise BadName(f"{_shown(text)} is not a host name: the label {_shown(label)} is empty, too long or has other signs")
    return _ipv4(text) if _NUMBER.fullmatch(labels[-1]) else name


def address_of(host: str) -> Address | None:
    """The address, if a canonical host is one."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def parse_pattern(text: str) -> str:
    """A host name, or `*.` and a name. Raises BadName; addresses are no patterns."""
    host = parse_host(text.removeprefix("*."))
    if address_of(host) is not None:
        raise BadName(f"{_shown(text)} is an address; only names can be patterns")
    return f"*.{host}" if text.startswith("*.") else host


def matches(pattern: str, host: str) -> bool:
    """Whether a canonical host is meant; `*.example.org` means every name below it, not itself."""
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def most_specific(patterns: list[str], host: str) -> str | None:
    """The exact pattern, else the one with the longest suffix, else None."""
    fitting = [pattern for pattern in patterns if matches(pattern, host)]
    return max(fitting, key=lambda pattern: (not pattern.startswith("*."), len(pattern)), default=None)


def _ipv4(text: str) -> str:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise BadName(f"{_shown(text)} is not an address: four decimal numbers without leading zeros") from error
    return str(address)


def _ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text[1:-1] if text.endswith("]") else text)
    except ValueError as error:
        raise BadName(f"{_shown(text)} is not an IPv6 address") from error
    if address.scope_id is not None:
        raise BadName(f"{_shown(text)} has a zone, which means nothing outside the box")
    return str(address)


def _shown(text: str) -> str:
    """Safe to print, however hostile."""
    return ascii(text if len(text) <= 80 else text[:80] + "...")
