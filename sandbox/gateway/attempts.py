"""Asking a provider until it answers: again after a pause, then another model."""

from __future__ import annotations

import asyncio
import email.utils
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

import h11

from sandbox.gateway.connection import connect
from sandbox.gateway.errors import UpstreamFailed
from sandbox.gateway.headers import Headers
from sandbox.gateway.provider import Endpoint, ModelSettings, Provider
from sandbox.gateway.upstream import Upstream

_HEADER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Asked:
    """What goes to a provider, whichever model it is for.

    Attributes:
        method: POST or GET.
        endpoint: the path.
        query: without the question mark; may be empty.
        headers: as the box sent them.
    """

    method: bytes
    endpoint: Endpoint
    query: str
    headers: Headers


@dataclass(slots=True)
class Answer:
    """An answer whose body has not been read yet."""

    head: h11.Response
    upstream: Upstream

    @property
    def worth_another_try(self) -> bool:
        """Overloaded or broken, which may pass."""
        return self.head.status_code == 429 or self.head.status_code >= 500


class Attempts:
    """Asks for one call, and remembers what it took.

    Args:
        settings: how often and how long.
        trust: how providers are verified.
        asked: what for.

    Attributes:
        count: requests sent.
        model: the one asked last.
    """

    def __init__(self, settings: ModelSettings, trust: ssl.SSLContext, asked: Asked) -> None:
        self._settings, self._trust, self._asked = settings, trust, asked
        self.count = 0
        self.model = ""

    async def first_answer(self, bodies: Sequence[tuple[str, bytes]]) -> Answer:
        """The first good answer, or the last bad one.

        Args:
            bodies: models with the body for each, in the order in which they are asked.

        Raises:
            UpstreamFailed: the last attempt brought none.
        """
        last: Answer | UpstreamFailed = UpstreamFailed("no model was asked")
        for self.model, body in bodies:
            for attempt in range(self._settings.attempts):
                _drop(last)
                last = await self._ask(body)
                if isinstance(last, Answer) and not last.worth_another_try:
                    return last
                wait_s = self._wait_s(last, attempt)
                if wait_s > self._settings.longest_wait_s or attempt + 1 == self._settings.attempts:
                    break
                _drop(last)
                await asyncio.sleep(wait_s)
        if isinstance(last, UpstreamFailed):
            raise last
        return last

    def _wait_s(self, last: Answer | UpstreamFailed, attempt: int) -> float:
        backoff: float = min(self._settings.backoff_s * 2**attempt, self._settings.longest_wait_s)
        told = _retry_after_s(last.head) if isinstance(last, Answer) else None
        return backoff if told is None else max(told, 0.0)

    async def _ask(self, body: bytes) -> Answer | UpstreamFailed:
        self.count += 1
        provider = self._settings.providers[self._asked.endpoint.provider]
        upstream = None
        try:
            upstream = await self._open(provider)
            return Answer(await self._send(provider, upstream, body), upstream)
        except UpstreamFailed as failure:
            if upstream is not None:
                upstream.abort()
            return failure
        except asyncio.CancelledError:
            if upstream is not None:
                upstream.abort()
            raise

    async def _send(self, provider: Provider, upstream: Upstream, body: bytes) -> h11.Response:
        asked = self._asked
        framing = ((b"Content-Length", b"%d" % len(body)),) if asked.method == b"POST" else ()
        await upstream.request(asked.method, provider.target(asked.endpoint, asked.query), [*provider.headers_out(asked.headers), *framing])
        if body:
            await upstream.send(body)
        await upstream.end()
        return await upstream.answer()

    async def _open(self, provider: Provider) -> Upstream:
        try:
            async with asyncio.timeout(self._settings.connect_s):
                connection = await connect(provider.host, provider.port, self._trust if provider.tls else None)
        except TimeoutError as error:
            raise UpstreamFailed(f"{provider.name} did not accept a connection within {self._settings.connect_s:g} s", 504) from error
        except OSError as error:
            raise UpstreamFailed(f"{provider.name} cannot be reached: {error.strerror or error}") from error
        return Upstream(connection, self._settings.idle_s, _HEADER_BYTES)


def _drop(last: Answer | UpstreamFailed) -> None:
    if isinstance(last, Answer):
        last.upstream.abort()


def _retry_after_s(head: h11.Response) -> float | None:
    """What the provider asks for, in seconds from now; None if nothing, or nothing that can be read."""
    for name, value in head.headers:
        if name == b"retry-after":
            text = value.decode("latin-1").strip()
            if text.isascii() and text.replace(".", "", 1).isdigit():
                return float(text)
            try:
                return email.utils.parsedate_to_datetime(text).timestamp() - time.time()
            except (ValueError, OverflowError):
                return None
    return None
