"""The comparison as one page: no script, no request to anywhere, readable on a phone and on paper."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import PackageLoader, Template
from markupsafe import Markup, escape

from box_review.comparison.answer import Status
from box_review.comparison.report import charts, wording
from box_review.comparison.result import CaseResult, CellResult, Comparison
from box_review.comparison.scores.mark import Mark
from box_review.report.html import environment
from box_review.sanitize import visible

_ALL_ANSWERS, _ALL_SOURCES = 6_000_000, 4_000_000
"""Characters of all answers and of all evidence together, so that a browser can open the page."""
_LEAST, _MOST = 1_000, 40_000


@dataclass(frozen=True)
class Shown:
    """One cell as the page has it."""

    model: str
    place: int
    series: int
    cell: CellResult
    answer: Markup
    cut: bool
    unsupported: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One case: its cells beside its evidence. `values` has one entry a model: what it says, how good that is, its number."""

    case: CaseResult
    expected: str
    values: tuple[tuple[str, str, int], ...]
    shown: tuple[Shown, ...]
    sources: tuple[tuple[str, str], ...]


def render(comparison: Comparison) -> str:
    """A self-contained HTML page; whatever models wrote stands in it as text."""
    strips, longest_s = charts.strips(comparison)
    return (
        _template().render(
            comparison=comparison,
            charts=charts,
            words=wording,
            scatter=charts.scatter(comparison),
            strips=strips,
            longest_s=longest_s,
            rows=_rows(comparison),
            Status=Status,
        )
        + "\n"
    )


@cache
def _template() -> Template:
    return environment(PackageLoader("box_review.comparison.report", ".")).get_template("comparison.html.j2")


def _rows(comparison: Comparison) -> list[Row]:
    about = wording.main_score(comparison)
    of_case: dict[tuple[str, str], list[CellResult]] = {}
    for cell in comparison.cells:
        of_case.setdefault((cell.prompt, cell.input), []).append(cell)
    room = _room(_ALL_ANSWERS, len(comparison.cells))
    for_sources = _room(_ALL_SOURCES, sum(len(case.sources) for case in comparison.cases))
    places = {model.id: number for number, model in enumerate(comparison.models)}
    rows = []
    for case in comparison.cases:
        cells = of_case.get((case.prompt, case.input), [])
        values = []
        for model in comparison.models:
            own = [cell for cell in cells if cell.model == model.id]
            value = wording.case_value(own, about)
            values.append((_said(own, wording.figure(value, about)), wording.grade(value, about), places[model.id]))
        shown = tuple(_shown(cell, places[cell.model], room) for cell in sorted(cells, key=lambda cell: (places[cell.model], cell.repeat)))
        sources = tuple((name, _cut(text, for_sources)) for name, text in case.sources)
        rows.append(Row(case, _expected(case), tuple(values), shown, sources))
    return rows


def _said(cells: Sequence[CellResult], value: str) -> str:
    if cells and all(cell.answer.status is Status.NOT_RUN for cell in cells):
        return "not run"
    if cells and all(cell.answer.status is Status.FAILED for cell in cells):
        return "failed"
    return value


def _shown(cell: CellResult, place: int, room: int) -> Shown:
    text = cell.answer.text[:room]
    unsupported = _together(cell.marks.values(), "unsupported")
    return Shown(
        cell.model,
        place,
        place % charts.SERIES,
        cell,
        marked(text, unsupported),
        cell.answer.characters > len(text),
        unsupported,
        _together(cell.marks.values(), "missing"),
    )


def _together(marks: Iterable[Mark], name: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for mark in marks:
        found |= dict.fromkeys(getattr(mark, name))
    return tuple(found)


def marked(text: str, claims: Sequence[str]) -> Markup:
    """A text, all of it escaped, in which these claims are marked wherever they stand word for word."""
    text = visible(text, multiline=True)
    spans: list[tuple[int, int]] = []
    for claim in sorted({visible(claim, multiline=True) for claim in claims}, key=len, reverse=True):
        at = text.find(claim) if claim else -1
        while at >= 0 and len(spans) < 1000:
            end = at + len(claim)
            if all(end <= begun or at >= ended for begun, ended in spans):
                spans.append((at, end))
            at = text.find(claim, end)
    done, last = Markup(""), 0
    for begun, ended in sorted(spans):
        done += escape(text[last:begun]) + Markup('<mark class="unsupported">{}</mark>').format(text[begun:ended])
        last = ended
    return done + escape(text[last:])


def _expected(case: CaseResult) -> str:
    if case.expected is None:
        return ""
    return _cut(case.expected if isinstance(case.expected, str) else json.dumps(case.expected, indent=1, ensure_ascii=False), _MOST)


def _room(total: int, count: int) -> int:
    return max(_LEAST, min(_MOST, total // max(1, count)))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n… cut here, of {len(text)} characters"
