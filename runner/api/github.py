"""What boxes may do at GitHub with their owner's token, which never enters them, and the routes that do it for them."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter
from pydantic import Field

from runner.api.context import Named, UsedBox
from runner.api.errors import ApiError, BadInput, Taken
from runner.api.git_box import git_text
from runner.api.github_api import Calls
from runner.api.wire import Body, Text

_BRANCH = re.compile(r"[A-Za-z0-9][\w./-]{0,250}")
router = APIRouter(prefix="/v2/box/{box_id}/git")


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
async def create_pull_request(used: UsedBox, body: NewPullRequest) -> dict[str, Any]:
    """Open a pull request; if there is one from that branch already, it is returned with a warning."""
    async with _calls(used) as calls:
        repository = await _repository(used, body.folder)
        head = await git_text(used.box, body.folder, "rev-parse", "--abbrev-ref", "HEAD")
        if not _BRANCH.fullmatch(head) or head == "HEAD":
            raise BadInput(f"the folder stands at no branch that could be offered: {head[:100]!r}")
        base = body.base or _branch_of(await calls.get(f"/repos/{repository}"))
        wanted = {"title": body.title, "body": body.body, "head": head, "base": base}
        warnings = _attachments(body.attach)
        try:
            made = await calls.post(f"/repos/{repository}/pulls", wanted)
        except Taken:
            owner = repository.partition("/")[0]
            open_ones = await calls.get(f"/repos/{repository}/pulls?state=open&head={quote(f'{owner}:{head}')}&base={quote(base, safe='')}")
            if not isinstance(open_ones, list) or not open_ones:
                raise
            made, warnings = open_ones[0], ["there was a pull request from this branch already", *warnings]
        return _shown(made, warnings) | {"base": base}


@router.post("/create-issue")
async def create_issue(used: UsedBox, body: NewIssue) -> dict[str, Any]:
    """Open an issue."""
    async with _calls(used) as calls:
        repository = await _repository(used, body.folder)
        made = await calls.post(f"/repos/{repository}/issues", {"title": body.title, "body": body.body})
        return _shown(made, _attachments(body.attach))


def _calls(used: Named) -> Calls:
    """Calls with the box's token. Raises BadInput."""
    token = used.book.token(used.entry.id)
    if token is None:
        raise BadInput(f"box {used.entry.id} has no GitHub token; give github_token when you create it or clone")
    return Calls(used.boxes.github, token)


async def _repository(used: Named, folder: str | None) -> str:
    """The repository of a folder. What the box says of it counts only if its owner had it cloned. Raises ApiError."""
    origin = await git_text(used.box, folder, "remote", "get-url", "origin")
    repository = used.boxes.github.repository(origin)
    if repository is None:
        raise BadInput(f"the folder's origin is no repository at {used.boxes.github.host}: {origin[:200]!r}")
    if used.entry.cloned and repository.lower() not in {name.lower() for name in used.entry.cloned}:
        raise Taken(f"the folder's origin is {repository} now, which was not cloned into this box; clone it first")
    return repository


def _branch_of(repository: Any) -> str:
    branch = repository.get("default_branch") if isinstance(repository, dict) else None
    if not isinstance(branch, str):
        raise ApiError("GitHub did not say which branch is the default one; give `base`")
    return branch


def _attachments(paths: tuple[str, ...]) -> list[str]:
    return [f"{len(paths)} file(s) were not attached: GitHub's API takes none"] if paths else []


def _shown(made: Any, warnings: list[str]) -> dict[str, Any]:
    try:
        shown: dict[str, Any] = {"url": str(made["html_url"]), "number": int(made["number"]), "title": str(made["title"])}
    except (KeyError, TypeError, ValueError) as error:
        raise ApiError("GitHub did not answer as it should") from error
    return shown | ({"warning": "; ".join(warnings)} if warnings else {})
