"""Judges vote blind, in both orders, and how far they agree is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from box_review.comparison.answer import Answer, Status
from box_review.comparison.panel import _ballots, grades_of, rubrics
from box_review.comparison.plan import Cell
from box_review.comparison.reading import make_plan

from tests.sdk.comparison.made import CUSTOM, spec

OF = spec(
    ["one", "two", "three"],
    models=[{"id": name, "harness": "builtin", "model": f"openai/secret-{name}"} for name in ("one", "two", "three")],
    judges=[{"id": "j", **CUSTOM}, {"id": "k", **CUSTOM, "model": "other"}],
    scores=[{"rubric": {"criteria": "Is it polite?"}}],
)
[RUBRIC] = rubrics(OF)
TEXTS = {"one": "Dear user", "two": "I am secret-two, hello", "three": "What?"}


def ballots() -> list[tuple[str, tuple[str, ...], str]]:
    """Judge, order and prompt of each."""
    cells = {cell.id: cell for cell in make_plan(OF, Path()).cells()}
    answers = {name: _answer(cell) for name, cell in cells.items()}
    return [(made.judge.id, made.names, made.ask.prompt) for _, made in _ballots(RUBRIC, OF, cells, answers)]


def _answer(cell: Cell) -> Answer:
    text = TEXTS[cell.model.id]
    return Answer(key="k", status=Status.ANSWERED, text=text, characters=len(text))


def test_every_judge_sees_both_orders() -> None:
    made = ballots()
    assert [judge for judge, _, _ in made] == ["j", "j", "k", "k"]
    assert made[0][1] == made[1][1][::-1]
    assert made[0][1] == made[2][1]


def test_no_judge_reads_a_name() -> None:
    for _, _, prompt in ballots():
        assert "secret" not in prompt
        assert "I am [name], hello" in prompt
        assert not any(f"{word} " in prompt for word in ("one/", "openai"))


def test_answers_stand_between_marks_that_they_could_not_know() -> None:
    prompts = [prompt for _, _, prompt in ballots()]
    marks = [next(line for line in prompt.splitlines() if line.startswith("===")) for prompt in prompts]
    assert marks[0] != marks[1]  # other order, other mark
    assert all(prompt.count(mark) == 11 for prompt, mark in zip(prompts, marks, strict=True))


@pytest.mark.parametrize(
    ("text", "grades"),
    [
        (json.dumps({"grades": [{"candidate": "B", "grade": 2}, {"candidate": "A", "grade": 5}]}), [5, 2]),
        (json.dumps({"grades": [{"candidate": "A", "grade": 5}]}), None),
        (json.dumps({"grades": [{"candidate": "A", "grade": 5}, {"candidate": "B", "grade": 9}]}), None),
        (json.dumps({"grades": [{"candidate": "A", "grade": True}, {"candidate": "B", "grade": 1}]}), None),
        (json.dumps({"grades": "A"}), None),
        ("[1]", None),
        ("I like A.", None),
    ],
)
def test_vote_counts_whole_or_not_at_all(text: str, grades: list[float] | None) -> None:
    assert grades_of(Answer(key="k", status=Status.ANSWERED, text=text), 2, RUBRIC) == grades
