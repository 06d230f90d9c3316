"""Which lines of a change GitHub lets us comment on: those its diff shows, three lines around each change."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from box_review import Finding, git

_HUNK = re.compile(rb"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_LETTERS = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r", b'"': b'"', b"\\": b"\\"}


@dataclass(frozen=True)
class Hunk:
    """Lines of the head's version that the diff shows in one piece, first and last."""

    first: int
    last: int


@dataclass(frozen=True)
class Place:
    """Where a comment goes. `exact` if it is all of the finding's lines, which a suggestion can then replace."""

    first: int
    last: int
    exact: bool


Hunks = Mapping[str, tuple[Hunk, ...]]
MOST_BYTES = 32 << 20
_PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "-M")


def read_hunks(bare: Path, base_sha: str, head_sha: str, paths: Collection[str]) -> Hunks:
    """The hunks of a change in some files, by path; of what is larger than `MOST_BYTES` together, none.

    Raises:
        InputError: the commits are not there, or it is too large.
    """
    if not paths:
        return {}
    renames = _renames(git.bounded(["-C", str(bare), "diff", *_PLAIN, "--raw", "-z", base_sha, head_sha], MOST_BYTES))
    wanted = {name for path in paths for name in (path, renames.get(path, path))}
    words = ["-C", str(bare), "-c", "core.quotePath=true", "diff", *_PLAIN, "-U3", base_sha, head_sha, "--"]
    return parse(git.bounded([*words, *(f":(top,literal){name}" for name in sorted(wanted))], MOST_BYTES))


def _renames(raw: bytes) -> dict[str, str]:
    """What renamed files were called, by their new name."""
    fields, found = iter(raw.split(b"\0")), {}
    for meta in fields:
        if meta.startswith(b":"):
            old = next(fields)
            if meta.split()[4][:1] in (b"R", b"C"):
                found[next(fields).decode("utf-8", "replace")] = old.decode("utf-8", "replace")
    return found


def parse(diff: bytes) -> Hunks:
    """The hunks in a diff of git's. Lines of files cannot pass for its own: those stand between counted hunks."""
    found: dict[str, list[Hunk]] = {}
    path, left = None, [0, 0]
    for line in diff.split(b"\n"):
        if left[0] > 0 or left[1] > 0:
            left[0] -= line[:1] in (b" ", b"-", b"")
            left[1] -= line[:1] in (b" ", b"+", b"")
        elif line.startswith(b"+++ "):
            path = _path(line[4:])
        elif (hunk := _HUNK.match(line)) and path is not None:
            first, count = int(hunk[1]), int(hunk[2] or b"1")
            old = re.match(rb"^@@ -\d+(?:,(\d+))?", line)
            left = [int((old and old[1]) or b"1"), count]
            if count:
                found.setdefault(path, []).append(Hunk(first, first + count - 1))
    return {name: tuple(hunks) for name, hunks in found.items()}


def place(finding: Finding, hunks: Hunks) -> Place | None:
    """Where a finding's comment goes; None where GitHub takes none."""
    for hunk in hunks.get(finding.path, ()):
        first, last = max(hunk.first, finding.start_line), min(hunk.last, finding.end_line)
        if first <= last:
            return Place(first, last, exact=(first, last) == (finding.start_line, finding.end_line))
    return None


def _path(name: bytes) -> str | None:
    """The path of a `+++` line; None for a file that is gone."""
    name = name.rstrip(b"\t")
    if name.startswith(b'"'):
        name = _ESCAPE.sub(lambda found: _LETTERS.get(found[1]) or bytes([int(found[1], 8)]), name[1:-1])
    try:
        return None if name == b"/dev/null" else name.removeprefix(b"b/").decode()
    except UnicodeDecodeError:  # GitHub takes no comment there
        return None
