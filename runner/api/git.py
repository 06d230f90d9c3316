"""Routes of git in a box. git runs there, with the box's network and nothing of the host's."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from runner.api.context import NamedBox, UsedBox
from runner.api.git_box import Clone, Word, done, git, text
from runner.api.wire import Body, Text

router = APIRouter(prefix="/v2/box/{box_id}")


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
    """Fetch a repository. The token stays outside: the gateway adds it to requests to GitHub, from now on."""
    await used.boxes.clone(used.entry, used.box, body)
    return {}


@router.get("/git/diff")
async def diff(used: UsedBox, folder: str | None = None) -> dict[str, Any]:
    """What has changed since the last commit, staged or not."""
    result = await git(used.box, folder, "diff", "HEAD")
    if result.exit_code:  # there is no commit yet
        result = await git(used.box, folder, "diff", "--cached")
    return {"diff": text(done(result).stdout)}


@router.get("/git/status")
async def status(used: UsedBox, folder: str | None = None) -> dict[str, Any]:
    """Changed files in git's short form; nothing where there is no repository."""
    return {"status": text((await git(used.box, folder, "status", "--porcelain")).stdout)}


@router.post("/git/commit")
async def commit(used: UsedBox, body: Commit) -> dict[str, Any]:
    """Commit what is staged."""
    name, email = body.author_name or used.entry.git_user_name, body.author_email or used.entry.git_user_email
    who = ["-c", f"user.name={name}", "-c", f"user.email={email}"]
    done(await git(used.box, body.folder, *who, "commit", "--quiet", "--message", body.message))
    return {"sha": text(done(await git(used.box, body.folder, "rev-parse", "HEAD")).stdout).strip(), "message": body.message}


@router.post("/git/push")
async def push(used: UsedBox, body: Push) -> dict[str, Any]:
    """Send the checked-out branch to where it came from."""
    done(await git(used.box, body.folder, "push", "--quiet", "origin", f"HEAD:refs/heads/{body.branch}" if body.branch else "HEAD"))
    return {}


@router.post("/git/checkout")
async def checkout(used: UsedBox, body: Checkout) -> dict[str, Any]:
    """Go to a branch."""
    there = await git(used.box, body.folder, "checkout", "--quiet", body.branch, "--")
    if there.exit_code:
        done(await git(used.box, body.folder, "checkout", "--quiet", "-b", body.branch))
    return {}


@router.post("/git/exec")
async def execute(used: UsedBox, body: GitExec) -> dict[str, Any]:
    """Any git command; that it fails is an answer."""
    result = await git(used.box, body.folder, *body.args)
    answer = {"output": text(result.stdout), "exit_code": result.exit_code}
    return answer | ({"error": text(result.stderr)} if result.stderr else {})


@router.put("/config/git")
@router.put("/git-config", include_in_schema=False)
async def configure(named: NamedBox, body: Identity) -> dict[str, Any]:
    """Who commits from now on; what is not given stays."""
    entry = named.boxes.save(named.entry, **body.model_dump(exclude_none=True))
    return {"git_user_name": entry.git_user_name, "git_user_email": entry.git_user_email}
