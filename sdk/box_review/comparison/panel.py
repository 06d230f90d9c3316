"""A rubric by a panel: judges vote independently, each in a box of its own, without names, and once in each order."""

from __future__ import annotations

import hashlib
import json
import random
import re
import statistics
import string
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from box_review.comparison.agreement import krippendorff_alpha
from box_review.comparison.answer import Answer, Status
from box_review.comparison.claims import json_of
from box_review.comparison.execution import Desk
from box_review.comparison.plan import Ask, Cell
from box_review.comparison.result import PanelResult
from box_review.comparison.score_specs import Rubric
from box_review.comparison.scores import Mark
from box_review.comparison.spec import Agent, Spec
from box_review.sanitize import visible

_ROOM = 100_000  # bytes, of the 120,000 that a prompt may have
_TASK, _EXPECTED = 20_000, 10_000
_HIDDEN = "[name]"


@dataclass(frozen=True)
class Ballot:
    """One judge's vote on the answers to one case, in one order.

    Attributes:
        names: the cells, in the order of the letters they stand for.
    """

    judge: Agent
    names: tuple[str, ...]
    ask: Ask


def rubrics(spec: Spec) -> list[Rubric]:
    """The scores that a panel gives."""
    return [score for score in spec.scores if isinstance(score, Rubric)]


def hold(
    rubric: Rubric, spec: Spec, cells: Mapping[str, Cell], answers: Mapping[str, Answer], desk: Desk
) -> tuple[dict[str, Mark], PanelResult]:
    """Let the judges vote; returns the marks of the answered cells, by their names, and how the panel did."""
    ballots = {f"{rubric.id}: {name}": ballot for name, ballot in _ballots(rubric, spec, cells, answers)}
    votes = desk.ask_all("votes", {name: ballot.ask for name, ballot in ballots.items()})
    grades: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    failed = 0
    for name, ballot in ballots.items():
        given = grades_of(votes[name], len(ballot.names), rubric)
        failed += given is None
        for cell, grade in zip(ballot.names, given or (), strict=False):
            grades[cell][ballot.judge.id].append(grade)
    voted_on = {name for ballot in ballots.values() for name in ballot.names}
    marks = {name: _mark(grades[name], rubric) for name in voted_on}
    result = PanelResult(
        score=rubric.id,
        judges=tuple(judge.id for judge in spec.judges),
        votes=len(ballots),
        failed=failed,
        cost_usd=round(sum(vote.cost_usd for vote in votes.values()), 6),
        alpha=krippendorff_alpha([_of_judges(grades[name], spec) for name in sorted(voted_on)], "interval"),
        swapped=_swapped(grades),
    )
    return marks, result


def grades_of(vote: Answer, count: int, rubric: Rubric) -> list[float] | None:
    """The grades of the candidates in their order; None for a vote that failed, is no vote, or leaves one out."""
    if vote.status is not Status.ANSWERED:
        return None
    try:
        listed = json_of(vote.text)["grades"]
        found: dict[str, Any] = {str(entry["candidate"]): entry["grade"] for entry in listed}
    except (ValueError, KeyError, TypeError):
        return None
    grades = [found.get(letter) for letter in string.ascii_uppercase[:count]]
    return [float(grade or 0) for grade in grades] if all(_is_grade(grade, rubric) for grade in grades) else None


def _is_grade(grade: Any, rubric: Rubric) -> bool:
    return isinstance(grade, int | float) and not isinstance(grade, bool) and rubric.lowest <= grade <= rubric.highest


def _ballots(rubric: Rubric, spec: Spec, cells: Mapping[str, Cell], answers: Mapping[str, Answer]) -> Iterator[tuple[str, Ballot]]:
    together: dict[str, list[str]] = defaultdict(list)
    for name, cell in cells.items():
        if answers[name].status is Status.ANSWERED:
            together[f"{cell.case.id}#{cell.repeat}"].append(name)
    for place, names in together.items():
        random.Random(f"{spec.seed} {place}").shuffle(names)  # noqa: S311 - an order, not a secret
        orders = [names, names[::-1]] if len(names) > 1 else [names]
        for judge in spec.judges:
            for number, order in enumerate(orders, 1):
                ask = _ask(rubric, spec, judge, [cells[name] for name in order], [answers[name].text for name in order])
                yield f"{judge.id} on {place}, order {number}", Ballot(judge, tuple(order), ask)


def _ask(rubric: Rubric, spec: Spec, judge: Agent, cells: Sequence[Cell], texts: Sequence[str]) -> Ask:
    case = cells[0].case
    expected = "" if case.expected is None else case.expected if isinstance(case.expected, str) else json.dumps(case.expected)
    task, expected = _cut(case.prompt, _TASK), _cut(expected, _EXPECTED)
    room = (_ROOM - len(f"{task}{expected}{rubric.criteria}".encode())) // len(texts)
    blind = [_cut(_blinded(text, spec), room) for text in texts]
    letters = string.ascii_uppercase[: len(texts)]
    told = hashlib.sha256("\n".join([task, expected, *blind]).encode()).hexdigest()  # which no candidate could know
    mark = f"=== {told[:16]} ==="
    prompt = _template().render(
        criteria=rubric.criteria,
        lowest=rubric.lowest,
        highest=rubric.highest,
        mark=mark,
        task=task,
        expected=expected,
        candidates=list(zip(letters, blind, strict=True)),
        names=", ".join(letters),
    )
    return Ask(judge, prompt, json_schema=_schema(rubric), what="vote")


def _blinded(text: str, spec: Spec) -> str:
    """An answer without what would hide from a judge, and without the names of the models compared."""
    text = visible(text, multiline=True)
    for model in spec.models:
        for name in {model.model, model.model.rpartition("/")[2]}:
            if len(name) > 4:
                text = re.sub(re.escape(name), _HIDDEN, text, flags=re.IGNORECASE)
    return text


def _cut(text: str, most: int) -> str:
    raw = visible(text, multiline=True).encode("utf-8", "replace")
    return text if len(raw) <= most else raw[: max(0, most - 60)].decode("utf-8", "ignore") + f"\n[cut here, of {len(raw)} bytes]"


def _schema(rubric: Rubric) -> dict[str, Any]:
    entry = {
        "type": "object",
        "properties": {
            "candidate": {"type": "string"},
            "grade": {"type": "integer", "minimum": rubric.lowest, "maximum": rubric.highest},
            "reason": {"type": "string"},
        },
        "required": ["candidate", "grade", "reason"],
        "additionalProperties": False,
    }
    grades = {"type": "array", "items": entry}
    return {"type": "object", "properties": {"grades": grades}, "required": ["grades"], "additionalProperties": False}


def _mark(by_judge: Mapping[str, Sequence[float]], rubric: Rubric) -> Mark:
    """The mean of the judges' means, as a part of the way from the lowest grade to the highest."""
    if not by_judge:
        return Mark(error="no judge gave a grade that can be read")
    means = {judge: statistics.fmean(grades) for judge, grades in by_judge.items()}
    value = (statistics.fmean(means.values()) - rubric.lowest) / (rubric.highest - rubric.lowest)
    return Mark(value=value, note=", ".join(f"{judge}: {mean:g}" for judge, mean in means.items()))


def _of_judges(by_judge: Mapping[str, Sequence[float]], spec: Spec) -> list[float | None]:
    return [statistics.fmean(by_judge[judge.id]) if by_judge.get(judge.id) else None for judge in spec.judges]


def _swapped(grades: Mapping[str, Mapping[str, Sequence[float]]]) -> float | None:
    changes = [abs(pair[0] - pair[1]) for by_judge in grades.values() for pair in by_judge.values() if len(pair) == 2]
    return round(statistics.fmean(changes), 4) if changes else None


@cache
def _template() -> Template:
    environment = Environment(  # noqa: S701 - a prompt, not HTML
        loader=PackageLoader("box_review.comparison", "."), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("vote.txt.j2")
