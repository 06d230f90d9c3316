"""What a reviewer should see first: the diff, bounded, and where what it touches is used; and lines of head for the jury to show."""

from __future__ import annotations

import re
import tempfile
import time

from .changes import REGULAR, Change, changes
from .git import GitError, Repository
from .process import Deadline
from .text import LINE_LIMIT, clip, show

DIFF = 120_000
FILE_DIFF = 24_000
CALLERS = 60
CALLERS_EACH = 6
NAMES = 40
FILES = 300
DIFF_S = 25.0
PLACES = 500
CONTEXT, EXCERPT = 3, 40
_NOISE = re.compile(
    rb"(^|/)(package-lock\.json|yarn\.lock|pnpm-lock\.yaml|poetry\.lock|uv\.lock|Cargo\.lock|go\.sum|vendor/|node_modules/|.*\.min\.(js|css)$|.*\.map$)"
)
_DEFINES = re.compile(
    rb"^[+ -]\s*(?:export\s+|pub\s+|public\s+|private\s+|static\s+|async\s+)*(?:def|class|function|func|fn)\s+([A-Za-z_]\w{2,60})"
)
_AROUND = re.compile(rb"^@@ [^@]+ @@ .*?(?:def|class|function|func|fn)\s+([A-Za-z_]\w{2,60})")


def survey(repo: str, base: str, head: str, deadline_s: float, ignore: tuple[str, ...] = ()) -> dict[str, object]:
    """The diff with the smallest files first to be left out last, and callers of touched functions in other files."""
    with tempfile.TemporaryDirectory(prefix="survey-") as empty:
        repository = Repository(repo, empty, Deadline(deadline_s))
        found = changes(repository, base, head, ignore)
        diff, left_out, names = _diff(repository, base, head, found)
        touched = {change.path for change in found}
        return {
            "diff": diff,
            "left_out": left_out[:500],
            "callers": _callers(repository, head, names, touched),
            "changed_files": [
                {"path": show(c.path), "status": c.status, "added_lines": c.added_lines, "deleted_lines": c.deleted_lines}
                for c in found[:20_000]
            ],
        }


def _diff(repository: Repository, base: str, head: str, found: list[Change]) -> tuple[str, list[str], list[str]]:
    shown: list[str] = []
    left_out: list[str] = []
    names: dict[str, None] = {}
    room, ends_at = DIFF, time.monotonic() + DIFF_S
    for change in sorted(found, key=lambda c: ((c.added_lines or 0) + (c.deleted_lines or 0), c.path)):
        path = show(change.path)
        if room < FILE_DIFF // 8 or len(shown) >= FILES or time.monotonic() > ends_at:
            left_out.append(path)
            continue
        if _NOISE.search(change.path) or change.added_lines is None or b"\0" in change.path:
            left_out.append(path)
            continue
        words = (
            "diff-tree",
            "-p",
            "-U6",
            "-r",
            "-M",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--no-commit-id",
            "--function-context",
        )
        try:
            raw = repository.run(
                *words, base, head, "--", *{f":(literal){show(p)}" for p in (change.old_path, change.path)}, max_output=4 * FILE_DIFF
            ).stdout
        except GitError:
            left_out.append(path)
            continue
        for line in raw.split(b"\n"):
            if match := (_DEFINES.match(line) or _AROUND.match(line)):
                names.setdefault(match[1].decode())
        text = clip(raw.decode("utf-8", "backslashreplace"), FILE_DIFF)
        if not text or len(text) > room:
            left_out.append(path)
            continue
        room -= len(text)
        shown.append(text)
    return "\n".join(shown), left_out, list(names)[:NAMES]


def _callers(repository: Repository, head: str, names: list[str], touched: set[bytes]) -> list[dict[str, object]]:
    callers: list[dict[str, object]] = []
    ends_at = time.monotonic() + DIFF_S
    for name in names:
        if time.monotonic() > ends_at:
            break
        try:
            lines = repository.run("grep", "-nIwFz", "-e", name, head, "--", timeout_s=5, max_output=200_000).stdout.split(b"\n")
        except GitError:
            continue  # nothing was found, or too much
        each = 0
        for line in lines:
            fields = line.split(b"\0", 2)
            if len(fields) < 3 or each == CALLERS_EACH or len(callers) == CALLERS:
                continue
            path = fields[0].partition(b":")[2]
            if path in touched or not fields[1].isdigit():
                continue
            callers.append({"path": show(path), "line": int(fields[1]), "name": name, "text": clip(show(fields[2]).strip(), 200)})
            each += 1
    return callers


def places(repo: str, head: str, wanted: list[list[object]], deadline_s: float) -> list[dict[str, object] | None]:
    """For each path, first and last line at head: the lines around; None where they are not there, no lines where they cannot be read."""
    with tempfile.TemporaryDirectory(prefix="places-") as empty:
        repository = Repository(repo, empty, Deadline(deadline_s))
        listing = repository.run("ls-tree", "-rz", "--full-tree", head).stdout.split(b"\0")
        blobs: dict[str, str] = {}
        for entry in listing:
            meta, _, path = entry.partition(b"\t")
            fields = meta.decode().split()
            if len(fields) == 3:
                blobs[show(path)] = fields[2] if fields[0] in REGULAR else ""
        asked = [(str(path), int(str(start)), int(str(end))) for path, start, end in wanted[:PLACES]]
        contents = repository.blobs(blobs[path] for path, _, _ in asked if blobs.get(path))
        return [_place(contents.get(blobs[path]), start, end) if path in blobs else None for path, start, end in asked]


def _place(content: bytes | None, start: int, end: int) -> dict[str, object] | None:
    if content is None:  # too large to be read here, or no regular file
        return {"start_line": start, "lines": []}
    lines = content.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    if end > len(lines):
        return None
    first = max(1, start - CONTEXT)
    last = min(len(lines), end + CONTEXT, first + EXCERPT - 1)
    return {"start_line": first, "lines": [clip(show(line.rstrip(b"\r"), LINE_LIMIT), LINE_LIMIT) for line in lines[first - 1 : last]]}
