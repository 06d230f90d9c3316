"""What every tool gets and gives."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .changes import Change
from .git import Repository
from .process import Completed, Deadline, run

SECURITY, QUALITY, ARCHITECTURE = "security", "quality", "architecture"
ROLES = (SECURITY, QUALITY, ARCHITECTURE)
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}")
_LONE_RETURN = re.compile(rb"\r(?!\n)")


@dataclass(frozen=True)
class Place:
    """Where a tool's copy came from."""

    side: str
    index: int


@dataclass
class Raw:
    """One result as the tool gave it, at one version of one changed file; lines are git's, 1-based.

    `settled` results were compared with the base by their tool and stand on the lines it chose;
    `anywhere` results count outside the added lines too. `masks` must not appear in an excerpt.
    """

    place: Place
    rule: str
    start: int
    end: int
    message: str
    extra: dict[str, object] = field(default_factory=dict)
    settled: bool = False
    anywhere: bool = False
    edits: list[dict[str, object]] = field(default_factory=list)
    masks: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What one tool did: `ok`, `missing`, `failed` or `timed_out`, with sentences about what it left out."""

    results: list[Raw] = field(default_factory=list)
    status: str = "ok"
    detail: str = ""
    not_covered: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Context:
    """The change and the means to look at it. `roles` are those whose rules count."""

    repository: Repository
    changes: list[Change]
    base_sha: str
    head_sha: str
    roles: frozenset[str]
    tools_dir: str
    scratch: str
    deadline: Deadline

    def binary(self, name: str) -> str | None:
        """Path of a tool's program, None where the toolbox does not have it."""
        path = str(Path(self.tools_dir, "bin", name))
        return path if os.access(path, os.X_OK) else None

    def has_library(self, name: str) -> bool:
        """True if the toolbox has this Python package or module."""
        return any(Path(self.tools_dir, "lib", name + suffix).exists() for suffix in ("", ".py"))

    def worker(self, name: str, stdin: bytes, timeout_s: float) -> Completed:
        """Run one of our worker scripts in a Python of its own, isolated from folder, user and site packages."""
        script = str(Path(__file__).resolve().with_name(name))
        argv = [sys.executable, "-I", "-S", "-B", script, str(Path(self.tools_dir, "lib"))]
        return run(argv, stdin=stdin, timeout_s=self.deadline.share(timeout_s), cwd=self.repository.empty)


class Copies:
    """Copies of both versions under names we chose: no configuration beside them, no hostile path in them."""

    def __init__(self, scratch: str, name: str) -> None:
        self._root = Path(scratch, name)
        self._root.mkdir()
        self.root = str(self._root)
        self._lines: dict[Place, list[int]] = {}

    def add(self, change: Change, index: int, side: str, data: bytes, *, name: str = "", split_returns: bool = False) -> str:
        """Write one copy and return its path.

        A lone carriage return ends a line for Python and YAML but not for git; with `split_returns` it becomes
        a newline, and `line` leads back to git's numbers.
        """
        place = Place(side, index)
        if split_returns and _LONE_RETURN.search(data):
            data = self._split(place, data)
        path = self._root / side / str(index) / (name or _safe_name(change.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return str(path)

    def _split(self, place: Place, data: bytes) -> bytes:
        lines = [1]
        line = 1
        for part in re.split(rb"(\r\n|\r|\n)", data)[1::2]:
            line += part != b"\r"
            lines.append(line)
        self._lines[place] = lines
        return _LONE_RETURN.sub(b"\n", data)

    def place(self, path: str) -> Place | None:
        """Which version of which change a path in a tool's output means."""
        parts = path[len(self.root) + 1 :].split("/")
        if path.startswith(self.root + "/") and len(parts) == 3 and parts[0] in ("base", "head") and parts[1].isdigit():
            return Place(parts[0], int(parts[1]))
        return None

    def exact(self, place: Place) -> bool:
        """True if the copy's lines and columns are the original's."""
        return place not in self._lines

    def line(self, place: Place, line: int) -> int:
        """git's number of a tool's line."""
        lines = self._lines.get(place)
        return line if lines is None else lines[min(line, len(lines)) - 1]


def _safe_name(path: bytes) -> str:
    """The file's own name where it is harmless (rules look at `__init__.py`), else its extension on ours."""
    name = path.rsplit(b"/", 1)[-1].decode("utf-8", "replace")
    if _SAFE_NAME.fullmatch(name):
        return name
    extension = PurePosixPath(name).suffix
    return "file" + (extension if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", extension) else "")
