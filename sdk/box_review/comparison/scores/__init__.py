"""Scores that need nobody but the answer: pure functions, but for a user's own. `judging` and `panel` have the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from box_review.comparison.score_specs import Own, ScoreSpec
from box_review.comparison.scores import claimed, match
from box_review.comparison.scores.mark import Mark, Scorer
from box_review.comparison.scores.own import load, own

_FUNCTIONS: Mapping[str, Callable[..., Mark]] = {
    "exact_match": match.exact_match,
    "json_match": match.json_match,
    "claim_precision": claimed.claim_score,
    "claim_recall": claimed.claim_score,
    "claim_f1": claimed.claim_score,
    "answer_correctness": claimed.claim_score,
    "faithfulness": claimed.grounded,
    "hallucination_pct": claimed.grounded,
    "quoted_spans": claimed.quoted_spans,
    "context_precision": claimed.context_score,
    "context_recall": claimed.context_score,
}


def scorer(spec: ScoreSpec, folder: Path) -> Scorer | None:
    """What gives marks for a score; None if it needs judges. Raises InputError for a function that cannot be loaded."""
    if isinstance(spec, Own):
        return partial(own, load(spec, folder))
    if spec.needs_api or spec.needs_panel:
        return None
    function: Any = partial(_FUNCTIONS[spec.name], spec)
    return function  # type: ignore[no-any-return]


__all__ = ["Mark", "Scorer", "scorer"]
