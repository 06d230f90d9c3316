"""Hot spots: files that change all the time, are complex already, and grow more so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .complexity import Function, measure
from .git import GitError
from .model import Context, Outcome, Place, Raw

HISTORY = 200
MIN_COMMITS = 5
MIN_COMPLEXITY = 20
MIN_GROWTH = 3


def collect(context: Context) -> Outcome:
    """Files changed in at least `MIN_COMMITS` of the last commits whose complexity grows again."""
    try:
        commits = _commits(context)
    except GitError as error:
        return Outcome(status="failed", detail=f"the history could not be read: {error}")
    busy = [i for i, change in enumerate(context.changes) if change.base is not None and commits[change.old_path] >= MIN_COMMITS]
    if not busy:
        return Outcome()
    outcome, functions = measure(context, busy, "hotspots")
    for index in busy:
        now, was = functions.get(Place("head", index), []), functions.get(Place("base", index), [])
        raw = _judge(context, index, now, was, commits[context.changes[index].old_path])
        if raw is not None:
            outcome.results.append(raw)
    return outcome


def _commits(context: Context) -> Counter[bytes]:
    """How many of the base's last commits changed each path; the oldest of a shallow clone, which adds everything, is no change."""
    args = ("log", "-z", "--format=%x01", "--name-only", "--no-renames", "--no-ext-diff", "--diff-filter=M", f"-n{HISTORY}")
    listing = context.repository.run(*args, context.base_sha, timeout_s=20).stdout
    return Counter(name.lstrip(b"\n") for name in listing.split(b"\0") if name.strip(b"\n\x01"))


def _judge(context: Context, index: int, now: Sequence[Function], was: Sequence[Function], commits: int) -> Raw | None:
    before, after = (sum(f.complexity for f in functions) for functions in (was, now))
    if after < MIN_COMPLEXITY or after - before < MIN_GROWTH:
        return None
    old = {f.name: f.complexity for f in was}
    change = context.changes[index]
    grown = sorted(now, key=lambda f: old.get(f.name, 0) - f.complexity)
    line = next((first for f in grown if (first := change.first_added(f.start, f.end))), None)
    if line is None:
        return None
    extra: dict[str, object] = {"commits": commits, "before": before, "after": after, "name": grown[0].name}
    message = f"changed in {commits} earlier commits; complexity {before} to {after}"
    return Raw(Place("head", index), "hot-spot", line, line, message, extra, settled=True)
