"""Signed cookies: user.issued.signature."""

from __future__ import annotations

import hashlib
import hmac

from accounts.settings import Settings


class BadCookie(Exception):
    """The cookie is not one of ours, or too old."""


def signature(key: bytes, text: str) -> str:
    """Return the signature of a text."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def signed(settings: Settings, text: str, given: str) -> bool:
    """Tell whether a signature was made with the current key or a previous one."""
    return any(hmac.compare_digest(signature(key, text).encode(), given.encode()) for key in settings.keys)


def issue(settings: Settings, user: int, now: int) -> str:
    """Return a cookie for a user."""
    text = f"{user}.{now}"
    return f"{text}.{signature(settings.key, text)}"


def read(settings: Settings, cookie: str, now: int) -> int:
    """Return the user of a cookie."""
    text, _, given = cookie.rpartition(".")
    if not signed(settings, text, given):
        raise BadCookie("wrong signature")
    user, _, issued = text.partition(".")
    if int(issued) + settings.lifetime < now:
        raise BadCookie("too old")
    return int(user)
