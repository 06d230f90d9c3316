"""An answer that must be the expected one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from box_review.comparison.claims import json_of
from box_review.comparison.plan import Case
from box_review.comparison.score_specs import ExactMatch, JsonMatch
from box_review.comparison.scores.mark import Mark


def exact_match(spec: ExactMatch, answer: str, case: Case) -> Mark:
    """1 if they are the same text, but for blanks around it and, where wanted, the size of letters."""
    expected = case.expected if isinstance(case.expected, str) else str(case.expected)
    said, wanted = answer.strip(), expected.strip()
    if spec.ignore_case:
        said, wanted = said.casefold(), wanted.casefold()
    return Mark(value=float(said == wanted))


def json_match(spec: JsonMatch, answer: str, case: Case) -> Mark:
    """1 if they are the same JSON value; an expected text is read as JSON where it is some."""
    try:
        said = json_of(answer)
    except ValueError:
        return Mark(value=0.0, note="the answer is no JSON")
    wanted = case.expected
    if isinstance(wanted, str):
        try:
            wanted = json_of(wanted)
        except ValueError:
            wanted = case.expected
    try:
        return Mark(value=float(_same(said, wanted, spec.unordered, None)))
    except RecursionError:
        return Mark(value=0.0, note="the answer is nested too deeply")


def _same(one: Any, other: Any, unordered: bool | Collection[str], key: str | None) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name], unordered, name) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return False
        if unordered is True or (unordered is not False and key in unordered):
            return _same_bag(one, other, unordered)
        return all(_same(left, right, unordered, key) for left, right in zip(one, other, strict=True))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _same_bag(one: list[Any], other: list[Any], unordered: bool | Collection[str]) -> bool:
    """Whether each of one list has a partner in the other. Being the same is transitive, so the first that fits will do."""
    left = list(other)
    for item in one:
        at = next((at for at, candidate in enumerate(left) if _same(item, candidate, unordered, None)), None)
        if at is None:
            return False
        del left[at]
    return True
