"""One line for every call of the API and every form sent: who, what, when, how it ended. For the operator, and who asks afterwards."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import time
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_PATH = 300
_API = ("/v1/", "/v2/")
_FORMS = ("/login", "/logout", "/setup", "/reviews/", "/boxes/")
"""Of the dashboard; who only looks at its pages leaves no line."""
_RETURNS = ("/setup/callback", "/login/github/callback")
"""Where people come back from GitHub."""


class Audit:
    """An ASGI layer that writes JSON lines. Neither bodies nor query strings nor keys are in them.

    Args:
        file: appended to; it may be moved away at any time, a new one is begun.
    """

    def __init__(self, below: ASGIApp, file: Path) -> None:
        self._below = below
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lines = logging.Logger("audit")  # of its own: no other setting of logging reaches it
        self._lines.addHandler(_Closed(file, encoding="utf-8"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _counts(scope):
            await self._below(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        scope.setdefault("state", {})
        try:
            await self._below(scope, receive, sent)
        finally:
            self._lines.info(json.dumps(_line(scope, status, time.monotonic() - started)))


class _Closed(logging.handlers.WatchedFileHandler):
    """Begins files that are closed to others."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")


def _counts(scope: Scope) -> bool:
    """True for calls of the API, and for what is done by the dashboard's forms."""
    if scope["type"] not in ("http", "websocket"):
        return False
    path: str = scope["path"]
    return path.startswith(_API) or path in _RETURNS or (scope.get("method") == "POST" and path.startswith(_FORMS))


def _line(scope: Scope, status: int, took_s: float) -> dict[str, Any]:
    caller = scope["state"].get("caller")
    return {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "tenant": caller.tenant if caller else None,
        "key": caller.key_id if caller else None,
        "from": scope["client"][0] if scope.get("client") else None,
        "method": scope.get("method", "WebSocket"),
        "path": scope["path"][:MAX_PATH],
        "status": status,
        "ms": round(took_s * 1000, 1),
    }
