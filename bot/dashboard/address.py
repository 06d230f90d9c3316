"""How this server is reached."""

from __future__ import annotations

import re

from fastapi import Request

from bot.dashboard.guard import is_secure
from bot.errors import Refused

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def base_of(request: Request) -> str:
    """The address of this server without a slash at its end: BOX_URL, or where the browser has found it. Raises Refused."""
    known: str = request.app.state.box_url
    if known:
        return known.rstrip("/")
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise Refused("It is not known how this server is reached; set BOX_URL.", 400)
    return f"{'https' if is_secure(request) else 'http'}://{host}"
