"""Commits of pull requests, fetched into bare repositories on this machine: objects only, each checked, nothing checked out.

The token goes to git by its environment, where no other user sees it, and lives an hour.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from box_review import git
from box_review.errors import InputError
from box_review.source import HISTORY, Change

if TYPE_CHECKING:
    from bot.github.desk import Desk
    from bot.github.pull import PullRef

CLONING = MappingProxyType({"contents": "read", "metadata": "read"})
UNUSED_S = 7 * 24 * 3600.0
MOST_NAMES, MOST_PACKS = 40, 20


class Mirrors:
    """The bare repositories of one machine, one for each repository at GitHub, by its id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turns: dict[int, asyncio.Lock] = {}

    def folder_of(self, repo_id: int) -> Path:
        """Where a repository's commits are, if they are."""
        return self._folder / f"{repo_id}.git"

    async def fetch(self, repo_id: int, url: str, token: str, commits: Sequence[str]) -> Path:
        """A bare repository that has some commits, and some of the history before each.

        Raises:
            InputError: they cannot be had: gone by a force push, or GitHub does not answer.
        """
        async with self._turns.setdefault(repo_id, asyncio.Lock()):  # who waits for another holds no thread
            return await asyncio.to_thread(self._fetch, repo_id, url, token, commits)

    async def forget_unused(self) -> None:
        """Remove what nobody needed for a week."""
        await asyncio.to_thread(self._forget)

    def _fetch(self, repo_id: int, url: str, token: str, commits: Sequence[str]) -> Path:
        bare = self.folder_of(repo_id)
        with self._alone(repo_id):
            if not (bare / "HEAD").exists():
                kind = "sha1" if len(commits[0]) == 40 else "sha256"
                git.run(["init", "-q", "--bare", f"--object-format={kind}", str(bare)])
            if any(git.attempt(["-C", str(bare), "cat-file", "-e", f"{commit}^{{tree}}"]).returncode for commit in commits):
                try:
                    git.fetch(bare, url, commits, depth=HISTORY, more=_signed_in(token))
                    self._keep(bare, commits)
                except InputError:
                    self._mend(bare)
                    raise
            bare.touch()
        return bare

    def _keep(self, bare: Path, commits: Sequence[str]) -> None:
        """Name the commits, so that the next fetch says what is here; the oldest names go, and packs become one now and then."""
        for commit in commits:
            git.run(["-C", str(bare), "update-ref", f"refs/box/{time.time_ns()}", commit])
        names = git.text(bare, "for-each-ref", "--sort=refname", "--format=%(refname)", "refs/box").split()
        for name in names[:-MOST_NAMES]:
            git.run(["-C", str(bare), "update-ref", "-d", name])
        if len(list(bare.glob("objects/pack/*.pack"))) > MOST_PACKS:
            git.run(["-C", str(bare), "repack", "-a", "-d", "-q"])

    def _mend(self, bare: Path) -> None:
        """Remove a repository in which a git that was killed has left its locks; the next fetch makes a new one."""
        if any(bare.glob("*.lock")):
            shutil.rmtree(bare, ignore_errors=True)

    @contextlib.contextmanager
    def _alone(self, repo_id: int) -> Iterator[None]:
        """One process at a time works on a repository."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / f"{repo_id}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _forget(self) -> None:
        for bare in self._folder.glob("*.git"):
            with self._alone(int(bare.stem)):
                if time.time() - bare.stat().st_mtime > UNUSED_S:
                    shutil.rmtree(bare)


async def fetched(desk: Desk, pull: PullRef, commits: Sequence[str]) -> Path:
    """A repository on this machine that has some commits of a pull request's. Raises GitHubError, InputError."""
    token = await desk.app.token(pull, CLONING)
    try:
        return await desk.mirrors.fetch(pull.repo_id, desk.clone_url(pull), token, commits)
    except InputError:  # git does not tell a token that was revoked from other trouble
        token = await desk.app.token(pull, CLONING, fresh=True)
        return await desk.mirrors.fetch(pull.repo_id, desk.clone_url(pull), token, commits)


def change(bare: Path, name: str, merge_base: str, head_sha: str, title: str) -> Change:
    """What is to be reviewed, out of a mirror that has it."""
    return Change(
        repository=bare,
        name=name,
        base_sha=merge_base,
        tip_sha=merge_base,
        head_sha=head_sha,
        base=merge_base[:12],
        head=head_sha[:12],
        title=title,
        uncommitted=0,
    )


def _signed_in(token: str) -> dict[str, str]:
    """The environment in which git shows a token to the one server it is for, and follows nobody to another."""
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    settings = {"http.extraHeader": f"Authorization: Basic {basic}", "http.followRedirects": "false", "credential.helper": ""}
    pairs: dict[str, str] = {}
    for at, (key, value) in enumerate(settings.items()):
        pairs |= {f"GIT_CONFIG_KEY_{at}": key, f"GIT_CONFIG_VALUE_{at}": value}
    return {"GIT_CONFIG_COUNT": str(len(settings)), **pairs}
