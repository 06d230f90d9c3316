"""Patterns of paths, as git's `glob` pathspecs read them: `*` ends at a slash, `**` as a part of its own stands for any folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase


def matches(path: str, patterns: Iterable[str]) -> bool:
    """True if a path matches one of the patterns; one without wildcards that names a folder means all below it."""
    parts = path.split("/")
    return any(_fits(parts, pattern.split("/")) or path.startswith(f"{pattern}/") for pattern in patterns)


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Part by part: `reached` are the places in the path that the pattern so far can end at, so no pattern takes long."""
    reached, end = {0}, len(parts)
    for number, wanted in enumerate(pattern):
        if wanted == "**":
            last = number == len(pattern) - 1
            reached = set(range(min(reached) + last, end + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < end and fnmatchcase(parts[at], wanted.replace("[^", "[!"))}
    return end in reached
