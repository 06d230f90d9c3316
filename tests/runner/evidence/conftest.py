"""Repositories of two commits, made of any bytes, and the collector run on them as in a box."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.evidence.report import Report, parse_report
from runner.evidence.toolbox import Toolbox, build_toolbox

EXAMPLE = Path(__file__).parents[3] / "examples" / "pull-request"
Content = bytes | str | tuple[str, bytes] | None
"""A file's contents; with a mode (`120000`, `160000`) it is something else than a file; None deletes it."""
Tree = Mapping[Any, Content]


@dataclass(frozen=True)
class Run:
    """What one run of the collector left."""

    report: Report
    stdout: bytes


@dataclass(frozen=True)
class Change:
    """A repository with a base and a head commit."""

    path: Path
    base: str
    head: str
    toolbox: Toolbox

    def run(self, role: str, *, env: Mapping[str, str] | None = None, **request: object) -> Run:
        """Run the collector; fails where it ends without a report."""
        asked = {"repo": str(self.path), "base_sha": self.base, "head_sha": self.head, "role": role, "deadline_s": 50}
        asked |= {"tools_dir": str(self.toolbox.tools)} | request
        argv = [sys.executable, "-I", "-B", str(self.toolbox.evidence / "collect.py")]
        # The worst place to start from: the repository itself, as working directory.
        done = subprocess.run(
            argv, input=json.dumps(asked).encode(), capture_output=True, cwd=self.path, env={**os.environ, **(env or {})}, check=False
        )
        return Run(parse_report(done.stdout, done.returncode, done.stderr), done.stdout)

    def collect(self, role: str, **request: object) -> Report:
        """The report of one run."""
        return self.run(role, env=None, **request).report


MakeChange = Callable[[Tree, Tree], Change]


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Toolbox:
    return build_toolbox(tmp_path_factory.mktemp("toolbox"))


@pytest.fixture
def make_change(tmp_path: Path, toolbox: Toolbox) -> MakeChange:
    """Makes a repository whose head is the base with some files added or replaced."""

    def make(base: Tree, head: Tree) -> Change:
        path = tmp_path / "repo"
        git(tmp_path, "init", "--quiet", "--template=", "repo")
        stream = _commit("refs/heads/main", base, 1) + _commit("refs/heads/pull-request", head, 2, "refs/heads/main")
        subprocess.run(["git", "fast-import", "--quiet"], input=stream, cwd=path, check=True, capture_output=True)
        return Change(path, git(path, "rev-parse", "main"), git(path, "rev-parse", "pull-request"), toolbox)

    return make


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory, toolbox: Toolbox) -> Change:
    """The example pull request."""
    path = tmp_path_factory.mktemp("example") / "repo"
    subprocess.run([sys.executable, str(EXAMPLE / "build.py"), str(path)], check=True)
    return Change(path, git(path, "rev-parse", "main"), git(path, "rev-parse", "pull-request"), toolbox)


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def _commit(branch: str, tree: Tree, second: int, parent: str = "") -> bytes:
    person = f"Ada Example <ada@example.invalid> {1_760_000_000 + second} +0000"
    lines = [f"commit {branch}\ncommitter {person}\ndata 1\nx\n".encode()]
    if parent:
        lines.append(f"from {parent}\n".encode())
    for name, content in tree.items():
        quoted = "".join(f"\\{byte:03o}" for byte in (name.encode() if isinstance(name, str) else name))
        if content is None:
            lines.append(f'D "{quoted}"\n'.encode())
            continue
        mode, data = content if isinstance(content, tuple) else ("100644", content.encode() if isinstance(content, str) else content)
        if mode == "160000":
            lines.append(f'M 160000 {data.decode()} "{quoted}"\n'.encode())
        else:
            lines.append(f'M {mode} inline "{quoted}"\ndata {len(data)}\n'.encode() + data + b"\n")
    return b"".join(lines) + b"\n"
