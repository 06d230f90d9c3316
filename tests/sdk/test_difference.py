"""Two records of one change, compared."""

from __future__ import annotations

import pytest
from box_review.difference import ABSENT, differences
from box_review.finding import Dropped, Finding, Proof, ProofState, Severity
from box_review.review import ReviewRecord

from tests.sdk.records import finding
from tests.sdk.records import record as rich

FOUND = finding()


def record(*findings: Finding, dropped: tuple[Dropped, ...] = ()) -> ReviewRecord:
    return rich().model_copy(update={"findings": findings, "dropped": dropped})


def test_record_differs_in_nothing_from_itself() -> None:
    assert differences(rich(), rich()) == ()


def test_words_and_numbers_of_no_consequence_are_no_difference() -> None:
    other = FOUND.model_copy(update={"why": "In other words.", "confidence": 0.1, "note": "x"})
    assert differences(record(FOUND), record(other)) == ()


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (record(FOUND.model_copy(update={"severity": Severity.LOW})), "low, proven"),
        (record(FOUND.model_copy(update={"proof": Proof(state=ProofState.NOT_ATTEMPTED)})), "critical, not attempted"),
        (record(FOUND.model_copy(update={"folded": True})), "critical, proven, folded"),
        (record(dropped=(FOUND.dropped("refuted"),)), "dropped (refuted)"),
        (record(FOUND, dropped=(FOUND.dropped("the same"),)), "critical, proven and dropped (the same)"),
        (record(), ABSENT),
    ],
    ids=["severity", "proof", "folded", "dropped", "both", "gone"],
)
def test_difference_says_what_became_of_a_finding(after: ReviewRecord, said: str) -> None:
    [one] = differences(record(FOUND), after)
    assert (one.finding, one.path, one.line, one.title) == (FOUND.id, FOUND.path, FOUND.start_line, FOUND.title)
    assert (one.before, one.after) == ("critical, proven", said)
    [back] = differences(after, record(FOUND))
    assert (back.before, back.after) == (said, "critical, proven")


def test_finding_without_an_id_is_told_by_its_place() -> None:
    vague = FOUND.model_copy(update={"id": ""}).dropped("vague")
    [one] = differences(record(dropped=(vague,)), record())
    assert one.finding == f"{FOUND.path}:{FOUND.start_line} {FOUND.topic}"
