"""detect-secrets: credentials in the lines the change adds, in files of any language."""

from __future__ import annotations

import json
from typing import Any

from .model import Context, Outcome, Place, Raw
from .text import clip, counted

LONGEST_LINE = 4000
_LOCK_FILES = (b".lock", b"-lock.json", b"-lock.yaml", b"go.sum", b".resolved", b"-shrinkwrap.json")


def collect(context: Context) -> Outcome:
    """Results on added lines, and on all of the base's lines that they equal, so that moved lines are not new."""
    if not context.has_library("detect_secrets"):
        return Outcome(status="missing", detail="the toolbox has no detect-secrets; nothing was scanned for credentials")
    outcome = Outcome()
    lines = _added_lines(context, outcome)
    if not lines:
        return outcome
    done = context.worker("secrets_worker.py", "\n".join(lines).encode(), 60)
    for line in done.stdout.split(b"\n"):
        raw = _parse(line)
        if raw is not None:
            outcome.results.append(raw)
    if done.timed_out:
        outcome.status, outcome.detail = "timed_out", "detect-secrets ran out of time"
    elif done.returncode:
        outcome.status, outcome.detail = "failed", clip(done.stderr.decode("utf-8", "replace").strip()[-300:])
    return outcome


def values(context: Context, lines: list[tuple[int, int, bytes, str]]) -> dict[tuple[int, int], list[str]] | None:
    """The secrets in lines that are about to be shown (file, line, path, text), by file and line.

    None where they could not be looked for: then nobody knows what the lines hold.
    """
    if not lines:
        return {}
    if not context.has_library("detect_secrets"):
        return None
    asked = [json.dumps([index, number, _name(path), text[:LONGEST_LINE]]) for index, number, path, text in lines]
    done = context.worker("secrets_worker.py", "\n".join(asked).encode(), 30)
    if done.timed_out or done.returncode:
        return None
    found: dict[tuple[int, int], list[str]] = {}
    for raw in filter(None, map(_parse, done.stdout.split(b"\n"))):
        found.setdefault((raw.place.index, raw.start), []).extend(raw.masks)
    return found


def _name(path: bytes) -> str:
    return path.rsplit(b"/", 1)[-1].decode("utf-8", "backslashreplace")


def _added_lines(context: Context, outcome: Outcome) -> list[str]:
    lines: list[str] = []
    too_long: dict[bytes, None] = {}
    for index, change in enumerate(context.changes):
        if change.head is None or change.path.endswith(_LOCK_FILES):
            continue
        before = {line.strip() for line in change.base.split(b"\n")} if change.base else frozenset()
        name = _name(change.path)
        head = change.head.split(b"\n")
        for number in (n for first, last in change.ranges for n in range(first, min(last, len(head)) + 1)):
            text = head[number - 1]
            if len(text) > LONGEST_LINE:
                too_long[change.path] = None
                text = text[:LONGEST_LINE]
            if len(text) >= 8 and text.strip() not in before:
                lines.append(json.dumps([index, number, name, text.decode("utf-8", "backslashreplace")]))
    if too_long:
        where = counted(too_long, "file", "files")
        outcome.not_covered.append(f"Lines longer than {LONGEST_LINE} characters in {where} were scanned for credentials only up to there.")
    return lines


def _parse(line: bytes) -> Raw | None:
    try:
        item: list[Any] = json.loads(line)
        index, number, rule, kind, secret = item
    except ValueError:
        return None
    return Raw(Place("head", int(index)), str(rule), int(number), int(number), f"{kind} in the source", masks=(str(secret),))
