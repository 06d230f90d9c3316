"""Observing an ASGI service (FastAPI, Starlette, …) in two lines.

servers = AgentServers(harness="builtin", model="…")
app.add_middleware(Observing, servers=servers, tenant=lambda scope: header(scope, "x-customer"))
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from box_review.agent_server.observation import Beginning
from box_review.agent_server.servers import AgentServers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_TENANT = "box_review.tenant"
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Mapping[str, Any], name: str) -> str:
    """A header of a request; empty if it has none such. What a client sends is the client's word: trust it only behind your own sign-in."""
    wanted = name.lower().encode("latin-1", "replace")
    return next((value.decode("latin-1") for key, value in scope.get("headers", ()) if key == wanted), "")


class Observing:
    """Passes everything on as it is, and observes a request once its response has ended.

    Args:
        tenant: whose request it is; empty for one that is not observed.
        observes: which requests are; all by default.
    """

    def __init__(
        self,
        app: App,
        servers: AgentServers,
        tenant: Callable[[Scope], str],
        observes: Callable[[Scope], bool] = lambda _: True,
    ) -> None:
        self._app, self._servers, self._tenant, self._observes = app, servers, tenant, observes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or not self._wanted(scope):
            await self._app(scope, receive, send)
            return
        asked, answered, status, began = Beginning(), Beginning(), 0, time.monotonic()

        async def hear() -> Message:
            message = await receive()
            asked.add(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            answered.add(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, hear, say)
        finally:
            about = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status or 500,
                "ms": round((time.monotonic() - began) * 1000),
            }
            self._servers.observe(scope[_TENANT], asked, answered, about)

    def _wanted(self, scope: Scope) -> bool:
        """Who is asked here is the service's own code: an error of it must not cost the request."""
        try:
            scope[_TENANT] = self._tenant(scope) if self._observes(scope) else ""
        except Exception:
            return False
        return bool(scope[_TENANT])
