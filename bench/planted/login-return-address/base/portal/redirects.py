"""Where to go after login."""

from __future__ import annotations

from urllib.parse import urlsplit

HOME = "/home"


def safe_target(target: str | None) -> str:
    """Return the address to go to after login: the one asked for where it is a path of this site."""
    if not target or "\\" in target or any(ord(char) < 0x21 for char in target):
        return HOME
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not target.startswith("/") or target.startswith("//"):
        return HOME
    return target
