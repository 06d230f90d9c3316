"""Where to go after login."""

from __future__ import annotations

from urllib.parse import urlsplit

HOME = "/home"
SITE = "portal.example.com"


def safe_target(target: str | None, site: str = SITE) -> str:
    """Return the address to go to after login.

    That is the one asked for where it is a path of this site, or an absolute https address of it, as links in
    mails are.
    """
    if not target or "\\" in target or any(ord(char) < 0x21 for char in target):
        return HOME
    parts = urlsplit(target)
    if parts.scheme:
        if parts.scheme != "https" or parts.netloc.lower() != site:
            return HOME
    elif not parts.path.startswith("/"):
        return HOME
    return target
