"""The fake as an ASGI application, and a thread that serves it on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from tests.fakes.github.credentials import Caller
from tests.fakes.github.faults import Fault, Faults
from tests.fakes.github.wire import Answer, Request

START_S = 10.0


@dataclass(frozen=True)
class Asked:
    """One request as it came and what became of it; `status` is None when the connection was cut before anything was done."""

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]
    kind: str
    """none, app, installation, workflow, user or user-to-server."""
    who: str
    status: int | None
    cut: bool


class Application:
    """An ASGI application; `work` answers a request, outside of the event loop."""

    def __init__(self, work: Callable[[Request], tuple[Answer, Caller]], faults: Faults) -> None:
        self._work = work
        self._faults = faults
        self.asked: list[Asked] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http", scope["type"]
        request = Request(
            scope["method"], scope["raw_path"].decode().partition("?")[0], scope["query_string"].decode(),
            {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}, await _body(receive),
        )  # fmt: skip
        fault = self._faults.take(request) or Fault()
        await asyncio.sleep(fault.delay_s)
        if fault.cut_before:
            self._log(request, None, None, cut=True)
            _cut(send)
            return
        answer, caller = (fault.answer, None) if fault.answer else await asyncio.to_thread(self._work, request)
        self._log(request, caller, answer, cut=fault.cut_after)
        if fault.cut_after:
            _cut(send)
            return
        await _send(send, request, answer)

    def _log(self, request: Request, caller: Caller | None, answer: Answer | None, *, cut: bool) -> None:
        kind, who = (caller.kind, caller.who) if caller else ("", "")
        status = answer.status if answer else None
        self.asked.append(Asked(request.method, request.path, request.query_string, request.body, request.headers, kind, who, status, cut))


async def _body(receive: Any) -> bytes:
    pieces: bytes = b""
    while True:
        message = await receive()
        pieces += message.get("body", b"")
        if not message.get("more_body"):
            return pieces


async def _send(send: Any, request: Request, answer: Answer) -> None:
    raw = b"" if answer.status in (204, 304) else answer.raw
    fields = {**answer.fields, "content-length": str(len(raw))}
    if answer.status in (204, 304):
        del fields["content-length"]
    headers = [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else raw})


def _cut(send: Any) -> None:
    """Break the connection without a word; without a server there is none, and the client sees it at once."""
    cycle = getattr(send, "__self__", None)
    if cycle is None:
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
    # The server would say 500 for an application that ends without an answer, so it must believe that there was one.
    cycle.response_started = cycle.response_complete = True
    cycle.transport.abort()


class _Quick(uvicorn.Server):
    """Ends at once instead of at the next tenth of a second; whoever still asks is cut off."""

    async def main_loop(self) -> None:
        self._loop, self._ends = asyncio.get_running_loop(), asyncio.Event()
        await self.on_tick(0)
        await self._ends.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()
        await asyncio.sleep(0)

    def end(self) -> None:
        """From another thread."""
        self._loop.call_soon_threadsafe(self._ends.set)


class Serving:
    """An ASGI application on a free port of loopback; `url` is known before it starts."""

    def __init__(self, application: Any) -> None:
        # asyncio answers at once (TCP_NODELAY) only on sockets that say they are TCP; others wait 40 ms for an acknowledgement.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(128)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            application, lifespan="off", ws="none", http="h11", proxy_headers=False, server_header=False, log_config=None,
            timeout_keep_alive=30,
        )  # fmt: skip
        self._server = _Quick(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, name="github", daemon=True)

    def start(self) -> None:
        """Serve. Raises TimeoutError when it does not begin to."""
        self._thread.start()
        ends = time.monotonic() + START_S
        while not self._server.started:
            if time.monotonic() > ends:
                raise TimeoutError("the server does not start")
            time.sleep(0.005)

    def stop(self) -> None:
        """End."""
        if not self._thread.is_alive():
            self._socket.close()
            return
        self._server.end()
        self._thread.join(START_S)
