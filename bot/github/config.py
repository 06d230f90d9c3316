"""What the owners of a repository want, as the tip of the base says it: settings, and guidance for reviewers."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from box_review.config import FILE, MOST_BYTES, RepoConfig, read_config
from box_review.errors import ConfigInvalid

from bot.github.app import App
from bot.github.calls import READING, Calls
from bot.github.errors import Missing
from bot.github.pull import PullRef

GUIDANCE = ("AGENTS.md", "CLAUDE.md")
MOST_GUIDANCE = 12_000
"""Characters of guidance that agents are given; the rest is cut off."""


async def tip_of(app: App, pull: PullRef, base: Mapping[str, Any]) -> str:
    """The newest commit of the branch that a pull request goes to: what GitHub tells with it is as old as its last push."""
    calls = await app.of(pull, READING)
    found = await calls.find(f"/git/ref/heads/{quote(str(base['ref']))}")
    return str(base["sha"] if found is None else found["object"]["sha"])


async def read_repo_config(app: App, pull: PullRef, base: Mapping[str, Any], tip: str) -> RepoConfig:
    """The settings at the base's tip, over those of the organisation.

    Who opens a pull request chooses the branch it goes to. So what protects the repository holds as the default branch has it too.

    Raises:
        ConfigInvalid, GitHubError.
    """
    calls = await app.of(pull, READING)
    path, main = f"/contents/{FILE}", str((base.get("repo") or {}).get("default_branch") or base["ref"])
    own, general = await asyncio.gather(_config(calls, path, tip, FILE), _general(app, pull))
    wanted = own.over(general)
    return wanted if main == base["ref"] else wanted.guarded_by((await _config(calls, path, main, f"{FILE} of {main}")).over(general))


async def read_guidance(app: App, pull: PullRef, ref: str) -> str:
    """What AGENTS.md and CLAUDE.md of the base say, which their owners wrote for agents."""
    calls = await app.of(pull, READING)
    texts = await asyncio.gather(*(read_file(calls, f"/contents/{name}", ref) for name in GUIDANCE))
    told = [
        f"From {name} of the repository:\n\n{text.decode('utf-8', 'replace')}" for name, text in zip(GUIDANCE, texts, strict=True) if text
    ]
    return "\n\n".join(dict.fromkeys(told))[:MOST_GUIDANCE]


async def _general(app: App, pull: PullRef) -> RepoConfig:
    """What an organisation wants of all its repositories: `.github/box-review.yml` of its repository `.github`."""
    calls = None if pull.repo == ".github" else await app.of_named(pull, ".github", READING)
    return RepoConfig() if calls is None else await _config(calls, f"/contents/{FILE}", "", f"{pull.owner}/.github {FILE}")


async def _config(calls: Calls, path: str, ref: str, name: str) -> RepoConfig:
    text = await read_file(calls, path, ref)
    if text is not None and len(text) > MOST_BYTES:
        raise ConfigInvalid(name, [(1, f"the file has more than {MOST_BYTES} bytes")])
    return RepoConfig() if text is None else read_config(text, name)


async def read_file(calls: Calls, path: str, ref: str = "") -> bytes | None:
    """A plain file at a commit, or on the default branch; None where there is none."""
    try:
        found = await calls.get(path, **({"ref": ref} if ref else {}))
    except Missing:
        return None
    if not isinstance(found, dict) or found.get("type") != "file":
        return None
    if found.get("encoding") != "base64":  # beyond a megabyte
        return b" " * (MOST_BYTES + 1)
    try:
        return base64.b64decode(str(found.get("content", "")))
    except binascii.Error:
        return None
