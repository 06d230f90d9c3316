"""A tool's fix as replacement text for the lines of its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def replacement(lines: Sequence[str], start: int, end: int, edits: list[dict[str, Any]]) -> str | None:
    """The lines from `start` to `end` with the edits made; None where an edit lies elsewhere or changes nothing.

    Lines and columns are 1-based, an end column is exclusive.
    """
    if not edits or end > len(lines):
        return None
    text = "\n".join(lines[start - 1 : end])
    changed = text
    for edit in sorted(edits, key=lambda e: (e["line"], e["column"]), reverse=True):
        if edit["line"] < start or edit["end_line"] > end:
            return None
        first, last = (_offset(lines, start, edit[a], edit[b]) for a, b in (("line", "column"), ("end_line", "end_column")))
        changed = changed[:first] + str(edit["text"]) + changed[last:]
    return None if changed == text else changed


def _offset(lines: Sequence[str], start: int, line: int, column: int) -> int:
    return sum(len(text) + 1 for text in lines[start - 1 : line - 1]) + column - 1
