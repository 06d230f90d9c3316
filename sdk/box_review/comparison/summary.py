"""From marks of cells to figures of models, and verdicts of pairs."""

from __future__ import annotations

import itertools
import statistics as plain_statistics
from collections import Counter, defaultdict
from collections.abc import Sequence

from box_review.comparison.answer import Status
from box_review.comparison.result import ANSWERED, NOT_DISTINGUISHABLE, CellResult, ModelResult, PairResult, ScoreAbout, ScoreResult
from box_review.comparison.spec import Agent, Spec
from box_review.comparison.statistics import bootstrap, holm, interval_of_mean, mcnemar_p, pass_all, pass_at, permutation_p

ALPHA = 0.05
Values = dict[tuple[str, str], list[float]]
"""Of one model by one score: for each case, the values of its repeats."""


def scores_about(spec: Spec) -> list[ScoreAbout]:
    """The scores of a comparison, the one that all have last."""
    own = [
        ScoreAbout(
            id=score.id,
            name=score.name,
            lower_is_better=score.lower_is_better,
            percent=score.percent,
            binary=score.binary,
            by_judge=score.needs_api or score.needs_panel,
        )
        for score in spec.scores
    ]
    return [*own, ScoreAbout(id=ANSWERED, name=ANSWERED, binary=True)]


def value_of(cell: CellResult, about: ScoreAbout) -> float | None:
    """What a cell counts for: one that failed is wrong by every score of which more is better, and says nothing by the others."""
    if cell.answer.status is Status.NOT_RUN:
        return None
    if about.id == ANSWERED:
        return float(cell.answer.status is Status.ANSWERED)
    if cell.answer.status is Status.FAILED:
        return None if about.lower_is_better else 0.0
    mark = cell.marks.get(about.id)
    return None if mark is None else mark.value


def summed_up(cells: Sequence[CellResult], about: ScoreAbout, spec: Spec) -> tuple[list[ScoreResult], list[PairResult]]:
    """One score: the figure of each model, and each pair of models."""
    values = {model.id: _values(cells, about, model.id) for model in spec.models}
    binary = about.binary or (not about.percent and _only_right_or_wrong(values))
    errors = Counter(cell.model for cell in cells if (mark := cell.marks.get(about.id)) is not None and mark.error)
    scores = [_score(model.id, about, values[model.id], binary, errors[model.id], spec) for model in spec.models]
    pairs = [
        _pair(about, first.id, second.id, values, binary and spec.repeats == 1, spec.seed)
        for first, second in itertools.combinations(spec.models, 2)
    ]
    return scores, _judged(pairs, about)


def _values(cells: Sequence[CellResult], about: ScoreAbout, model: str) -> Values:
    found: Values = defaultdict(list)
    for cell in cells:
        if cell.model == model and (value := value_of(cell, about)) is not None:
            found[cell.prompt, cell.input].append(value)
    return found


def _only_right_or_wrong(values: dict[str, Values]) -> bool:
    every = {value for of_model in values.values() for repeats in of_model.values() for value in repeats}
    return bool(every) and every <= {0.0, 1.0}


def _score(model: str, about: ScoreAbout, values: Values, binary: bool, errors: int, spec: Spec) -> ScoreResult:
    means = [plain_statistics.fmean(repeats) for repeats in values.values()]
    top = 100.0 if about.percent else 1.0
    of_repeats = [repeats for repeats in values.values() if len(repeats) == spec.repeats] if binary and spec.repeats > 1 else []
    ks = range(1, spec.repeats + 1) if of_repeats else ()
    return ScoreResult(
        model=model,
        score=about.id,
        value=plain_statistics.fmean(means) if means else None,
        interval=interval_of_mean(means, top=top, binary=binary and spec.repeats == 1, seed=spec.seed),
        cases=len(means),
        cells=sum(map(len, values.values())),
        errors=errors,
        pass_at={k: plain_statistics.fmean(pass_at(k, len(one), round(sum(one))) for one in of_repeats) for k in ks},
        pass_all={k: plain_statistics.fmean(pass_all(k, len(one), round(sum(one))) for one in of_repeats) for k in ks},
    )


def _pair(about: ScoreAbout, first: str, second: str, values: dict[str, Values], binary: bool, seed: int) -> PairResult:
    both = [case for case in values[first] if case in values[second]]
    differences = [plain_statistics.fmean(values[first][case]) - plain_statistics.fmean(values[second][case]) for case in both]
    if not differences:
        return PairResult(score=about.id, first=first, second=second, cases=0, difference=None)
    won, lost = sum(one > 0 for one in differences), sum(one < 0 for one in differences)
    p = mcnemar_p(won, lost) if binary else permutation_p(differences, seed)
    return PairResult(
        score=about.id,
        first=first,
        second=second,
        cases=len(differences),
        difference=plain_statistics.fmean(differences),
        interval=bootstrap(differences, seed),
        test="McNemar" if binary else "permutation",
        p=p,
    )


def _judged(pairs: Sequence[PairResult], about: ScoreAbout) -> list[PairResult]:
    """The pairs with their verdicts: a winner is named only where interval and adjusted p both say so."""
    tested = [at for at, pair in enumerate(pairs) if pair.p is not None]
    adjusted = dict(zip(tested, holm([pairs[at].p or 0.0 for at in tested]), strict=True))
    return [_told(pair, adjusted.get(at), about) for at, pair in enumerate(pairs)]


def _told(pair: PairResult, p_holm: float | None, about: ScoreAbout) -> PairResult:
    verdict = NOT_DISTINGUISHABLE
    if pair.interval is not None and pair.difference is not None and p_holm is not None and p_holm < ALPHA:
        first_is_better = (pair.difference > 0) != about.lower_is_better
        if not pair.interval.low <= 0 <= pair.interval.high:
            verdict = f"{pair.first if first_is_better else pair.second} better"
    return pair.model_copy(update={"p_holm": p_holm, "verdict": verdict})


def of_model(agent: Agent, cells: Sequence[CellResult]) -> ModelResult:
    """What a model took over all its cells."""
    answers = [cell.answer for cell in cells if cell.model == agent.id]
    seconds = sorted(answer.seconds for answer in answers if answer.status is Status.ANSWERED)
    counts = Counter(answer.status for answer in answers)
    return ModelResult(
        id=agent.id,
        harness=agent.harness,
        model=agent.model,
        answered=counts[Status.ANSWERED],
        failed=counts[Status.FAILED],
        not_run=counts[Status.NOT_RUN],
        input_tokens=sum(answer.input_tokens for answer in answers),
        cached_input_tokens=sum(answer.cached_input_tokens for answer in answers),
        output_tokens=sum(answer.output_tokens for answer in answers),
        cost_usd=round(sum(answer.cost_usd for answer in answers), 6),
        seconds_p50=_quantile(seconds, 0.5),
        seconds_p95=_quantile(seconds, 0.95),
        errors=dict(Counter(answer.error[:300] for answer in answers if answer.status is Status.FAILED).most_common(10)),
    )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
