"""Scores as they stand in a spec, by their names in the field."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Key = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class ScoreSpec(BaseModel):
    """What all scores have.

    Attributes:
        name: one of `SCORES`.
        title: its name in the report, where one score stands there twice with other options.
        binary: it is only ever right or wrong.
        needs_expected: it compares with a right answer.
        needs_panel: the judges of the spec vote.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    binary: ClassVar[bool] = False
    needs_expected: ClassVar[bool] = False
    needs_panel: ClassVar[bool] = False

    name: str
    title: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$")] | None = None

    @property
    def id(self) -> str:
        """What the report calls it."""
        return self.title or self.name

    @property
    def lower_is_better(self) -> bool:
        """Whether less of it is better."""
        return False

    @property
    def percent(self) -> bool:
        """Whether it goes to 100; the others go to 1."""
        return False

    @property
    def needs_sources(self) -> bool:
        """Whether it looks into the sources."""
        return False

    @property
    def needs_api(self) -> bool:
        """Whether `judge_api` is asked."""
        return False


class ExactMatch(ScoreSpec):
    """1 if the answer is the expected text, but for blanks around it."""

    ignore_case: bool = False

    binary: ClassVar[bool] = True
    needs_expected: ClassVar[bool] = True


class JsonMatch(ScoreSpec):
    """1 if the answer is JSON of the expected value; the order of keys does not count.

    Attributes:
        unordered: lists whose order does not count either: true for all, or the keys they stand under.
    """

    unordered: bool | tuple[Key, ...] = False

    binary: ClassVar[bool] = True
    needs_expected: ClassVar[bool] = True


class _OfClaims(ScoreSpec):
    """How an answer is read as claims.

    Attributes:
        key: of a JSON answer, the list that holds the claims.
        claim: how an object of that list reads as a claim, as `{method} {path}`; without it, its values in a row.
        split: how an answer that is no JSON is cut; `auto` takes lines where they are a list or all short, else sentences.
    """

    key: Key | None = None
    claim: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    split: Literal["auto", "lines", "sentences"] = "auto"


class ClaimScore(_OfClaims):
    """How many claims are expected ones (precision), how many of those were made (recall), or both in one (F1)."""

    needs_expected: ClassVar[bool] = True


class _ByTextOrJudge(_OfClaims):
    """Claims compared by their words, or by a model."""

    by: Literal["text", "judge"] = "text"

    @property
    def needs_api(self) -> bool:
        return self.by == "judge"


class Grounded(_ByTextOrJudge):
    """Claims looked up in the sources: the share that stands there, or the rest of all claims in percent."""

    @property
    def lower_is_better(self) -> bool:
        return self.name == "hallucination_pct"

    @property
    def percent(self) -> bool:
        return self.name == "hallucination_pct"

    @property
    def needs_sources(self) -> bool:
        return True


class AnswerCorrectness(_ByTextOrJudge):
    """F1 of the answer's statements against those of the expected answer."""

    needs_expected: ClassVar[bool] = True


class ContextScore(_ByTextOrJudge):
    """What was retrieved: whether it holds the expected claims (recall), and holds them first (precision).

    Attributes:
        contexts: of a JSON answer, the list of passages that it retrieved; without it, the sources of the input are looked at,
            which are the same for all models.
    """

    contexts: Key | None = None

    needs_expected: ClassVar[bool] = True

    @property
    def needs_sources(self) -> bool:
        return self.contexts is None


class QuotedSpans(ScoreSpec):
    """The share of quotations in the answer that stand in the sources."""

    @property
    def needs_sources(self) -> bool:
        return True


class Rubric(ScoreSpec):
    """Grades of a panel of judges who do not know whose answers they read."""

    criteria: Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
    lowest: int = Field(default=1, ge=0, le=99)
    highest: int = Field(default=5, ge=1, le=100)

    @model_validator(mode="after")
    def _more_than_one_grade(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError("`highest` must be above `lowest`")
        return self

    needs_panel: ClassVar[bool] = True


class Own(ScoreSpec):
    """A function of one's own: `scorers.py:polite`. It is called with keywords and returns a number from 0 to 1, a bool, or None."""

    function: Annotated[str, StringConstraints(pattern=r"^[^:\s]+\.py:[A-Za-z_]\w*$", max_length=300)]
    lower: bool = False

    @property
    def id(self) -> str:
        return self.title or self.function.partition(":")[2]

    @property
    def lower_is_better(self) -> bool:
        return self.lower


SCORES: dict[str, type[ScoreSpec]] = {
    "exact_match": ExactMatch,
    "json_match": JsonMatch,
    "claim_precision": ClaimScore,
    "claim_recall": ClaimScore,
    "claim_f1": ClaimScore,
    "quoted_spans": QuotedSpans,
    "faithfulness": Grounded,
    "hallucination_pct": Grounded,
    "answer_correctness": AnswerCorrectness,
    "context_precision": ContextScore,
    "context_recall": ContextScore,
    "rubric": Rubric,
    "python": Own,
}
