"""The App: its key makes tokens of an hour, each for one repository and no more than its use needs."""

from __future__ import annotations

import asyncio
import copy
import time
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import githubkit
import httpx
import structlog
from githubkit.auth import AppAuthStrategy, TokenAuthStrategy
from githubkit.cache.mem_cache import MemCacheStrategy

from bot.github.calls import Calls, Pause, Ways
from bot.github.credentials import Credentials
from bot.github.errors import LASTING, Rejected
from bot.github.pace import USUAL, Pace
from bot.github.pull import PullRef
from jobs.redaction import Redaction

log = structlog.get_logger()

STALE_S = 300.0
"""A token that ends sooner is used no more."""
DOUBTED_S = 600.0
"""So long a refusal is believed, and a token that lacks a permission used: owners may grant it meanwhile."""
LEVELS = ("none", "read", "write", "admin")
_LIMITS = httpx.Limits(max_connections=50, max_keepalive_connections=20)


@dataclass(frozen=True)
class Use:
    """What a token is for: repositories, by id or name, of an installation, and permissions there."""

    installation_id: int
    repository: int | str
    permissions: tuple[tuple[str, str], ...]

    @property
    def wanted(self) -> dict[str, list[int] | list[str]]:
        """The repository as GitHub is asked for it."""
        return {"repository_ids": [self.repository]} if isinstance(self.repository, int) else {"repositories": [self.repository]}


class App:
    """The App, as GitHub's API sees it.

    Args:
        credentials: whose App.
        api_url: of GitHub.
        transport: for tests; None for the network.
        pace: how long is waited.
    """

    def __init__(
        self, credentials: Credentials, api_url: str, *, transport: httpx.AsyncBaseTransport | None = None, pace: Pace = USUAL
    ) -> None:
        self.credentials = credentials
        self.redaction = Redaction(credentials.secrets())
        self._api_url, self._pace = api_url, pace
        self._transport = _Kept(transport or httpx.AsyncHTTPTransport(retries=1, proxy=_proxy(api_url), limits=_LIMITS))
        self._own = Calls(_Key(self), Ways(self.redaction, pace))
        self._fence: Callable[[], Awaitable[None]] | None = None
        self._pauses: dict[int, Pause] = {}
        self._tokens: dict[Use, tuple[str, float]] = {}
        self._minting: dict[Use, asyncio.Lock] = {}
        self._slug = [""]  # as GitHub has it now: Apps are renamed

    async def close(self) -> None:
        """End all connections."""
        await self._transport.close()

    def fenced(self, fence: Callable[[], Awaitable[None]]) -> App:
        """The same App, that asks `fence` before it creates anything; that raises where it must not be."""
        other = copy.copy(self)
        other._fence = fence
        return other

    @property
    def own(self) -> Calls:
        """Calls as the App itself."""
        return self._own

    async def slug(self) -> str:
        """The App's short name: its comments are those of `slug[bot]`."""
        if not self._slug[0]:
            self._slug[0] = str((await self._own.get("/app"))["slug"])
        return self._slug[0]

    async def of(self, pull: PullRef, permissions: Mapping[str, str]) -> Calls:
        """Calls in a pull request's repository, with permissions as far as the App has them. Raises GitHubError."""
        return await self._calls(_use(pull, pull.repo_id, permissions), f"/repos/{pull.full_name}")

    async def of_named(self, pull: PullRef, name: str, permissions: Mapping[str, str]) -> Calls | None:
        """Calls in another repository of the same owner; None where the App is not installed there."""
        use = _use(pull, name, permissions)
        try:
            return await self._calls(use, f"/repos/{pull.owner}/{name}") if await self._token(use) else None
        except LASTING:
            self._tokens[use] = ("", time.time() + STALE_S + DOUBTED_S)
            return None

    async def token(self, pull: PullRef, permissions: Mapping[str, str], *, fresh: bool = False) -> str:
        """A token for one repository, with so many permissions and no more; `fresh` if the last was no use. Raises GitHubError."""
        use = _use(pull, pull.repo_id, permissions)
        if fresh:
            self._forget(use)
        return await self._token(use)

    def client(self, auth: Any) -> githubkit.GitHub[Any]:
        """GitHub's API with one way to sign in."""
        return githubkit.GitHub(
            auth,
            base_url=self._api_url.rstrip("/") + "/",
            user_agent="box-review",
            timeout=self._pace.call_s,
            http_cache=False,
            auto_retry=False,
            rest_api_validate_body=False,
            async_transport=self._transport,
            cache_strategy=MemCacheStrategy(),  # the library's own is shared, and would outlive a key
        )

    async def _calls(self, use: Use, base: str) -> Calls:
        await self._token(use)
        pause = self._pauses.setdefault(use.installation_id, Pause())
        return Calls(_Token(self, use), Ways(self.redaction, self._pace, base, pause, self._fence))

    async def _token(self, use: Use) -> str:
        async with self._minting.setdefault(use, asyncio.Lock()):
            token, ends_at = self._tokens.get(use, ("", 0.0))
            if ends_at - STALE_S < time.time():
                self._prune()
                token, ends_at = self._tokens[use] = await self._mint(use)
                self.redaction.add(token)
        return token

    def _prune(self) -> None:
        """Forget tokens that are past their time."""
        for use, (token, ends_at) in list(self._tokens.items()):
            if ends_at < time.time():
                del self._tokens[use]
                self.redaction.forget(token)
                if not self._minting[use].locked():
                    del self._minting[use]

    async def _mint(self, use: Use) -> tuple[str, float]:
        path, permissions = f"/app/installations/{use.installation_id}/access_tokens", dict(use.permissions)
        try:
            made = await self._own.again("POST", path, {**use.wanted, "permissions": permissions})  # one token more does no harm
        except Rejected:
            held = dict((await self._own.get(f"/app/installations/{use.installation_id}"))["permissions"])
            granted = _granted(permissions, held)
            if granted in (permissions, {}):
                raise
            log.warning("the App lacks permissions here", lacking=sorted(permissions.items() - granted.items()))
            made = await self._own.again("POST", path, {**use.wanted, "permissions": granted})
            return str(made["token"]), time.time() + STALE_S + DOUBTED_S
        return str(made["token"]), datetime.fromisoformat(str(made["expires_at"])).timestamp()

    def _forget(self, use: Use) -> None:
        self._tokens.pop(use, None)


class _Key:
    """Signs in as the App itself."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.renew()

    async def client(self) -> githubkit.GitHub[Any]:
        return self._client

    def renew(self) -> None:
        credentials = self._app.credentials
        self._client = self._app.client(AppAuthStrategy(credentials.app_id, credentials.private_key.get_secret_value()))


class _Token:
    """Signs in with a token, and with another when it is refused."""

    def __init__(self, app: App, use: Use) -> None:
        self._app, self._use = app, use

    async def client(self) -> githubkit.GitHub[Any]:
        return self._app.client(TokenAuthStrategy(await self._app._token(self._use)))

    def renew(self) -> None:
        self._app._forget(self._use)


class _Kept(httpx.AsyncBaseTransport):
    """Connections that outlive the client of a single call: githubkit makes one for each."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)

    async def close(self) -> None:
        """End them."""
        await self._inner.aclose()


def _use(pull: PullRef, repository: int | str, permissions: Mapping[str, str]) -> Use:
    return Use(pull.installation_id, repository, tuple(sorted(permissions.items())))


def _granted(wanted: Mapping[str, str], held: Mapping[str, str]) -> dict[str, str]:
    """As much of what is wanted as there is."""
    both = {name: min(level, held.get(name, "none"), key=LEVELS.index) for name, level in wanted.items() if name != "metadata"}
    got = {name: level for name, level in both.items() if level != "none"}
    return got | {name: wanted[name] for name in ("metadata",) if got and name in wanted}


def _proxy(url: str) -> str | None:
    """The proxy that the environment wants for a URL."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)
