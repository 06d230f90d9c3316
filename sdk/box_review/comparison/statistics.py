"""What can be said of a score from as many answers as there are, and what cannot.

Answers of one model to one case are averaged over its repeats first: cases are what was drawn from the world, repeats are not. All
randomness is seeded, so the same answers give the same figures.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from box_review.errors import InputError

CONFIDENCE = 0.95
RESAMPLES = 9_999
_MANY = 20_000  # resamples are drawn in batches of about so many values
INSTALL = "comparisons need scipy: pip install 'box-review-sdk[compare]'"


class Interval(BaseModel):
    """Where a figure lies with 95 % confidence; `method` says how that was found."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    low: float
    high: float
    method: str


def scipy_stats() -> Any:
    """`scipy.stats`, which takes a second to load. Raises InputError if it is not installed."""
    try:
        return importlib.import_module("scipy.stats")
    except ImportError as error:
        raise InputError(INSTALL) from error


def wilson(hits: int, count: int) -> Interval:
    """Of a rate."""
    found = scipy_stats().binomtest(hits, count).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(low=float(found.low), high=float(found.high), method="Wilson")


def interval_of_mean(values: Sequence[float], *, top: float, binary: bool, seed: int) -> Interval | None:
    """Of the mean of values from 0 to `top`; None for none.

    Rates have Wilson's. Other means are bootstrapped over cases, but where all values are the least or the most there can be, resampling
    would claim certainty: there Wilson's for as many cases stands in.
    """
    if not values:
        return None
    at_an_end = all(value == values[0] for value in values) and values[0] in (0.0, top)
    if binary or at_an_end:
        found = wilson(round(sum(values) / top), len(values))
        return found.model_copy(update={"low": found.low * top, "high": found.high * top})
    return bootstrap(values, seed)


def bootstrap(values: Sequence[float], seed: int) -> Interval:
    """Of a mean, or of a mean difference where the values are paired differences: percentiles of resampled means."""
    if len(set(values)) == 1:
        return Interval(low=values[0], high=values[0], method="bootstrap")
    np = importlib.import_module("numpy")
    found = scipy_stats().bootstrap(
        (list(values),),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, _MANY * 50 // len(values)),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = found.confidence_interval
    return Interval(low=float(low), high=float(high), method="bootstrap")


def permutation_p(differences: Sequence[float], seed: int) -> float:
    """Two-sided: how often signs drawn by lot give a mean difference this large. Exact for few differences."""
    if not any(differences):
        return 1.0
    np = importlib.import_module("numpy")
    found = scipy_stats().permutation_test(
        (list(differences),),
        lambda drawn, axis: np.mean(drawn, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, _MANY * 50 // len(differences)),
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided and exact, of cases that only one of two got right."""
    count = only_first + only_second
    return float(scipy_stats().binomtest(only_first, count, 0.5).pvalue) if count else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number, in the order given."""
    adjusted, worst = [0.0] * len(p_values), 0.0
    for place, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, p_values[at] * (len(p_values) - place)))
        adjusted[at] = worst
    return adjusted


def pass_at(k: int, count: int, right: int) -> float:
    """The chance that one of `k` answers at least is right, where `right` of `count` were: the unbiased estimate."""
    return 1 - math.comb(count - right, k) / math.comb(count, k)


def pass_all(k: int, count: int, right: int) -> float:
    """The chance that all of `k` answers are right (pass^k)."""
    return math.comb(right, k) / math.comb(count, k)
