"""Figures and verdicts in words, the same in every report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from box_review.comparison.answer import Status
from box_review.comparison.result import NOT_DISTINGUISHABLE, CellResult, Comparison, PairResult, ScoreAbout, ScoreResult
from box_review.comparison.statistics import Interval
from box_review.comparison.summary import value_of

NONE = "-"


def figure(value: float | None, about: ScoreAbout) -> str:
    """A score as people read it."""
    if value is None:
        return NONE
    return f"{value:.1f} %" if about.percent else f"{value:.3f}"


def interval(found: Interval | None, about: ScoreAbout) -> str:
    """Where it lies."""
    if found is None:
        return ""
    digits = 1 if about.percent else 3
    return f"[{found.low:.{digits}f}, {found.high:.{digits}f}]"


def difference(pair: PairResult, about: ScoreAbout) -> str:
    """Of a pair, with its interval."""
    if pair.difference is None:
        return NONE
    return f"{pair.difference:+.{1 if about.percent else 3}f} {interval(pair.interval, about)}"


def with_interval(score: ScoreResult, about: ScoreAbout) -> str:
    """Both."""
    return f"{figure(score.value, about)} {interval(score.interval, about)}".rstrip()


def dollars(usd: float) -> str:
    """An amount; nothing is said to be free that has no price."""
    return f"${usd:.4f}" if 0 < usd < 1 else f"${usd:.2f}"


def seconds(value: float | None) -> str:
    """A time."""
    if value is None:
        return NONE
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def p_value(value: float | None) -> str:
    """A p."""
    return NONE if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def verdict(pair: PairResult) -> str:
    """Of a pair, with both names."""
    if pair.verdict == NOT_DISTINGUISHABLE:
        return f"{pair.first} and {pair.second}: {NOT_DISTINGUISHABLE}"
    return f"{pair.verdict} than {pair.second if pair.verdict.startswith(f'{pair.first} ') else pair.first}"


def passes(comparison: Comparison, about: ScoreAbout) -> list[str]:
    """pass@k and pass^k of a score of right and wrong, for the most repeats there are; empty without repeats."""
    k = comparison.repeats
    scores = [score for score in comparison.scores if score.score == about.id and k in score.pass_at]
    if not scores:
        return []
    one = ", ".join(f"{score.model} {score.pass_at[k]:.3f}" for score in scores)
    every = ", ".join(f"{score.model} {score.pass_all[k]:.3f}" for score in scores)
    return [f"pass@{k} (one of {k} is right): {one}", f"pass^{k} (all {k} are): {every}"]


def told_apart(pair: PairResult) -> bool:
    """Whether there is a winner."""
    return pair.verdict != NOT_DISTINGUISHABLE


def shown_pairs(comparison: Comparison, about: ScoreAbout) -> list[PairResult]:
    """The pairs of one score."""
    return [pair for pair in comparison.pairs if pair.score == about.id]


def main_score(comparison: Comparison) -> ScoreAbout:
    """The score that stands for quality where there is room for one: the first of the spec."""
    return comparison.about[0]


def case_value(cells: Sequence[CellResult], about: ScoreAbout) -> float | None:
    """The mean of a case over its repeats."""
    values = [value_of(cell, about) for cell in cells]
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def grade(value: float | None, about: ScoreAbout) -> str:
    """How good a value is, roughly: for colours alone."""
    if value is None:
        return "none"
    share = value / 100 if about.percent else value
    good = 1 - share if about.lower_is_better else share
    return "good" if good > 0.999 else "fair" if good >= 0.5 else "poor"


def shown(cell: CellResult, comparison: Comparison) -> Iterator[tuple[ScoreAbout, str, str]]:
    """The scores of one cell: what, how much, and what is said of it."""
    for about in comparison.about:
        mark = cell.marks.get(about.id)
        if cell.answer.status is Status.ANSWERED and mark is not None:
            yield about, "error" if mark.error else figure(mark.value, about), mark.error or mark.note


def last_line(comparison: Comparison) -> str:
    """Of what all of it was."""
    cells = len(comparison.cells)
    parts = [
        f"{cells} cells",
        f"{comparison.known_before} known before" if comparison.known_before else "",
        f"base snapshot {comparison.digest[:16]}",
        seconds(comparison.duration_s),
        dollars(comparison.spent_usd) + (f" of {dollars(comparison.budget_usd)}" if comparison.budget_usd else ""),
        f"seed {comparison.seed}",
    ]
    return " · ".join(filter(None, parts))
