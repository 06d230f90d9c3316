"""Which results are new: on lines the change adds, and not there before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .changes import Change
from .model import Raw

# Ranges longer than this (a whole job, a whole class) are cut to the first line in them that changed.
LONGEST_RANGE = 20


class Lines:
    """The lines of both versions of every change, split once."""

    def __init__(self, changes: list[Change]) -> None:
        self._changes = changes
        self._split: dict[tuple[str, int], list[bytes]] = {}

    def of(self, side: str, index: int) -> list[bytes]:
        key = (side, index)
        if key not in self._split:
            change = self._changes[index]
            self._split[key] = ((change.head if side == "head" else change.base) or b"").split(b"\n")
        return self._split[key]

    def text(self, side: str, index: int, line: int) -> bytes:
        lines = self.of(side, index)
        return lines[line - 1].strip() if 1 <= line <= len(lines) else b""


def new(results: Iterable[Raw], changes: list[Change], lines: Lines) -> list[Raw]:
    """Results at head that count, in order of file and line.

    A result equals one at base if rule, file (after renames) and the stripped text of its line are the same;
    where a line stands more often than before, the unchanged ones are matched first.
    """
    results = list(results)
    before = Counter(_key(raw, lines) for raw in results if raw.place.side == "base")
    found = []
    for raw in sorted((r for r in results if r.place.side == "head"), key=lambda r: _added(r, changes)):
        if not raw.settled:
            key = _key(raw, lines)
            if before[key] > 0:
                before[key] -= 1
                continue
            if not raw.anywhere and not _added(raw, changes):
                continue
        found.append(_shortened(raw, changes[raw.place.index]))
    return sorted(found, key=lambda r: (r.place.index, r.start, r.rule))


def _key(raw: Raw, lines: Lines) -> tuple[str, int, bytes]:
    return raw.rule, raw.place.index, lines.text(raw.place.side, raw.place.index, raw.start)


def _added(raw: Raw, changes: list[Change]) -> bool:
    return changes[raw.place.index].touches(raw.start, raw.end)


def _shortened(raw: Raw, change: Change) -> Raw:
    if raw.end - raw.start >= LONGEST_RANGE:
        raw.start = raw.end = change.first_added(raw.start, raw.end) or raw.start
        raw.edits = []
    return raw
