"""Reviews of one change by several models, side by side: what each found, proved, cost and took. `report.side_by_side` tells it.

Two findings are one problem if they have the same fingerprint; else if they stand in the same file on lines that overlap and are of the
same topic, or at least half of the words in the shorter title stand in the other one too (words of three characters and more). A model
has one claim in each problem at most: what it says twice there counts as two problems.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from box_review.finding import Finding
from box_review.report import wording
from box_review.review import ReviewRecord, ReviewStatus, RoleStatus, Usage

SURE = 0.05
"""From this probability on, a difference may as well be chance."""
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True)
class Side:
    """One model's review.

    Args:
        name: of the model.
        record: None where there is none.
        problem: why there is none, as a sentence.
    """

    name: str
    record: ReviewRecord | None = None
    problem: str = ""

    @property
    def judged(self) -> bool:
        """True if the review came to a verdict, if only of some of its reviewers; what others found cannot be compared."""
        return self.record is not None and self.record.status in (ReviewStatus.COMPLETED, ReviewStatus.PARTIAL)

    @property
    def findings(self) -> Sequence[Finding]:
        """What a review would have told, worst first."""
        return wording.worst_first(self.record.findings) if self.judged and self.record else ()

    @property
    def claims(self) -> Sequence[Finding]:
        """The same with what the jury dropped."""
        return (*self.findings, *self.record.dropped) if self.judged and self.record else ()


@dataclass(frozen=True)
class Problem:
    """One problem, and who found it: a finding for each side, None for who has none like it."""

    claims: tuple[Finding | None, ...]

    @property
    def found_by(self) -> frozenset[int]:
        """The sides that found it, by their place."""
        return frozenset(at for at, claim in enumerate(self.claims) if claim is not None)

    @property
    def worst(self) -> Finding:
        """How the side tells it that takes it the most seriously."""
        return wording.worst_first(claim for claim in self.claims if claim is not None)[0]


@dataclass(frozen=True)
class Pair:
    """Two sides: how many problems only the one and only the other found, and how probable that is if they are alike."""

    first: int
    second: int
    only_first: int
    only_second: int
    p: float


def problems(sides: Sequence[Side]) -> list[Problem]:
    """What all sides found, each problem once, worst first. What is one problem stands above."""
    same: list[dict[int, Finding]] = []
    for at, side in enumerate(sides):
        for finding in side.findings:
            _joined(same, {at: finding}, _same_fingerprint)
    alike: list[dict[int, Finding]] = []
    for group in sorted(same, key=len, reverse=True):
        _joined(alike, group, _alike)
    found = [Problem(tuple(group.get(at) for at in range(len(sides)))) for group in alike]
    return sorted(found, key=lambda one: (one.worst.severity.rank, -len(one.found_by), one.worst.path, one.worst.start_line))


def _joined(groups: list[dict[int, Finding]], new: dict[int, Finding], are_one: Callable[[Finding, Finding], bool]) -> None:
    """Put claims into the first group that is about the same and has none of these sides yet, or make them one of their own."""
    for group in groups:
        if not group.keys() & new.keys() and any(are_one(a, b) for a in group.values() for b in new.values()):
            group.update(new)
            return
    groups.append(dict(new))


def _same_fingerprint(one: Finding, other: Finding) -> bool:
    return bool(one.fingerprint) and one.fingerprint == other.fingerprint


def _alike(one: Finding, other: Finding) -> bool:
    overlap = one.path == other.path and one.start_line <= other.end_line and other.start_line <= one.end_line
    return overlap and (one.topic == other.topic or _same_words(one.title, other.title))


def _same_words(one: str, other: str) -> bool:
    words = [set(_WORD.findall(title.casefold())) for title in (one, other)]
    fewer = min(map(len, words))
    return fewer > 0 and 2 * len(words[0] & words[1]) >= fewer


def pairs(sides: Sequence[Side], found: Sequence[Problem]) -> list[Pair]:
    """Each two sides with a verdict; `p` by McNemar's exact test on what only one of them found, by Holm's rule over all pairs."""
    judged = [at for at, side in enumerate(sides) if side.judged]
    made = []
    for first, second in itertools.combinations(judged, 2):
        only_first = sum(first in one.found_by and second not in one.found_by for one in found)
        only_second = sum(second in one.found_by and first not in one.found_by for one in found)
        made.append(Pair(first, second, only_first, only_second, _chance(only_first, only_second)))
    return _holm(made)


def _chance(one: int, other: int) -> float:
    """How probable it is that chance alone shares out so many so unevenly, or more so."""
    total = one + other
    as_uneven = sum(math.comb(total, count) for count in range(min(one, other) + 1))
    return min(1.0, 2 * as_uneven / (1 << total))


def _holm(made: Sequence[Pair]) -> list[Pair]:
    adjusted, least = list[Pair](), 0.0
    for rank, pair in enumerate(sorted(made, key=lambda one: one.p)):
        least = max(least, min(1.0, pair.p * (len(made) - rank)))
        adjusted.append(replace(pair, p=least))
    return sorted(adjusted, key=lambda one: (one.first, one.second))


def used(record: ReviewRecord) -> Usage:
    """What the reviewers took, who ask the model; also those of a review that was stopped. The jury's is not among it."""
    parts = [role.usage for role in record.roles]
    return Usage(
        input_tokens=sum(part.input_tokens for part in parts),
        cached_input_tokens=sum(part.cached_input_tokens for part in parts),
        output_tokens=sum(part.output_tokens for part in parts),
        cost_usd=math.fsum(part.cost_usd for part in parts),
    )


def cost(record: ReviewRecord) -> str:
    """What the reviewers cost; `unknown` or `at least` where tokens have no price, or a reviewer ended early."""
    known = all(_is_priced(role.usage) and role.status is RoleStatus.COMPLETED for role in record.roles)
    return _dollars(used(record).cost_usd, known=known)


def jury_cost(record: ReviewRecord) -> str:
    """What the jury cost, in the same words."""
    usage = record.jury.usage if record.jury else Usage()
    return _dollars(usage.cost_usd, known=record.jury is not None and record.jury.status == "completed" and _is_priced(usage))


def _is_priced(usage: Usage) -> bool:
    """False where tokens were used and cost nothing: that is how a price that is not known comes here."""
    return usage.cost_usd > 0 or not usage.input_tokens + usage.cached_input_tokens + usage.output_tokens


def _dollars(usd: float, *, known: bool) -> str:
    if known:
        return wording.dollars(usd)
    return f"at least {wording.dollars(usd)}" if usd > 0 else "unknown"
