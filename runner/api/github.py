"""What boxes may do at GitHub with their owner's token, which never enters them, and the routes that do it for them."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import httpx
from fastapi import APIRouter
from pydantic import Field

from runner.api.context import GitHubServer, Named, UsedBox
from runner.api.errors import ApiError, BadInput, Taken
from runner.api.git import git_text
from runner.api.wire import Body, Text

TIMEOUT_S = 30.0
_BRANCH = re.compile(r"[A-Za-z0-9][\w./-]{0,250}")
router = APIRouter(prefix="/v2/box/{box_id}/git")


@dataclass(frozen=True, slots=True)
class Server:
    """github.com, or a GitHub of one's own. `api_url` is without a slash at its end."""

    api_url: str = "https://api.github.com"

    @property
    def host(self) -> str:
        """Where repositories are cloned from."""
        host = urlsplit(self.api_url).hostname or ""
        return "github.com" if host == "api.github.com" else host

    def headers(self, token: str) -> dict[str, dict[str, str]]:
        """What the gateway adds to a box's requests, so that git and API calls work in it without the token."""
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        by_host = {urlsplit(self.api_url).hostname or "": {"Authorization": f"Bearer {token}"}}
        return by_host | {self.host: {"Authorization": f"Basic {basic}"}}

    def repository(self, url: str) -> str | None:
        """`owner/name` of a clone URL of this server; None for any other."""
        found = re.fullmatch(rf"(?:https://|ssh://git@|git@)?{re.escape(self.host)}[/:]([\w.-]+)/([\w.-]+?)(?:\.git)?/?", url)
        return f"{found[1]}/{found[2]}" if found else None


class NewPullRequest(Body):
    """A pull request from the checked-out branch."""

    title: Annotated[Text, Field(min_length=1, max_length=256)]
    body: Annotated[Text, Field(max_length=65_536)] = ""
    base: Annotated[Text, Field(max_length=250)] | None = None
    attach: Annotated[tuple[Text, ...], Field(max_length=50)] = ()
    folder: Text | None = None


class NewIssue(Body):
    """An issue in the repository of a folder."""

    title: Annotated[Text, Field(min_length=1, max_length=256)]
    body: Annotated[Text, Field(max_length=65_536)] = ""
    attach: Annotated[tuple[Text, ...], Field(max_length=50)] = ()
    folder: Text | None = None


@router.post("/create-pr")
async def create_pull_request(used: UsedBox, server: GitHubServer, body: NewPullRequest) -> dict[str, Any]:
    """Open a pull request; if there is one from that branch already, it is returned with a warning."""
    async with _Calls(server, used) as calls:
        repository = await _repository(used, server, body.folder)
        head = await git_text(used, body.folder, "rev-parse", "--abbrev-ref", "HEAD")
        if not _BRANCH.fullmatch(head) or head == "HEAD":
            raise BadInput(f"the folder stands at no branch that could be offered: {head[:100]!r}")
        base = body.base or str((await calls.get(f"/repos/{repository}"))["default_branch"])
        wanted = {"title": body.title, "body": body.body, "head": head, "base": base}
        warnings = _attachments(body.attach)
        try:
            made = await calls.post(f"/repos/{repository}/pulls", wanted)
        except Taken:
            owner = repository.partition("/")[0]
            open_ones = await calls.get(f"/repos/{repository}/pulls?state=open&head={quote(f'{owner}:{head}')}&base={quote(base, safe='')}")
            if not open_ones:
                raise
            made, warnings = open_ones[0], ["there was a pull request from this branch already", *warnings]
        return _shown(made, warnings) | {"base": base}


@router.post("/create-issue")
async def create_issue(used: UsedBox, server: GitHubServer, body: NewIssue) -> dict[str, Any]:
    """Open an issue."""
    async with _Calls(server, used) as calls:
        repository = await _repository(used, server, body.folder)
        made = await calls.post(f"/repos/{repository}/issues", {"title": body.title, "body": body.body})
        return _shown(made, _attachments(body.attach))


class _Calls:
    """Calls of the API with a box's token."""

    def __init__(self, server: Server, used: Named) -> None:
        token = used.book.token(used.entry.id)
        if token is None:
            raise BadInput(f"box {used.entry.id} has no GitHub token; give github_token when you create it or clone")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self._client = httpx.AsyncClient(base_url=server.api_url, headers=headers, timeout=TIMEOUT_S)

    async def __aenter__(self) -> _Calls:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> Any:
        """Raises ApiError."""
        return await self._call("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Raises Taken for what GitHub finds in the way, else ApiError."""
        return await self._call("POST", path, body)

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        try:
            answer = await self._client.request(method, path, json=body)
            said = answer.json() if answer.content else {}
        except (httpx.HTTPError, ValueError) as error:
            raise BadInput(f"GitHub did not answer as it should: {type(error).__name__}; try again shortly") from error
        if answer.is_success:
            return said
        words = _words(said) or answer.reason_phrase
        raise (Taken if answer.status_code == 422 else BadInput)(f"GitHub refused ({answer.status_code}): {words}")


def _words(said: Any) -> str:
    """GitHub's own words for what is wrong."""
    if not isinstance(said, dict):
        return ""
    details = [str(error.get("message") or error.get("field") or "") for error in said.get("errors") or () if isinstance(error, dict)]
    return "; ".join(part for part in (str(said.get("message", "")), *details) if part)[:1000]


async def _repository(used: Named, server: Server, folder: str | None) -> str:
    """The repository of a folder. What the box says of it counts only if its owner had it cloned. Raises ApiError."""
    origin = await git_text(used, folder, "remote", "get-url", "origin")
    repository = server.repository(origin)
    if repository is None:
        raise BadInput(f"the folder's origin is no repository at {server.host}: {origin[:200]!r}")
    if used.entry.cloned and repository.lower() not in {name.lower() for name in used.entry.cloned}:
        raise Taken(f"the folder's origin is {repository} now, which was not cloned into this box; clone it first")
    return repository


def _attachments(paths: tuple[str, ...]) -> list[str]:
    return [f"{len(paths)} file(s) were not attached: GitHub's API takes none"] if paths else []


def _shown(made: Any, warnings: list[str]) -> dict[str, Any]:
    try:
        shown: dict[str, Any] = {"url": str(made["html_url"]), "number": int(made["number"]), "title": str(made["title"])}
    except (KeyError, TypeError, ValueError) as error:
        raise ApiError("GitHub did not answer as it should") from error
    return shown | ({"warning": "; ".join(warnings)} if warnings else {})
