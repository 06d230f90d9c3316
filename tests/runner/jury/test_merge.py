"""The same problem is told once, the worst first."""

from __future__ import annotations

from box_review import Evidence, Finding, Severity

from runner.evidence.report import Report, Result
from runner.jury.merge import fold, merge
from runner.jury.recheck import recheck


def finding(role: str, start: int, end: int, topic: str = "t", severity: Severity = Severity.LOW, path: str = "a.py") -> Finding:
    return Finding(
        roles=(role,), path=path, start_line=start, end_line=end, severity=severity, confidence=0.5, topic=topic,
        title=f"{role} {start}", why="w", scenario="s", evidence=(Evidence(tool=f"tool-{role}", rule="r"),),
    )  # fmt: skip


def test_same_topic_on_overlapping_lines_is_one_finding_of_both_roles() -> None:
    (merged,) = merge([finding("quality", 1, 5), finding("security", 5, 9, severity=Severity.HIGH)])
    assert set(merged.roles) == {"quality", "security"}
    assert (merged.severity, merged.title, merged.start_line) == (Severity.HIGH, "security 5", 5)
    assert {item.tool for item in merged.evidence} == {"tool-quality", "tool-security"}


def test_other_topic_other_lines_or_other_file_stay_apart() -> None:
    given = [finding("q", 1, 5), finding("q", 6, 7), finding("q", 1, 5, topic="u"), finding("q", 1, 5, path="b.py")]
    assert len(merge(given)) == 4


def test_merging_does_not_depend_on_the_order_of_arrival() -> None:
    given = [finding("a", 1, 3), finding("b", 2, 6), finding("c", 6, 6, severity=Severity.HIGH), finding("d", 9, 9)]
    assert merge(given) == merge(reversed(given))


def test_every_finding_has_an_id_of_its_own() -> None:
    ids = [item.id for item in merge([finding("q", 1, 1), finding("q", 3, 3), finding("q", 5, 5)])]
    assert len(set(ids)) == 3


def test_worst_come_first_and_what_is_too_much_is_folded() -> None:
    ranked = fold(
        merge([finding("q", 1, 1), finding("q", 3, 3, severity=Severity.CRITICAL), finding("q", 5, 5, severity=Severity.HIGH)]), 2
    )
    assert [item.severity for item in ranked] == [Severity.CRITICAL, Severity.HIGH, Severity.LOW]
    assert [item.folded for item in ranked] == [False, False, True]


def test_claim_whose_evidence_does_not_show_again_is_dropped_with_the_reason() -> None:
    claims = merge([finding("a", 1, 2), finding("b", 1, 2, topic="u")])
    seen = Result(tool="tool-a", rule="r", path="a.py", start_line=2, end_line=2)
    kept, dropped = recheck(claims, Report(version=1, changed_files=(), results=(seen,), tools=()))
    assert [item.roles for item in kept] == [("a",)]
    assert [(item.roles, "not reproduced" in item.reason) for item in dropped] == [(("b",), True)]


def test_claims_stay_apart_from_what_analyzers_found_until_both_were_checked() -> None:
    """Threat: a claim in an analyzer's place, whose false reproducer would take the analyzer's finding with it."""
    measured = finding("security", 1, 5)
    claimed = finding("quality", 1, 5, severity=Severity.CRITICAL).model_copy(update={"evidence": ()})
    assert len(merge([measured, claimed], apart=True)) == 2
    [joined] = merge([measured, claimed])
    assert joined.evidence
