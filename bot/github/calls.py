"""Calls of GitHub's API.

Reading and whatever may be done twice is tried again here when GitHub stumbles. What creates something is not: whoever asks for it
looks first whether it is there, since an answer can get lost after the deed; and then not before the deed had time to be done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import githubkit
import httpx
from githubkit.exception import AuthExpiredError, GitHubException, RequestError, RequestFailed, RequestTimeout

from bot.github import metrics
from bot.github.answers import failure
from bot.github.errors import Limited, Missing, SignedOut, Unavailable
from bot.github.pace import USUAL, Pace
from jobs.redaction import Redaction

WAITED_FOR_S = 5.0
"""A limit that ends sooner is waited for here."""
PAGE, MOST_PAGES = 100, 50
_BROKEN_OFF = (502, 504)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

READING = MappingProxyType({"metadata": "read", "contents": "read", "pull_requests": "read"})
WRITING = MappingProxyType({"metadata": "read", "checks": "write", "pull_requests": "write"})
SCANNING = MappingProxyType({"security_events": "write"})
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Pause:
    """Until when an installation has called often enough: calling on would only make it longer."""

    def __init__(self) -> None:
        self._until = 0.0

    def begin(self, seconds: float) -> None:
        """Nobody calls for so long."""
        self._until = max(self._until, time.monotonic() + seconds)

    def check(self) -> None:
        """Raises Limited while it lasts."""
        left_s = self._until - time.monotonic()
        if left_s > 0:
            raise Limited(f"GitHub wants no calls for another {left_s:.0f} s", left_s)


class Access(Protocol):
    """How a call signs in."""

    async def client(self) -> githubkit.GitHub[Any]:
        """Who is signed in."""
        ...

    def renew(self) -> None:
        """What was shown is refused; show something new from now on."""


@dataclass(frozen=True)
class Ways:
    """How calls are made.

    Args:
        redaction: what is sent passes it.
        pace: how long is waited.
        base: what paths are below.
        pause: of the installation.
        fence: asked before anything is created; raises where it must not be any more.
    """

    redaction: Redaction
    pace: Pace = USUAL
    base: str = ""
    pause: Pause = field(default_factory=Pause)
    fence: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True)
class _Answer:
    """What GitHub said; `following` is what to ask for the next page, if there is one."""

    body: Any
    following: Mapping[str, str]


class Calls:
    """Calls by one way to sign in. All raise GitHubError."""

    def __init__(self, access: Access, ways: Ways) -> None:
        self._access, self._ways = access, ways

    async def get(self, path: str, **params: Any) -> Any:
        """What is there."""
        return await self.again("GET", path, None, params)

    async def find(self, path: str, **params: Any) -> Any:
        """What is there; None for nothing."""
        try:
            return await self.get(path, **params)
        except Missing:
            return None

    async def all(self, path: str, within: str = "", **params: Any) -> list[Any]:
        """All pages of a list, which lies `within` a field or is the answer itself."""
        found: list[Any] = []
        for page in range(1, MOST_PAGES + 1):
            answer = await self.get(path, per_page=PAGE, page=page, **params)
            part = answer[within] if within else answer
            found += part
            if len(part) < PAGE:
                break
        return found

    async def pages(self, path: str, **params: Any) -> AsyncIterator[list[Any]]:
        """A list page by page, where only GitHub knows what the next one is called."""
        asked: Mapping[str, Any] = {"per_page": PAGE, **params}
        for _ in range(MOST_PAGES):
            page = await self._again("GET", path, None, asked)
            yield page.body
            if not page.following:
                return
            asked = page.following

    async def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """Make something, once: whoever calls this has looked whether it is there."""
        return await self._once("POST", path, body)

    async def append(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change something by adding to it: whoever calls this has looked how much is there."""
        return await self._once("PATCH", path, body)

    async def change(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change something into what it may be already."""
        return await self.again("PATCH", path, body)

    async def remove(self, path: str) -> None:
        """Remove something, which may be gone."""
        try:
            await self.again("DELETE", path, None)
        except Missing:
            return

    async def again(self, method: str, path: str, body: Mapping[str, Any] | None, params: Mapping[str, Any] = _NOTHING) -> Any:
        """A call that does no harm when it is made twice."""
        return (await self._again(method, path, body, params)).body

    async def _again(self, method: str, path: str, body: Mapping[str, Any] | None, params: Mapping[str, Any]) -> _Answer:
        for pause_s in self._ways.pace.again_s:
            try:
                return await self._attempt(method, path, body, params)
            except Limited as error:
                if error.after_s > WAITED_FOR_S:
                    raise
                await asyncio.sleep(error.after_s)
            except Unavailable:
                await asyncio.sleep(pause_s)
        return await self._attempt(method, path, body, params)

    async def _once(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """A call that must not be made twice. Where it got no answer, the error says how long it may still be under way."""
        if self._ways.fence is not None:
            await self._ways.fence()
        try:
            return (await self._attempt(method, path, body, _NOTHING)).body
        except Limited:
            raise
        except Unavailable as error:
            error.after_s = self._ways.pace.settle_s if _may_be_under_way(error.__cause__) else 0.0
            raise

    async def _attempt(self, method: str, path: str, body: Mapping[str, Any] | None, params: Mapping[str, Any]) -> _Answer:
        url = self._ways.base + path if path.startswith("/") or not path else f"{self._ways.base}/{path}"
        try:
            return await self._sent(method, url, body, params)
        except SignedOut:  # nothing was done
            self._access.renew()
        return await self._sent(method, url, body, params)

    async def _sent(self, method: str, url: str, body: Mapping[str, Any] | None, params: Mapping[str, Any]) -> _Answer:
        sent = None if body is None else self._ways.redaction.of(body)
        self._ways.pause.check()
        client = await self._access.client()
        try:
            answer = await client.arequest(method, url, json=sent, params=params or None)
        except RequestFailed as error:
            self._count(method, error.response)
            failed = failure(method, url, error.response.raw_response)
            if isinstance(failed, Limited):
                self._ways.pause.begin(failed.after_s)
            raise failed from error
        except AuthExpiredError as error:
            raise SignedOut("the App's credentials are past their time") from error
        except (RequestTimeout, RequestError, GitHubException, httpx.HTTPError) as error:
            metrics.calls.labels(method, "none").inc()
            raise Unavailable(f"GitHub did not answer {method} {url}: {type(error.__cause__ or error).__name__}") from error
        self._count(method, answer)
        try:
            return _Answer(answer.json() if answer.content else None, _following(answer.raw_response))
        except ValueError as error:
            raise Unavailable(f"GitHub's answer to {method} {url} is no JSON") from error

    def _count(self, method: str, answer: githubkit.Response[Any]) -> None:
        metrics.calls.labels(method, str(answer.status_code)).inc()
        metrics.note_left(self._ways.pause, answer.headers)


def _following(answer: httpx.Response) -> Mapping[str, str]:
    link = answer.links.get("next", {}).get("url", "")
    return dict(parse_qsl(urlsplit(link).query))


def _may_be_under_way(cause: BaseException | None) -> bool:
    """True where nobody knows whether GitHub has done, or still does, what was asked."""
    if isinstance(cause, RequestFailed):
        return cause.response.status_code in _BROKEN_OFF
    return cause is None or not isinstance(cause.__cause__, _NEVER_SENT)
