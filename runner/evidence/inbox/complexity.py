"""lizard: functions that became too complex or too long, in any language it reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .changes import Change
from .model import Context, Copies, Outcome, Place, Raw
from .text import clip, counted

EXTENSIONS = frozenset(
    [
        "py",
        "c",
        "h",
        "cc",
        "cpp",
        "cxx",
        "hpp",
        "java",
        "cs",
        "js",
        "jsx",
        "mjs",
        "cjs",
        "ts",
        "tsx",
        "vue",
        "go",
        "rs",
        "rb",
        "php",
        "swift",
        "scala",
        "kt",
        "kts",
        "lua",
        "m",
        "mm",
        "pl",
        "pm",
        "zig",
        "erl",
        "f90",
        "f95",
        "sol",
        "r",
    ]
)
COMPLEX = 10
GROWN = 5
LONG = 100
# Comments by which lizard is told to look away; the same number of bytes, so that columns stay.
_FORGIVEN = ((re.compile(rb"(lizard) (forgive)"), rb"\1_\2"), (re.compile(rb"(GENERATED) (CODE)"), rb"\1_\2"))


@dataclass(frozen=True)
class Function:
    """One function at one version; `complexity` is McCabe's number, `length` counts lines of code."""

    name: str
    start: int
    end: int
    complexity: int
    length: int


def collect(context: Context) -> Outcome:
    """Functions on added lines whose complexity newly exceeds the threshold, or that grew a lot above it."""
    outcome, functions = measure(context, range(len(context.changes)), "lizard")
    for index, change in enumerate(context.changes):
        before = _by_name(functions.get(Place("base", index), []))
        for function in functions.get(Place("head", index), []):
            old = before.get(function.name, [])
            outcome.results += _judge(Place("head", index), change, function, old.pop(0) if old else None)
    return outcome


def _judge(place: Place, change: Change, now: Function, was: Function | None) -> list[Raw]:
    first = change.first_added(now.start, now.end)
    if first is None:
        return []
    before = was.complexity if was else 0
    extra: dict[str, object] = {"name": now.name, "before": before, "after": now.complexity}
    # The definition's own line where it is in the diff, else the first line in it that changed.
    line = now.start if change.touches(now.start, now.start) else first
    if now.complexity > COMPLEX and (before <= COMPLEX or now.complexity - before >= GROWN):
        grew = f"{before} to {now.complexity}" if was else f"{now.complexity}"
        return [Raw(place, "complexity", line, line, f"`{now.name}` has a cyclomatic complexity of {grew}", extra, settled=True)]
    length = was.length if was else 0
    if now.length > LONG >= length:
        extra = {"name": now.name, "before": length, "after": now.length}
        return [Raw(place, "length", line, line, f"`{now.name}` has {now.length} lines of code", extra, settled=True)]
    return []


def _by_name(functions: Iterable[Function]) -> dict[str, list[Function]]:
    found: dict[str, list[Function]] = {}
    for function in functions:
        found.setdefault(function.name, []).append(function)
    return found


def measure(context: Context, indices: Iterable[int], name: str) -> tuple[Outcome, dict[Place, list[Function]]]:
    """All functions of the files given, at both versions."""
    copies = Copies(context.scratch, name)
    paths: list[str] = []
    for index in indices:
        change = context.changes[index]
        if change.head is None or _extension(change.path) not in EXTENSIONS:
            continue
        for side, data in (("head", change.head), ("base", change.base)):
            if data is not None:
                paths.append(copies.add(change, index, side, _unforgiven(data), split_returns=True))
    if not paths:
        return Outcome(), {}
    if not context.has_library("lizard"):
        return Outcome(status="missing", detail="the toolbox has no lizard; complexity was not measured"), {}
    return _run(context, copies, paths)


def _run(context: Context, copies: Copies, paths: list[str]) -> tuple[Outcome, dict[Place, list[Function]]]:
    done = context.worker("lizard_worker.py", "\0".join(paths).encode(), 60)
    outcome = Outcome()
    functions: dict[Place, list[Function]] = {}
    failed: dict[bytes, None] = {}
    for line in done.stdout.split(b"\n"):
        try:
            path, listed = json.loads(line)
        except ValueError:
            continue
        place = copies.place(path)
        if place is None:
            continue
        if listed is None:
            failed[context.changes[place.index].path] = None
            continue
        functions[place] = [
            Function(clip(n, 200), copies.line(place, s), copies.line(place, e), c, length) for n, s, e, c, length in listed
        ]
    if failed:
        outcome.not_covered.append(f"The complexity of {counted(failed, 'file', 'files')} could not be measured.")
    if done.timed_out:
        outcome.status, outcome.detail = "timed_out", "lizard ran out of time"
    elif done.returncode:
        outcome.status, outcome.detail = "failed", clip(done.stderr.decode("utf-8", "replace").strip()[-300:])
    return outcome, functions


def _unforgiven(data: bytes) -> bytes:
    for pattern, neutral in _FORGIVEN:
        data = pattern.sub(neutral, data)
    return data


def _extension(path: bytes) -> str:
    return path.rpartition(b".")[2].decode("ascii", "replace").lower()
