"""Scores over claims, by comparing texts alone: what judges say of the same is in `judging`."""

from __future__ import annotations

import re

from box_review.comparison.claims import claims_of, f1, json_of, matched, plain, stands_in
from box_review.comparison.plan import Case
from box_review.comparison.score_specs import AnswerCorrectness, ClaimScore, ContextScore, Grounded, QuotedSpans
from box_review.comparison.scores.mark import Mark, listed

_QUOTED = re.compile(r"\"([^\"\n]{1,2000})\"|“([^“”\n]{1,2000})”|«([^«»\n]{1,2000})»|^>[ \t]?([^\n]{1,2000})$", re.MULTILINE)


def claim_score(spec: ClaimScore | AnswerCorrectness, answer: str, case: Case) -> Mark:
    """Precision, recall or F1 of an answer's claims against the expected ones."""
    claims = claims_of(answer, spec.key, spec.claim, spec.split)
    expected = claims_of(case.expected, spec.key, spec.claim, spec.split)
    right, wrong, missing = matched(claims, expected)
    precision, recall, both = f1(len(right), len(wrong), len(missing))
    value = {"claim_precision": precision, "claim_recall": recall}.get(spec.name, both)
    note = f"{len(right)} right, {len(wrong)} wrong, {len(missing)} missing"
    return Mark(value=value, note=note, unsupported=listed(wrong), missing=listed(missing))


def grounded(spec: Grounded, answer: str, case: Case) -> Mark:
    """The share of claims that stand in the sources, or the rest in percent."""
    claims = claims_of(answer, spec.key, spec.claim, spec.split)
    sources = [plain(source.text) for source in case.sources]
    unsupported = [claim for claim in claims if not any(stands_in(claim, source) for source in sources)]
    return share(spec, len(claims), unsupported)


def share(spec: Grounded, count: int, unsupported: list[str]) -> Mark:
    """The value of `faithfulness` or `hallucination_pct`; none for an answer without claims, in which nothing is true or made up."""
    if not count:
        return Mark(note="no claims")
    rest = len(unsupported) / count
    value = 100 * rest if spec.name == "hallucination_pct" else 1 - rest
    return Mark(value=value, note=f"{len(unsupported)} of {count} claims unsupported", unsupported=listed(unsupported))


def quoted_spans(_: QuotedSpans, answer: str, case: Case) -> Mark:
    """The share of quotations, in quotation marks or as quoted lines, that stand in the sources."""
    quotes = list(dict.fromkeys(next(filter(None, groups)).strip() for groups in _QUOTED.findall(answer)))
    quotes = [quote for quote in quotes if plain(quote)][:2000]
    if not quotes:
        return Mark(note="no quotations")
    sources = [plain(source.text) for source in case.sources]
    wrong = [quote for quote in quotes if not any(stands_in(quote, source) for source in sources)]
    return Mark(value=1 - len(wrong) / len(quotes), note=f"{len(wrong)} of {len(quotes)} quotations not found", unsupported=listed(wrong))


def contexts_of(spec: ContextScore, answer: str, case: Case) -> list[str]:
    """The passages that are looked at, in their order. Raises ValueError if the answer has no such list."""
    if spec.contexts is None:
        return [source.text for source in case.sources]
    value = json_of(answer)
    found = value.get(spec.contexts) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise ValueError(f"the answer has no list {spec.contexts!r}")  # noqa: TRY004 - a value that a model gave
    return [str(passage) for passage in found[:100]]


def context_score(spec: ContextScore, answer: str, case: Case) -> Mark:
    """Recall: the share of expected claims that stand in the passages. Precision: whether passages that hold one come first (AP)."""
    try:
        passages = [plain(passage) for passage in contexts_of(spec, answer, case)]
    except ValueError as error:
        return Mark(value=0.0, note=str(error))
    expected = claims_of(case.expected, spec.key, spec.claim, spec.split)
    if not expected:
        return Mark(note="nothing expected")
    if spec.name == "context_recall":
        missing = [claim for claim in expected if not any(stands_in(claim, passage) for passage in passages)]
        return Mark(value=1 - len(missing) / len(expected), note=f"{len(missing)} of {len(expected)} missing", missing=listed(missing))
    useful = [any(stands_in(claim, passage) for claim in expected) for passage in passages]
    hits = [sum(useful[: place + 1]) / (place + 1) for place, good in enumerate(useful) if good]
    return Mark(value=sum(hits) / len(hits) if hits else 0.0, note=f"{len(hits)} of {len(useful)} passages useful")
