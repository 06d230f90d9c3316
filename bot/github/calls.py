"""Calls of GitHub's API. The App's key makes tokens of an hour, each for one repository and no more than its use needs.

Reading and whatever may be done twice is tried again here when GitHub stumbles. What creates something is not: whoever asks for it
looks first whether it is there, since an answer can get lost after the deed.
"""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import githubkit
import httpx
import structlog
from githubkit.auth import AppAuthStrategy, TokenAuthStrategy
from githubkit.exception import AuthExpiredError, GitHubException, RequestError, RequestFailed, RequestTimeout

from bot.github import metrics
from bot.github.credentials import Credentials
from bot.github.errors import Denied, GitHubError, Limited, Missing, Rejected, Unavailable
from bot.github.pull import PullRef
from jobs.redaction import Redaction

log = structlog.get_logger()

CALL_S = 20.0
PATIENCE_S = (0.3, 1.0, 3.0)
WAITED_FOR_S = 5.0
"""A limit that ends sooner is waited for here."""
STALE_S, NAMED_S = 300.0, 600.0
PAGE, MOST_PAGES = 100, 50
_LIMITS = httpx.Limits(max_connections=50, max_keepalive_connections=20)

READING = MappingProxyType({"metadata": "read", "contents": "read", "pull_requests": "read"})
WRITING = MappingProxyType({"metadata": "read", "checks": "write", "pull_requests": "write"})
SCANNING = MappingProxyType({"security_events": "write"})


class App:
    """The App, as GitHub's API sees it.

    Args:
        credentials: whose App.
        api_url: of GitHub.
        transport: for tests; None for the network.
    """

    def __init__(self, credentials: Credentials, api_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.credentials = credentials
        self.redaction = Redaction(credentials.secrets())
        self._api_url = api_url
        self._transport = _Kept(transport or httpx.AsyncHTTPTransport(retries=1, proxy=_proxy(api_url), limits=_LIMITS))
        key = credentials.private_key.get_secret_value()
        self._own = Calls(self._client(AppAuthStrategy(credentials.app_id, key)), self.redaction)
        self._pauses: dict[int, Pause] = {}
        self._tokens: dict[tuple[int, int, tuple[str, ...]], tuple[str, float]] = {}
        self._named: dict[tuple[int, str], tuple[str, float]] = {}
        self._minting: dict[tuple[int, int, tuple[str, ...]], asyncio.Lock] = {}
        self._slug = credentials.slug

    async def close(self) -> None:
        """End all connections."""
        await self._transport.close()

    @property
    def own(self) -> Calls:
        """Calls as the App itself."""
        return self._own

    async def slug(self) -> str:
        """The App's short name: its comments are those of `slug[bot]`."""
        if not self._slug:
            self._slug = str((await self._own.get("/app"))["slug"])
        return self._slug

    async def of(self, pull: PullRef, permissions: Mapping[str, str]) -> Calls:
        """Calls in a pull request's repository. Raises GitHubError."""
        token = await self.token(pull, permissions)
        pause = self._pauses.setdefault(pull.installation_id, Pause())
        return Calls(self._client(TokenAuthStrategy(token)), self.redaction, f"/repos/{pull.full_name}", pause)

    async def token(self, pull: PullRef, permissions: Mapping[str, str]) -> str:
        """A token for one repository, with so many permissions and no more. Raises GitHubError."""
        key = (pull.installation_id, pull.repo_id, tuple(f"{name}:{value}" for name, value in sorted(permissions.items())))
        async with self._minting.setdefault(key, asyncio.Lock()):
            token, ends_at = self._tokens.get(key, ("", 0.0))
            if ends_at - STALE_S < time.time():
                wanted = {"repository_ids": [pull.repo_id], "permissions": dict(permissions)}
                path = f"/app/installations/{pull.installation_id}/access_tokens"
                made = await self._own.again("POST", path, wanted)  # one token more does no harm
                token, ends_at = str(made["token"]), datetime.fromisoformat(str(made["expires_at"])).timestamp()
                self._tokens[key] = (token, ends_at)
                self.redaction.add(token)
        return token

    async def of_named(self, pull: PullRef, name: str, permissions: Mapping[str, str]) -> Calls | None:
        """Calls in another repository of the same owner; None where the App is not installed there."""
        key, now = (pull.installation_id, name), time.time()
        token, ends_at = self._named.get(key, ("", 0.0))
        if ends_at < now:
            path = f"/app/installations/{pull.installation_id}/access_tokens"
            try:
                made = await self._own.again("POST", path, {"repositories": [name], "permissions": dict(permissions)})
                token = str(made["token"])
                self.redaction.add(token)
            except (Rejected, Missing, Denied):
                token = ""
            self._named[key] = (token, now + NAMED_S)
        if not token:
            return None
        pause = self._pauses.setdefault(pull.installation_id, Pause())
        return Calls(self._client(TokenAuthStrategy(token)), self.redaction, f"/repos/{pull.owner}/{name}", pause)

    def forget(self, pull: PullRef) -> None:
        """Make new tokens for a repository: one was refused."""
        for key in [key for key in self._tokens if key[:2] == (pull.installation_id, pull.repo_id)]:
            del self._tokens[key]

    def _client(self, auth: Any) -> githubkit.GitHub[Any]:
        return githubkit.GitHub(
            auth,
            base_url=self._api_url.rstrip("/") + "/",
            user_agent="box-review",
            timeout=CALL_S,
            http_cache=False,
            auto_retry=False,
            rest_api_validate_body=False,
            async_transport=self._transport,
        )


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


class _Kept(httpx.AsyncBaseTransport):
    """Connections that outlive the client of a single call: githubkit makes one for each."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)

    async def close(self) -> None:
        """End them."""
        await self._inner.aclose()


def _proxy(url: str) -> str | None:
    """The proxy that the environment wants for a URL."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)


class Calls:
    """Calls with one token. Paths are below `base`. All raise GitHubError; what is sent passes the redaction."""

    def __init__(self, client: githubkit.GitHub[Any], redaction: Redaction, base: str = "", pause: Pause | None = None) -> None:
        self._client, self._redaction, self._base, self._pause = client, redaction, base, pause or Pause()

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

    async def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """Make something, once: whoever calls this has looked whether it is there."""
        return await self._attempt("POST", path, body, {})

    async def append(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change something by adding to it: whoever calls this has looked how much is there."""
        return await self._attempt("PATCH", path, body, {})

    async def change(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change something into what it may be already."""
        return await self.again("PATCH", path, body)

    async def remove(self, path: str) -> None:
        """Remove something, which may be gone."""
        try:
            await self.again("DELETE", path, None)
        except Missing:
            return

    async def again(self, method: str, path: str, body: Mapping[str, Any] | None, params: Mapping[str, Any] = MappingProxyType({})) -> Any:
        """A call that does no harm when it is made twice."""
        for pause_s in PATIENCE_S:
            try:
                return await self._attempt(method, path, body, params)
            except Limited as error:
                if error.after_s > WAITED_FOR_S:
                    raise
                await asyncio.sleep(error.after_s)
            except Unavailable:
                await asyncio.sleep(pause_s)
        return await self._attempt(method, path, body, params)

    async def _attempt(self, method: str, path: str, body: Mapping[str, Any] | None, params: Mapping[str, Any]) -> Any:
        url = self._base + path if path.startswith("/") or not path else f"{self._base}/{path}"
        sent = None if body is None else self._redaction.of(body)
        self._pause.check()
        try:
            answer = await self._client.arequest(method, url, json=sent, params=params or None)
        except RequestFailed as error:
            metrics.calls.labels(method, str(error.response.status_code)).inc()
            metrics.note_left(self._pause, error.response.headers)
            failure = _failed(method, url, error.response.raw_response)
            if isinstance(failure, Limited):
                self._pause.begin(failure.after_s)
            raise failure from error
        except AuthExpiredError as error:
            raise Denied("the App's credentials are past their time") from error
        except (RequestTimeout, RequestError, GitHubException, httpx.HTTPError) as error:
            metrics.calls.labels(method, "none").inc()
            raise Unavailable(f"GitHub did not answer {method} {url}: {type(error.__cause__ or error).__name__}") from error
        metrics.calls.labels(method, str(answer.status_code)).inc()
        metrics.note_left(self._pause, answer.headers)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise Unavailable(f"GitHub's answer to {method} {url} is no JSON") from error


def _failed(method: str, url: str, answer: httpx.Response) -> GitHubError:
    """What an answer of 400 and more means for what is to be done."""
    said = f"GitHub answered {method} {url} with {answer.status_code}: {_words(answer)}"
    status = answer.status_code
    wait_s = _wait_s(answer)
    if status == 429 or (status == 403 and wait_s is not None):
        return Limited(said, 60.0 if wait_s is None else wait_s)
    if status >= 500:
        return Unavailable(said)
    if status in (401, 403):
        return Denied(said)
    if status in (404, 410, 451):
        return Missing(said)
    return Rejected(said)


def _wait_s(answer: httpx.Response) -> float | None:
    """Seconds until a limit ends, if there is one."""
    headers = answer.headers
    try:
        if "retry-after" in headers:
            return max(0.0, float(headers["retry-after"]))
        if headers.get("x-ratelimit-remaining") == "0" and "x-ratelimit-reset" in headers:
            return max(1.0, float(headers["x-ratelimit-reset"]) - time.time())
    except ValueError:
        return 60.0
    return 60.0 if "secondary rate limit" in _words(answer).lower() else None


def _words(answer: httpx.Response) -> str:
    """GitHub's own words, with what it says of single fields."""
    try:
        body = answer.json()
    except ValueError:
        return answer.reason_phrase
    if not isinstance(body, dict):
        return answer.reason_phrase
    details = [error if isinstance(error, str) else _detail(error) for error in body.get("errors") or ()]
    return "; ".join(part for part in (str(body.get("message", "")), *details) if part)[:500]


def _detail(error: Mapping[str, Any]) -> str:
    return str(error.get("message") or error.get("field") or "")
