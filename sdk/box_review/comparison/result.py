"""A comparison that was made: what the JSON report holds. Fields may be added to a schema version, not renamed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from box_review.comparison.answer import Answer
from box_review.comparison.scores.mark import Mark
from box_review.comparison.statistics import Interval

ANSWERED = "answered"
"""The score that every comparison has: the share of cells that got an answer."""
NOT_DISTINGUISHABLE = "not distinguishable"

_FROZEN = ConfigDict(frozen=True, extra="ignore")


class CellResult(BaseModel):
    """One cell; `marks` by the ids of scores."""

    model_config = _FROZEN

    model: str
    prompt: str
    input: str
    repeat: int
    answer: Answer
    marks: dict[str, Mark] = {}


class ScoreResult(BaseModel):
    """How one model did by one score.

    Attributes:
        value: the mean over cases, of the means over repeats; None if there is no value.
        cases, cells: how many the value rests on.
        errors: cells whose score could not be told.
        pass_at, pass_all: by k, for scores that are right or wrong, where there are repeats.
    """

    model_config = _FROZEN

    model: str
    score: str
    value: float | None
    interval: Interval | None
    cases: int
    cells: int
    errors: int = 0
    pass_at: dict[int, float] = {}
    pass_all: dict[int, float] = {}


class PairResult(BaseModel):
    """Two models by one score, over the cases that both have a value for.

    Attributes:
        difference: mean of first minus second.
        p: of `test`; `p_holm` adjusted for all pairs of this score.
        verdict: `A better` with the model's id for A, or that they cannot be told apart.
    """

    model_config = _FROZEN

    score: str
    first: str
    second: str
    cases: int
    difference: float | None
    interval: Interval | None = None
    test: Literal["McNemar", "permutation", "none"] = "none"
    p: float | None = None
    p_holm: float | None = None
    verdict: str = NOT_DISTINGUISHABLE


class ModelResult(BaseModel):
    """What one model took."""

    model_config = _FROZEN

    id: str
    harness: str
    model: str
    answered: int
    failed: int
    not_run: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_usd: float
    seconds_p50: float | None
    seconds_p95: float | None
    errors: dict[str, int] = Field(default={}, description="How often each reason stands for a failure.")


class ScoreAbout(BaseModel):
    """What a score is."""

    model_config = _FROZEN

    id: str
    name: str
    lower_is_better: bool = False
    percent: bool = False
    binary: bool = False
    by_judge: bool = False


class PanelResult(BaseModel):
    """How the judges voted of a rubric.

    Attributes:
        alpha: Krippendorff's, interval, over all answers judged; None where it says nothing.
        swapped: mean change of a grade when the order of the candidates is turned round, in grades.
    """

    model_config = _FROZEN

    score: str
    judges: tuple[str, ...]
    votes: int
    failed: int
    cost_usd: float
    alpha: float | None
    swapped: float | None


class CaseResult(BaseModel):
    """What was asked, and what answers were held against; long texts are cut."""

    model_config = _FROZEN

    prompt: str
    input: str
    asked: str
    expected: Any = None
    sources: tuple[tuple[str, str], ...] = ()


class Comparison(BaseModel):
    """All of it.

    Attributes:
        digest: of the base snapshot's contents, the same for all cells.
        spent_usd: of all runs, votes too; what a `judge_api` costs is not known here.
        notes: what a reader has to know who takes the figures for more than they are.
    """

    model_config = _FROZEN

    schema_version: Literal[1] = 1
    title: str
    created_at: datetime
    digest: str
    repeats: int
    seed: int
    spent_usd: float
    budget_usd: float | None
    duration_s: float
    known_before: int = Field(description="Cells whose answers were there already.")
    models: tuple[ModelResult, ...]
    about: tuple[ScoreAbout, ...]
    scores: tuple[ScoreResult, ...]
    pairs: tuple[PairResult, ...]
    panels: tuple[PanelResult, ...] = ()
    cases: tuple[CaseResult, ...]
    cells: tuple[CellResult, ...]
    notes: tuple[str, ...] = ()

    def score(self, model: str, score: str) -> ScoreResult:
        """One figure. Raises KeyError."""
        for found in self.scores:
            if (found.model, found.score) == (model, score):
                return found
        raise KeyError((model, score))

    def pair(self, score: str, first: str, second: str) -> PairResult:
        """One pair, in the order of the spec. Raises KeyError."""
        for found in self.pairs:
            if (found.score, found.first, found.second) == (score, first, second):
                return found
        raise KeyError((score, first, second))

    @property
    def complete(self) -> bool:
        """Whether every cell was run and every score could be told."""
        return not any(model.not_run for model in self.models) and not any(score.errors for score in self.scores)
