"""shellcheck: shell scripts, without rc files and without the directives of the script itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from . import kinds
from .model import SECURITY, Context, Copies, Outcome, Raw
from .process import Completed, run
from .text import clip, counted

_DIRECTIVE = re.compile(rb"(#[ \t]*)shellcheck(?=[ \t])")
_DISABLE = re.compile(rb"^\s*#\s*shellcheck\s+disable=(\S+)")
# Sourced files are not there to follow; the dialect is ours to tell; the parser's follow-ups say nothing more.
_EXCLUDE = "SC1090,SC1091,SC2148,SC1072"
_UNPARSED = range(1000, 2000)
# Where a script's own `disable` counts for nothing: the rules whose breach an attacker would hide.
_SECURITY_CODES = frozenset({2029, 2046, 2086, 2091, 2114, 2115, 2116, 2145, 2153, 2154, 2156, 2294, 2295, 2240, 2174})
_BATCH = 500


def collect(context: Context) -> Outcome:
    """Results of both versions of every changed script."""
    copies = Copies(context.scratch, "shellcheck")
    known: list[str] = []
    unknown: list[str] = []
    for index, change in enumerate(context.changes):
        if change.head is None or not kinds.is_shell(change.path, change.head):
            continue
        for side, data in (("head", change.head), ("base", change.base)):
            if data is not None:
                path = copies.add(change, index, side, _DIRECTIVE.sub(rb"\1_hellcheck", data), name="script.sh")
                (known if data.startswith(b"#!") else unknown).append(path)
    if not known and not unknown:
        return Outcome()
    program = context.binary("shellcheck")
    if program is None:
        return Outcome(status="missing", detail="the toolbox has no shellcheck; shell scripts were not checked")
    outcome = Outcome()
    for argv, paths in (([], known), (["-s", "bash"], unknown)):
        for first in range(0, len(paths), _BATCH):
            _run(context, [program, *argv], copies, paths[first : first + _BATCH], outcome)
    return outcome


def _run(context: Context, argv: list[str], copies: Copies, batch: list[str], outcome: Outcome) -> None:
    argv = [*argv, "--norc", "--format", "json1", "--exclude", _EXCLUDE, "--", *batch]
    done = run(argv, timeout_s=context.deadline.share(60), cwd=context.repository.empty)
    if done.timed_out:
        outcome.status, outcome.detail = "timed_out", "shellcheck ran out of time"
    elif done.returncode > 1 or done.returncode < 0 or done.truncated:
        outcome.status = "failed"
        outcome.detail = clip(done.stderr.decode("utf-8", "replace").strip()[-300:]) or f"shellcheck ended with exit code {done.returncode}"
    unparsed: dict[bytes, None] = {}
    for raw, code in _results(done, copies):
        change = context.changes[raw.place.index]
        if code in _UNPARSED and raw.extra["level"] == "error" and raw.place.side == "head":
            unparsed[change.path] = None
        if SECURITY in context.roles or raw.place.side == "base" or not _disabled(change.head or b"", raw.start, code):
            outcome.results.append(raw)
    if unparsed:
        outcome.not_covered.append(f"{counted(unparsed, 'shell script', 'shell scripts')} could not be parsed completely.")


def _results(done: Completed, copies: Copies) -> Iterator[tuple[Raw, int]]:
    try:
        comments = json.loads(done.stdout)["comments"] if done.stdout.strip() else []
    except (ValueError, KeyError):
        comments = []
    for item in comments:
        raw = _parse(item, copies)
        if raw is not None:
            yield raw, int(item["code"])


def _parse(item: dict[str, Any], copies: Copies) -> Raw | None:
    place = copies.place(item["file"])
    if place is None:
        return None
    edits = [
        {"line": r["line"], "column": r["column"], "end_line": r["endLine"], "end_column": r["endColumn"], "text": r["replacement"]}
        for r in (item.get("fix") or {}).get("replacements", [])
    ]
    rule = f"SC{int(item['code'])}"
    return Raw(place, rule, item["line"], max(item["line"], item["endLine"]), clip(item["message"]), {"level": item["level"]}, edits=edits)


def _disabled(data: bytes, line: int, code: int) -> bool:
    """True if the line before says so by the rule's number; `all` and file-wide directives never count."""
    if code in _SECURITY_CODES or line < 3:
        return False
    found = _DISABLE.match(data.split(b"\n")[line - 2])
    return bool(found) and f"SC{code}".encode() in found[1].split(b",") if found else False
