"""Which addresses events may be sent to."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit


class TargetError(ValueError):
    """Events may not be sent to this address."""


def matches(host: str, pattern: str) -> bool:
    """Tell whether a host is meant by one pattern.

    A pattern is a host, or *.example.org (also written .example.org) for example.org and all hosts below it.
    """
    if pattern.startswith(("*.", ".")):
        suffix = pattern.lstrip("*.")
        return host == suffix or host.endswith(suffix)
    return host == pattern


def host_allowed(host: str, patterns: Iterable[str]) -> bool:
    """Tell whether a host is meant by one of the patterns."""
    return any(matches(host, pattern) for pattern in patterns)


def check_target(address: str, patterns: Iterable[str]) -> str:
    """Return the host of an address events may be sent to."""
    parts = urlsplit(address)
    if parts.scheme != "https":
        raise TargetError("only https addresses are allowed")
    if parts.username or parts.password:
        raise TargetError("the address must not contain credentials")
    host = (parts.hostname or "").rstrip(".").lower()
    if not host or not host_allowed(host, patterns):
        raise TargetError(f"the host is not allowed: {host!r}")
    return host
