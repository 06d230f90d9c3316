"""GitHub asked by the front itself, for set-up and signing in: a handful of calls, without the client that the worker has.

All raise GitHubError.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx
import jwt
from box_review.finding import ContractModel
from fastapi.requests import HTTPConnection
from pydantic import ValidationError

from bot.github.credentials import Credentials
from bot.github.errors import Denied, Missing, Rejected, Unavailable

ASK_S = 15.0
PATIENCE_S = (0.4, 1.5)
PER_PAGE, MOST_REPOSITORIES, MOST_INSTALLATIONS = 100, 3000, 100
_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}")
_LOCAL = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
_M = TypeVar("_M", bound=ContractModel)


class MadeApp(ContractModel):
    """An App as GitHub hands it over, once."""

    id: int
    slug: str
    html_url: str
    pem: str
    webhook_secret: str | None = None
    client_id: str
    client_secret: str


class KnownApp(ContractModel):
    """An App as it knows itself."""

    id: int
    slug: str
    html_url: str
    client_id: str = ""
    permissions: Mapping[str, str] = MappingProxyType({})
    events: tuple[str, ...] = ()


class Hook(ContractModel):
    """Where deliveries go; an empty address for an App without a webhook."""

    url: str | None = None


class User(ContractModel):
    """Somebody at GitHub."""

    id: int
    login: str


class Levels(ContractModel):
    """What a user may in a repository, as far as it matters here."""

    push: bool = False
    maintain: bool = False
    admin: bool = False


class Reached(ContractModel):
    """A repository that a user can read and the App is installed in."""

    id: int
    full_name: str
    permissions: Levels = Levels()

    @property
    def writable(self) -> bool:
        """True if the user may change it."""
        return self.permissions.push or self.permissions.maintain or self.permissions.admin


class Direct:
    """GitHub as it can be asked with no more than what a browser brought, or with the App's key.

    Args:
        url: where people see GitHub.
        api_url: of its API.
    """

    def __init__(self, url: str, api_url: str) -> None:
        self.url, self._api_url = url.rstrip("/"), api_url.rstrip("/")

    async def convert(self, code: str) -> MadeApp:
        """The App that somebody has just had made from our manifest. A code is good once, for an hour."""
        if not _CODE.fullmatch(code):
            raise Missing("this is no code of GitHub's")
        return _read(MadeApp, await self._again("POST", f"/app-manifests/{code}/conversions"))

    async def app(self, credentials: Credentials) -> KnownApp:
        """The App that a key belongs to."""
        return _read(KnownApp, await self._again("GET", "/app", _proof(credentials)))

    async def hook(self, credentials: Credentials) -> Hook:
        """Where its deliveries go."""
        try:
            return _read(Hook, await self._again("GET", "/app/hook/config", _proof(credentials)))
        except Missing:
            return Hook()

    async def user_token(self, credentials: Credentials, code: str, redirect_uri: str, verifier: str) -> str:
        """The token of a user who has just come back from GitHub. A code is good once, for ten minutes."""
        form = {
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret.get_secret_value(),
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        said = await self._ask("POST", f"{self.url}/login/oauth/access_token", form=form)
        token = said.get("access_token") if isinstance(said, dict) else None
        if not isinstance(token, str) or not token:
            raise Denied(f"GitHub gives no token: {said.get('error', 'no reason') if isinstance(said, dict) else 'no reason'}"[:200])
        return token

    async def user(self, token: str) -> User:
        """Whose token it is."""
        return _read(User, await self._again("GET", "/user", token))

    async def reached(self, token: str) -> list[Reached]:
        """The repositories with the App that a user was given access to, up to so many."""
        found: list[Reached] = []
        for place in await self._listed("/user/installations", "installations", token, MOST_INSTALLATIONS):
            try:
                path = f"/user/installations/{int(place['id'])}/repositories"
                found += [_read(Reached, one) for one in await self._listed(path, "repositories", token, MOST_REPOSITORIES - len(found))]
            except (Missing, KeyError):
                continue  # the App was removed from there in between
        return found

    async def _listed(self, path: str, within: str, token: str, most: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for page in range(1, most // PER_PAGE + 2):
            said = await self._again("GET", f"{path}?{urlencode({'per_page': PER_PAGE, 'page': page})}", token)
            part = said.get(within) if isinstance(said, dict) else None
            if not isinstance(part, list):
                raise Unavailable(f"GitHub answers {path} in a way this server does not understand")
            found += part
            if len(part) < PER_PAGE or len(found) >= most:
                break
        return found[: max(most, 0)]

    async def _again(self, method: str, path: str, token: str = "") -> Any:
        """A call that is made anew where no answer came; a code that was spent by an answer that got lost is gone all the same."""
        for pause_s in PATIENCE_S:
            try:
                return await self._ask(method, self._api_url + path, token)
            except Unavailable:
                await asyncio.sleep(pause_s)
        return await self._ask(method, self._api_url + path, token)

    async def _ask(self, method: str, url: str, token: str = "", form: Mapping[str, str] | None = None) -> Any:
        headers = {
            "Accept": "application/json" if form is not None else "application/vnd.github+json",
            "User-Agent": "box-review",
            **({"Authorization": f"Bearer {token}"} if token else {}),
        }
        try:
            async with httpx.AsyncClient(timeout=ASK_S, mounts=_LOCAL) as client:
                answer = await client.request(method, url, headers=headers, data=form)
        except httpx.HTTPError as error:
            raise Unavailable(f"GitHub cannot be reached at {self.url} ({type(error).__name__})") from error
        return _said(method, url, answer)


def _said(method: str, url: str, answer: httpx.Response) -> Any:
    status, what = answer.status_code, f"GitHub answered {method} {url.partition('?')[0]} with {answer.status_code}"
    if status >= 500 or status == 429 or (status == 403 and answer.headers.get("x-ratelimit-remaining") == "0"):
        raise Unavailable(what)
    if status in (401, 403):
        raise Denied(what)
    if status in (404, 410):
        raise Missing(what)
    if not 200 <= status < 300:
        raise Rejected(what)
    try:
        return answer.json()
    except ValueError as error:
        raise Unavailable(f"{what}, and no JSON") from error


def _read(model: type[_M], said: Any) -> _M:
    try:
        return model.model_validate(said)
    except ValidationError as error:
        fields = ", ".join(str(problem["loc"][0]) if problem["loc"] else "all" for problem in error.errors(include_input=False))
        raise Unavailable(f"GitHub answers in a way this server does not understand ({fields})") from None  # it may hold secrets


def _proof(credentials: Credentials) -> str:
    """A token that the App signs itself, good for nine minutes."""
    now = int(time.time())
    claims = {"iat": now - 60, "exp": now + 480, "iss": str(credentials.app_id)}
    try:
        return jwt.encode(claims, credentials.private_key.get_secret_value(), algorithm="RS256")
    except jwt.PyJWTError as error:
        raise Denied("the App's private key is none of GitHub's: those are RSA keys") from error


def direct_of(request: HTTPConnection) -> Direct:
    """The application's way to ask GitHub directly."""
    github: Direct = request.app.state.github_direct
    return github
