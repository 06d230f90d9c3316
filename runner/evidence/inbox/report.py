"""The JSON that leaves the box: bounded, and saying what the bounds cut."""

from __future__ import annotations

import json
from typing import TypeVar

from .changes import Change
from .edits import replacement
from .enclosing import function_at
from .masking import masked
from .model import Outcome, Raw
from .novelty import Lines, new
from .text import LINE_LIMIT, clip, show

_T = TypeVar("_T", Raw, "tuple[str, Raw]")
MAX_RESULTS = 2000
MAX_FILES = 20_000
MAX_BYTES = 16_000_000
CONTEXT = 3
EXCERPT = 40


class Report:
    """Collects the outcomes of all tools. `wanted` are the indices of the files asked for."""

    def __init__(self, version: int, changes: list[Change], only_paths: frozenset[str] | None) -> None:
        self._version = version
        self._changes = changes
        self._lines = Lines(changes)
        self._paths = [show(change.path) for change in changes]
        self.wanted = [i for i, path in enumerate(self._paths) if only_paths is None or path in only_paths]
        self._asked = frozenset(self.wanted)
        self._results: list[dict[str, object]] = []
        self._tools: list[dict[str, object]] = []
        self._masks: dict[tuple[int, int], list[str]] = {}
        self._shown = True
        self._found: list[tuple[str, Raw]] = []
        self.not_covered: list[str] = []

    def add(self, tool: str, version: str, outcome: Outcome, seconds: float) -> None:
        """Take over what one tool did."""
        found = [raw for raw in new(outcome.results, self._changes, self._lines) if raw.place.index in self._asked]
        if len(found) > MAX_RESULTS:
            self.not_covered.append(f"{tool} found {len(found)} problems; only {MAX_RESULTS} are reported, of each kind some.")
            found = _of_each_kind(found)[:MAX_RESULTS]
        for raw in found:
            self._found.append((tool, raw))
            for number in range(raw.start, raw.end + 1) if raw.masks else ():
                self._masks.setdefault((raw.place.index, number), []).extend(raw.masks)
        self.not_covered += outcome.not_covered
        if outcome.status != "ok":
            self.not_covered.append(f"{tool} {outcome.status.replace('_', ' ')}: {outcome.detail}.")
        self._tools.append(
            {"tool": tool, "version": version, "status": outcome.status, "seconds": round(seconds, 3), "detail": clip(outcome.detail, 500)}
        )

    def shown_lines(self) -> list[tuple[int, int, bytes, str]]:
        """The lines that excerpts will show, each once: file, line, path and text."""
        numbers = dict.fromkeys((raw.place.index, number) for _, raw in self._found for number in self._excerpt(raw))
        return [(index, number, self._changes[index].path, self._text(index, number)) for index, number in numbers]

    def hide(self, secrets: dict[tuple[int, int], list[str]] | None) -> None:
        """Secrets that no excerpt may show, by file and line; None (unknown) leaves all excerpts out."""
        if secrets is None:
            self._shown = False
            self.not_covered.append("Source lines are not shown: they could not be searched for secrets.")
        for at, values in (secrets or {}).items():
            self._masks.setdefault(at, []).extend(values)

    def as_json(self) -> dict[str, object]:
        """The report as plain JSON values."""
        results = self._bounded()
        if len(self.wanted) > MAX_FILES:
            self.not_covered.append(f"{len(self.wanted)} files are changed; only the first {MAX_FILES} are listed.")
        return {
            "version": self._version,
            "changed_files": [self._file(index) for index in self.wanted[:MAX_FILES]],
            "results": results,
            "tools": self._tools,
            "not_covered": [clip(sentence) for sentence in dict.fromkeys(self.not_covered)][:100],
        }

    def _bounded(self) -> list[dict[str, object]]:
        results: list[dict[str, object]] = []
        size = 0
        for tool, raw in _of_each_kind(self._found):
            result = self._result(tool, raw)
            size += len(json.dumps(result))
            if size > MAX_BYTES:
                self.not_covered.append(f"Only {len(results)} of {len(self._found)} results fit into the report.")
                break
            results.append(result)
        return results

    def _file(self, index: int) -> dict[str, object]:
        change = self._changes[index]
        return {
            "path": self._paths[index],
            "status": change.status,
            "added_lines": change.added_lines,
            "deleted_lines": change.deleted_lines,
        }

    def _result(self, tool: str, raw: Raw) -> dict[str, object]:
        index = raw.place.index
        extra = dict(raw.extra)
        if function := function_at(self._lines.of("head", index), raw.start):
            extra.setdefault("function", clip(function, 120))
        hidden = [secret for number in self._excerpt(raw) for secret in self._masks.get((index, number), ())]
        return {
            "tool": tool,
            "rule": raw.rule,
            "path": self._paths[index],
            "start_line": raw.start,
            "end_line": raw.end,
            "message": masked(raw.message, hidden),
            "extra": {key: masked(value, hidden) if isinstance(value, str) else value for key, value in extra.items()},
            "suggestion": self._suggestion(raw, hidden) if self._shown else None,
            "excerpt": self._lines_shown(raw) if self._shown else None,
        }

    def _excerpt(self, raw: Raw) -> range:
        """The numbers of the lines around a result."""
        first, last = max(1, raw.start - CONTEXT), min(len(self._lines.of("head", raw.place.index)), raw.end + CONTEXT)
        return range(first, min(last, first + EXCERPT - 1) + 1)

    def _lines_shown(self, raw: Raw) -> dict[str, object]:
        index = raw.place.index
        numbers = self._excerpt(raw)
        lines = [clip(masked(self._text(index, n), self._masks.get((index, n), ())), LINE_LIMIT) for n in numbers]
        return {"start_line": numbers.start, "lines": lines}

    def _suggestion(self, raw: Raw, hidden: list[str]) -> str | None:
        """The tool's fix as text; none where it would repeat a secret, for a masked fix is no fix."""
        if not raw.edits:
            return None
        lines = [show(line, 1_000_000) for line in self._lines.of("head", raw.place.index)]
        text = replacement(lines, raw.start, raw.end, raw.edits)
        return None if text is None or len(text) > 4000 or masked(text, hidden) != text else text

    def _text(self, index: int, number: int) -> str:
        return self._lines.of("head", index)[number - 1].rstrip(b"\r").decode("utf-8", "backslashreplace")


def _of_each_kind(found: list[_T]) -> list[_T]:
    """The first of each rule, then the second of each, and so on: many of one kind must not crowd out the only one of another."""
    count: dict[object, int] = {}
    turns = []
    for position, one in enumerate(found):
        kind = (one[0], one[1].rule) if isinstance(one, tuple) else one.rule
        count[kind] = count.get(kind, 0) + 1
        turns.append((count[kind], position))
    return [found[position] for _, position in sorted(turns)]
