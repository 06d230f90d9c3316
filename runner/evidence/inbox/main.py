"""One request, one report: reads the change, runs the tools side by side, prints what is new."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import complexity, hidden_text, hotspots, imports, javascript, manifests, ruff, secret_scan, shellcheck, zizmor
from .changes import changes
from .contents import load
from .git import GitError, Repository
from .model import ARCHITECTURE, QUALITY, ROLES, SECURITY, Context, Outcome
from .process import Deadline
from .report import Report
from .survey import places, survey
from .text import clip

VERSION = 1
MAX_REQUEST = 100_000_000
RESERVE_S = 5.0


@dataclass(frozen=True)
class Tool:
    """A tool by the name findings carry, with the roles it works for."""

    name: str
    collect: Callable[[Context], Outcome]
    roles: tuple[str, ...]


TOOLS = (
    Tool("ruff", ruff.collect, (SECURITY, QUALITY)),
    Tool("detect-secrets", secret_scan.collect, (SECURITY,)),
    Tool("hidden-text", hidden_text.collect, (SECURITY,)),
    Tool("zizmor", zizmor.collect, (SECURITY,)),
    Tool("shellcheck", shellcheck.collect, (SECURITY, QUALITY)),
    Tool("lizard", complexity.collect, (QUALITY,)),
    Tool("grimp", imports.collect, (ARCHITECTURE,)),
    Tool("manifests", manifests.collect, (ARCHITECTURE,)),
    Tool("hot-spots", hotspots.collect, (ARCHITECTURE,)),
    Tool("js-imports", javascript.collect, (ARCHITECTURE,)),
)


class BadRequest(ValueError):
    """The JSON on stdin does not say what to do."""


@dataclass(frozen=True)
class Request:
    """What is asked: paths in the box, two commits, a role or tools, seconds, and paths to look at (None: all)."""

    repo: str
    base_sha: str
    head_sha: str
    tools: tuple[Tool, ...]
    roles: frozenset[str]
    tools_dir: str
    deadline_s: float
    only_paths: frozenset[str] | None
    ignore: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Request:
        """Read a request.

        Raises:
            BadRequest: something is missing, or nothing would be done.
        """
        try:
            role, names, only = str(data.get("role")), data.get("tools"), data.get("only_paths")
            return cls(
                repo=str(data["repo"]),
                base_sha=_commit(data["base_sha"]),
                head_sha=_commit(data["head_sha"]),
                tools=_tools(role, names),
                roles=frozenset([role] if names is None else ROLES),
                tools_dir=str(data["tools_dir"]),
                deadline_s=float(data["deadline_s"]),
                only_paths=None if only is None else frozenset(only),
                ignore=tuple(map(str, data.get("ignore", ()))),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise BadRequest(f"the request lacks or misuses {error}") from error


def _tools(role: str, names: list[str] | None) -> tuple[Tool, ...]:
    tools = tuple(tool for tool in TOOLS if (role in tool.roles if names is None else tool.name in names))
    if not tools:
        raise BadRequest(f"no tools for role {role!r}" if names is None else f"no tools named {names!r}")
    return tools


def _commit(name: object) -> str:
    text = str(name)
    if not re.fullmatch("[0-9a-f]{40}([0-9a-f]{24})?", text):
        raise BadRequest(f"{text[:80]!r} is not the full id of a commit")
    return text


def main() -> int:
    """The program; returns its exit code."""
    try:
        answer = _answer(json.loads(sys.stdin.buffer.read(MAX_REQUEST)))
    except (ValueError, GitError, OSError) as error:
        print(clip(f"{type(error).__name__}: {error}".replace("\n", " ")), file=sys.stderr)
        return 2
    json.dump(answer, sys.stdout)
    return 0


def _answer(asked: dict[str, Any]) -> object:
    """A report of evidence, a survey of the change, or lines of it."""
    if asked.get("ask") == "survey":
        ignore = tuple(map(str, asked.get("ignore", ())))
        return survey(str(asked["repo"]), _commit(asked["base_sha"]), _commit(asked["head_sha"]), float(asked["deadline_s"]), ignore)
    if asked.get("ask") == "places":
        return places(str(asked["repo"]), _commit(asked["head_sha"]), list(asked["places"]), float(asked["deadline_s"]))
    request = Request.parse(asked)
    with tempfile.TemporaryDirectory(prefix="evidence-") as scratch:
        return collect(request, scratch)


def collect(request: Request, scratch: str) -> dict[str, object]:
    """The whole report.

    Raises:
        GitError: the repository or one of the commits cannot be read.
    """
    # Some time is kept back for what must come after the tools.
    deadline, end = Deadline(max(request.deadline_s - RESERVE_S, request.deadline_s / 2)), Deadline(request.deadline_s)
    empty = Path(scratch, "empty")
    empty.mkdir()
    repository = Repository(request.repo, str(empty), deadline)
    found = changes(repository, request.base_sha, request.head_sha, request.ignore)
    report = Report(VERSION, found, request.only_paths)
    report.not_covered += load(repository, [found[i] for i in report.wanted])
    context = Context(repository, found, request.base_sha, request.head_sha, request.roles, request.tools_dir, scratch, deadline)
    versions = _versions(request.tools_dir)
    with ThreadPoolExecutor(len(request.tools)) as pool:
        futures = [pool.submit(_timed, tool, context) for tool in request.tools]
        for tool, future in zip(request.tools, futures):  # noqa: B905 - `strict` needs Python 3.10
            outcome, seconds = future.result()
            report.add(tool.name, versions.get(tool.name, ""), outcome, seconds)
    report.hide(secret_scan.values(replace(context, deadline=end), report.shown_lines()))
    return report.as_json()


def _timed(tool: Tool, context: Context) -> tuple[Outcome, float]:
    """Run a tool; what it raises is its failure, so that the others' results are not lost with it."""
    began = time.monotonic()
    try:
        outcome = tool.collect(context)
    except Exception as error:  # the boundary between tools: hostile input may break any of them in its own way
        outcome = Outcome(status="failed", detail=clip(f"{type(error).__name__}: {error}", 300))
    return outcome, time.monotonic() - began


def _versions(tools_dir: str) -> dict[str, str]:
    try:
        versions = json.loads(Path(tools_dir, "versions.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(version) for name, version in versions.items()} if isinstance(versions, dict) else {}
