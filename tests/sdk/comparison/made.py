"""Comparisons without a server: cells as they might have come, summed up by the real rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from box_review.comparison.answer import Answer, Status
from box_review.comparison.reading import spec_from
from box_review.comparison.result import CaseResult, CellResult, Comparison
from box_review.comparison.scores import Mark
from box_review.comparison.spec import Spec
from box_review.comparison.summary import of_model, scores_about, summed_up

CUSTOM = {"harness": "custom", "custom_harness": {"command": "sh"}}


def spec(models: Sequence[str] = ("a", "b"), /, **more: Any) -> Spec:
    """A spec of custom agents with one prompt and one input."""
    given = {
        "models": [{"id": name, **CUSTOM} for name in models],
        "prompts": [{"id": "p", "text": "Do {input}"}],
        "inputs": [{"id": "i", "text": "it", "expected": "x", "sources": [{"text": "x"}]}],
        **more,
    }
    return spec_from(given, "spec")


def cells(models: Sequence[str], count: int, value: Callable[[str, int, int], float | None], repeats: int = 1) -> list[CellResult]:
    """Cells of which `value(model, input, repeat)` is the mark of `exact_match`; None for one that failed."""
    made = []
    for model in models:
        for number in range(count):
            for repeat in range(repeats):
                mark = value(model, number, repeat)
                status = Status.FAILED if mark is None else Status.ANSWERED
                answer = Answer(key="k", status=status, text="x", characters=1, seconds=1.0, error="it broke" if mark is None else "")
                marks = {} if mark is None else {"exact_match": Mark(value=mark)}
                made.append(CellResult(model=model, prompt="p", input=f"i{number}", repeat=repeat, answer=answer, marks=marks))
    return made


def comparison(of: Spec, made: Sequence[CellResult], **more: Any) -> Comparison:
    """The comparison of these cells."""
    about = scores_about(of)
    figures = [summed_up(made, one, of) for one in about]
    given: dict[str, Any] = {
        "title": "",
        "created_at": datetime.now(UTC),
        "digest": "d" * 64,
        "repeats": of.repeats,
        "seed": 0,
        "spent_usd": 0.0,
        "budget_usd": None,
        "duration_s": 1.0,
        "known_before": 0,
        "models": tuple(of_model(agent, made) for agent in of.models),
        "about": tuple(about),
        "scores": tuple(score for scores, _ in figures for score in scores),
        "pairs": tuple(pair for _, pairs in figures for pair in pairs),
        "cases": tuple(CaseResult(prompt="p", input=name, asked="x") for name in dict.fromkeys(cell.input for cell in made)),
        "cells": tuple(made),
        **more,
    }
    return Comparison(**given)
