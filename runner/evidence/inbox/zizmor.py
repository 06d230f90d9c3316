"""zizmor: GitHub workflows and actions, offline, without configuration or ignore comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from . import kinds
from .model import Context, Copies, Outcome, Raw
from .process import Completed, run
from .text import clip, counted

_ARGS = ("--offline", "--no-config", "--no-ignores", "--no-progress", "--no-exit-codes", "--color", "never", "--format", "json-v1", "--")
_COMPLETED = re.compile(r"completed (\S+)")
_BATCH = 500


def collect(context: Context) -> Outcome:
    """Results of both versions of every changed workflow and action."""
    copies = Copies(context.scratch, "zizmor")
    paths: dict[str, int] = {}
    for index, change in enumerate(context.changes):
        name = kinds.workflow_name(change.path)
        if name is None or change.head is None:
            continue
        for side, data in (("head", change.head), ("base", change.base)):
            if data is not None:
                paths[copies.add(change, index, side, data, name=name, split_returns=True)] = index
    if not paths:
        return Outcome()
    program = context.binary("zizmor")
    if program is None:
        return Outcome(status="missing", detail="the toolbox has no zizmor; workflows were not checked")
    return _run(context, program, copies, list(paths))


def _run(context: Context, program: str, copies: Copies, paths: list[str]) -> Outcome:
    outcome = Outcome()
    unread: dict[bytes, None] = {}
    for first in range(0, len(paths), _BATCH):
        batch = paths[first : first + _BATCH]
        done = run([program, *_ARGS, *batch], timeout_s=context.deadline.share(60), cwd=context.repository.empty)
        if done.timed_out:
            outcome.status, outcome.detail = "timed_out", "zizmor ran out of time"
            return outcome
        problem = _problem(done)
        if problem:
            outcome.status, outcome.detail = "failed", problem
            return outcome
        outcome.results += _results(done, copies)
        audited = set(_COMPLETED.findall(done.stderr.decode("utf-8", "replace")))
        for path in batch:
            place = copies.place(path)
            if path not in audited and place is not None and place.side == "head":
                unread[context.changes[place.index].path] = None
    if unread:
        outcome.not_covered.append(f"{counted(unread, 'workflow', 'workflows')} could not be read by zizmor.")
    return outcome


def _problem(done: Completed) -> str:
    # 3 means that no input was a workflow at all; the names are said as not covered.
    if done.returncode in (0, 3) and not done.truncated:
        return ""
    return clip(done.stderr.decode("utf-8", "replace").strip()[-300:]) or f"zizmor ended with exit code {done.returncode}"


def _results(done: Completed, copies: Copies) -> Iterator[Raw]:
    try:
        items = json.loads(done.stdout) if done.stdout.strip() else []
    except ValueError:
        items = []
    for item in items:
        raw = _parse(item, copies)
        if raw is not None:
            yield raw


def _parse(item: dict[str, Any], copies: Copies) -> Raw | None:
    primary = next((at for at in item["locations"] if at["symbolic"]["kind"] == "Primary"), None)
    place = primary and copies.place(primary["symbolic"]["key"].get("Local", {}).get("verbatim_path", ""))
    if primary is None or place is None:
        return None
    span = primary["concrete"]["location"]
    start = copies.line(place, span["start_point"]["row"] + 1)
    # An end at column 0 is the end of the line before.
    end = copies.line(place, span["end_point"]["row"] + (span["end_point"]["column"] > 0))
    extra: dict[str, object] = {
        "severity": str(item["determinations"]["severity"]).lower(),
        "confidence": str(item["determinations"]["confidence"]).lower(),
        "feature": clip(str(primary["concrete"]["feature"]).split("\n", 1)[0], 200),
    }
    message = f"{item['desc']}: {primary['symbolic']['annotation']}"
    return Raw(place, clip(str(item["ident"]), 64), start, max(start, end), clip(message), extra)
