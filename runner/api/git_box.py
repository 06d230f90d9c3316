"""git as programs of boxes: run there, with the box's network and nothing of the host's."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field

from runner.api.errors import BadInput
from runner.api.wire import Body, Text, Token
from runner.api.work import MAX_OUTPUT_BYTES, folder_of
from sandbox.box import Box, Command, ExecResult
from sandbox.errors import BoxFileError

_DEADLINE_S = 3600.0
_ENV = {"GIT_TERMINAL_PROMPT": "0"}  # nobody is there to answer

Word = Annotated[Text, Field(min_length=1, max_length=4096, pattern=r"^[^-]")]
"""What must not be taken for an option."""


class Clone(Body):
    """A repository to fetch; `folder` is where to, or where the new folder goes if it holds something."""

    repo: Word
    branch: Word | None = None
    depth: Annotated[int, Field(ge=1)] | None = None
    github_token: Annotated[Token, Field(max_length=1000)] | None = None
    folder: Text | None = None


async def clone_into(box: Box, wanted: Clone) -> str:
    """Fetch a repository into a box; returns the URL it came from. Raises BadInput."""
    url = wanted.repo if "://" in wanted.repo or wanted.repo.startswith("/") or ":" in wanted.repo else f"https://{wanted.repo}"
    target = await _free_folder(box, wanted.folder, PurePosixPath(url).name.removesuffix(".git"))
    options = [*(["--branch", wanted.branch] if wanted.branch else []), *(["--depth", str(wanted.depth)] if wanted.depth else [])]
    done(await git(box, None, "clone", "--quiet", *options, "--", url, target))
    return url


async def git(box: Box, folder: str | None, *arguments: str) -> ExecResult:
    command = Command(["git", *arguments], cwd=folder_of(folder), env=_ENV)
    return await box.exec(command, timeout_s=_DEADLINE_S, max_output_bytes=MAX_OUTPUT_BYTES)


def done(result: ExecResult) -> ExecResult:
    """The result of a command that must succeed. Raises BadInput with git's words."""
    if result.exit_code:
        said = text(result.stderr or result.stdout).strip()
        raise BadInput(f"git: {said[:2000] or f'exit code {result.exit_code}'}")
    return result


async def _free_folder(box: Box, folder: str | None, name: str) -> str:
    """Where a clone goes: the folder if it is missing or empty, else a new one in it."""
    path = folder_of(folder)
    if folder:
        try:
            if not await box.list_dir(path):
                return path
        except BoxFileError:
            return path
    return f"{path.rstrip('/')}/{name}"


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


async def git_text(box: Box, folder: str | None, *arguments: str) -> str:
    """What a git command that must succeed says. Raises BadInput."""
    return text(done(await git(box, folder, *arguments)).stdout).strip()
