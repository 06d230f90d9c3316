"""Observing what a service asks of others with httpx, in two lines.

client = httpx.Client(event_hooks={"response": [observing(server)]})
client = httpx.AsyncClient(event_hooks={"response": [observing_async(server)]})
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx

from box_review.agent_server.observation import MAX_TEXT_BYTES, Beginning
from box_review.agent_server.server import AgentServer


def observing(server: AgentServer) -> Callable[[httpx.Response], None]:
    """A response hook: bodies pass as they are read, and are observed when they end."""

    def hook(response: httpx.Response) -> None:
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Passing(response.stream, _Told(server, response))

    return hook


def observing_async(server: AgentServer) -> Callable[[httpx.Response], Awaitable[None]]:
    """The same for `httpx.AsyncClient`."""

    async def hook(response: httpx.Response) -> None:
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _PassingAsync(response.stream, _Told(server, response))

    return hook


class _Told:
    """What has passed of a response, told once."""

    def __init__(self, server: AgentServer, response: httpx.Response) -> None:
        self._server, self._response = server, response
        self.answer = Beginning()
        self._over = False

    def end(self) -> None:
        if self._over:
            return
        self._over = True
        request, response = self._response.request, self._response
        about = {"method": request.method, "path": f"{request.url.host}{request.url.path}", "status": response.status_code}
        answer = _decoded(self.answer, response.headers.get("content-encoding", ""))
        self._server.observe(request.content if hasattr(request, "_content") else None, answer, about)


def _decoded(answer: Beginning, encoding: str) -> Beginning | bytes | str:
    """The beginning of a body as it was before it was packed, as far as the standard library can tell."""
    if encoding in {"gzip", "x-gzip", "deflate"}:
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(wbits=47).decompress(bytes(answer.data), MAX_TEXT_BYTES)
    return answer if encoding in {"", "identity"} else f"[{answer.size} bytes, {encoding[:20]}]"


class _Passing(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, told: _Told) -> None:
        self._stream, self._told = stream, told

    def __iter__(self) -> Iterator[bytes]:
        yield from map(self._told.answer.add, self._stream)

    def close(self) -> None:
        self._stream.close()
        self._told.end()


class _PassingAsync(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, told: _Told) -> None:
        self._stream, self._told = stream, told

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield self._told.answer.add(piece)

    async def aclose(self) -> None:
        await self._stream.aclose()
        self._told.end()
