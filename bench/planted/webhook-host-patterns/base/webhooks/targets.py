"""Which addresses events may be sent to."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit


class TargetError(ValueError):
    """Events may not be sent to this address."""


def host_allowed(host: str, patterns: Iterable[str]) -> bool:
    """Tell whether a host is one of the patterns; a pattern with a leading dot stands for all hosts below it."""
    for pattern in patterns:
        if pattern.startswith("."):
            if host.endswith(pattern):
                return True
        elif host == pattern:
            return True
    return False


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
