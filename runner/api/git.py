"""Routes of git in a box. git runs there, with the box's network and nothing of the host's."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from runner.api.commands import MAX_OUTPUT_BYTES, folder_of
from runner.api.context import Named, NamedBox, UsedBox
from runner.api.errors import BadInput
from runner.api.wire import Body, Text
from sandbox.box import Command, ExecResult
from sandbox.errors import BoxFileError

DEADLINE_S = 3600.0
_ENV = {"GIT_TERMINAL_PROMPT": "0"}  # nobody is there to answer
router = APIRouter(prefix="/v2/box/{box_id}")

Word = Annotated[Text, Field(min_length=1, max_length=4096, pattern=r"^[^-]")]
"""What must not be taken for an option."""


class Clone(Body):
    """A repository to fetch; `folder` is where to, or where the new folder goes if it holds something."""

    repo: Word
    branch: Word | None = None
    depth: Annotated[int, Field(ge=1)] | None = None
    folder: Text | None = None


class Commit(Body):
    """What is staged becomes a commit."""

    message: Annotated[Text, Field(min_length=1)]
    author_name: Text | None = None
    author_email: Text | None = None
    folder: Text | None = None


class Push(Body):
    """Where to; the checked-out branch by default."""

    branch: Word | None = None
    folder: Text | None = None


class Checkout(Body):
    """A branch, made if it is missing."""

    branch: Word
    folder: Text | None = None


class GitExec(Body):
    """Arguments of git, without the word itself."""

    args: Annotated[tuple[Text, ...], Field(min_length=1)]
    folder: Text | None = None


class Identity(Body):
    """Who commits."""

    git_user_name: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    git_user_email: Annotated[Text, Field(min_length=1, max_length=200)] | None = None


@router.post("/git/clone")
async def clone(used: UsedBox, body: Clone) -> dict[str, Any]:
    """Fetch a repository."""
    url = body.repo if "://" in body.repo or body.repo.startswith("/") or ":" in body.repo else f"https://{body.repo}"
    name = PurePosixPath(url).name.removesuffix(".git")
    target = await _free_folder(used, body.folder, name)
    options = [*(["--branch", body.branch] if body.branch else []), *(["--depth", str(body.depth)] if body.depth else [])]
    _done(await _git(used, None, "clone", "--quiet", *options, "--", url, target))
    return {}


@router.get("/git/diff")
async def diff(used: UsedBox, folder: str | None = None) -> dict[str, Any]:
    """What has changed since the last commit, staged or not."""
    result = await _git(used, folder, "diff", "HEAD")
    if result.exit_code:  # there is no commit yet
        result = await _git(used, folder, "diff", "--cached")
    return {"diff": _text(_done(result).stdout)}


@router.get("/git/status")
async def status(used: UsedBox, folder: str | None = None) -> dict[str, Any]:
    """Changed files in git's short form; nothing where there is no repository."""
    return {"status": _text((await _git(used, folder, "status", "--porcelain")).stdout)}


@router.post("/git/commit")
async def commit(used: UsedBox, body: Commit) -> dict[str, Any]:
    """Commit what is staged."""
    name, email = body.author_name or used.entry.git_user_name, body.author_email or used.entry.git_user_email
    who = ["-c", f"user.name={name}", "-c", f"user.email={email}"]
    _done(await _git(used, body.folder, *who, "commit", "--quiet", "--message", body.message))
    return {"sha": _text(_done(await _git(used, body.folder, "rev-parse", "HEAD")).stdout).strip(), "message": body.message}


@router.post("/git/push")
async def push(used: UsedBox, body: Push) -> dict[str, Any]:
    """Send the checked-out branch to where it came from."""
    _done(await _git(used, body.folder, "push", "--quiet", "origin", f"HEAD:refs/heads/{body.branch}" if body.branch else "HEAD"))
    return {}


@router.post("/git/checkout")
async def checkout(used: UsedBox, body: Checkout) -> dict[str, Any]:
    """Go to a branch."""
    there = await _git(used, body.folder, "checkout", "--quiet", body.branch, "--")
    if there.exit_code:
        _done(await _git(used, body.folder, "checkout", "--quiet", "-b", body.branch))
    return {}


@router.post("/git/exec")
async def execute(used: UsedBox, body: GitExec) -> dict[str, Any]:
    """Any git command; that it fails is an answer."""
    result = await _git(used, body.folder, *body.args)
    answer = {"output": _text(result.stdout), "exit_code": result.exit_code}
    return answer | ({"error": _text(result.stderr)} if result.stderr else {})


@router.put("/config/git")
@router.put("/git-config", include_in_schema=False)
async def configure(named: NamedBox, body: Identity) -> dict[str, Any]:
    """Who commits from now on; what is not given stays."""
    entry = named.boxes.save(named.entry, **body.model_dump(exclude_none=True))
    return {"git_user_name": entry.git_user_name, "git_user_email": entry.git_user_email}


async def _git(used: Named, folder: str | None, *arguments: str) -> ExecResult:
    command = Command(["git", *arguments], cwd=folder_of(folder), env=_ENV)
    return await used.box.exec(command, timeout_s=DEADLINE_S, max_output_bytes=MAX_OUTPUT_BYTES)


def _done(result: ExecResult) -> ExecResult:
    """The result of a command that must succeed. Raises BadInput with git's words."""
    if result.exit_code:
        said = _text(result.stderr or result.stdout).strip()
        raise BadInput(f"git: {said[:2000] or f'exit code {result.exit_code}'}")
    return result


async def _free_folder(used: Named, folder: str | None, name: str) -> str:
    """Where a clone goes: the folder if it is missing or empty, else a new one in it."""
    path = folder_of(folder)
    if folder:
        try:
            if not await used.box.list_dir(path):
                return path
        except BoxFileError:
            return path
    return f"{path.rstrip('/')}/{name}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
