"""Votes and proofs: what was measured stands above what was said."""

from __future__ import annotations

from typing import Any

import pytest
from box_review import Evidence, Finding, Proof, ProofState, Reproducer, Severity, Vote

from runner.jury.proof import Ran, judge
from runner.jury.votes import apply, with_proofs

PROVEN = Proof(state=ProofState.PROVEN)


def finding(ident: str = "F-1", **more: Any) -> Finding:
    words = {"title": "t", "why": "w", "scenario": "s", "topic": "x", "confidence": 0.5, "severity": Severity.HIGH}
    return Finding(**{"id": ident, "roles": ("quality",), "path": "a.py", "start_line": 1, "end_line": 1, **words, **more})


def vote(word: Any, ident: str = "F-1", **more: Any) -> Vote:
    return Vote(finding=ident, vote=word, reason="because", **more)


def test_claim_is_dropped_with_the_jurys_reason() -> None:
    kept, dropped, votes = apply([finding()], [vote("drop")])
    assert (kept, [item.reason for item in dropped], votes[0].applied) == ((), ["because"], True)


@pytest.mark.parametrize("measured", [{"proof": PROVEN}, {"evidence": (Evidence(tool="ruff", rule="S602"),)}], ids=["proven", "evidence"])
@pytest.mark.parametrize("word", ["drop", "downgrade", "merge"])
def test_what_was_measured_is_only_folded(measured: dict[str, Any], word: str) -> None:
    other = finding("F-2")
    [kept, _], dropped, votes = apply([finding(**measured), other], [vote(word, severity=Severity.LOW, into="F-2")])
    assert (kept.severity, kept.folded, dropped, votes[0].applied) == (Severity.HIGH, True, (), False)
    assert "because" in kept.note


def test_severity_only_sinks() -> None:
    [kept], _, _ = apply([finding()], [vote("downgrade", severity=Severity.CRITICAL)])
    assert kept.severity is Severity.HIGH
    [kept], _, _ = apply([finding()], [vote("downgrade", severity=Severity.LOW)])
    assert kept.severity is Severity.LOW


@pytest.mark.parametrize("into", [None, "F-1", "F-9"], ids=["nothing", "itself", "what is not there"])
def test_finding_is_never_merged_away(into: str | None) -> None:
    [kept], dropped, _ = apply([finding()], [vote("merge", into=into)])
    assert (kept.id, dropped) == ("F-1", ())


def test_two_findings_cannot_be_merged_into_each_other() -> None:
    kept, dropped, _ = apply([finding("F-1"), finding("F-2")], [vote("merge", "F-1", into="F-2"), vote("merge", "F-2", into="F-1")])
    assert (len(kept), dropped) == (2, ())


def test_votes_on_what_is_not_there_and_second_votes_count_nothing() -> None:
    kept, dropped, votes = apply([finding()], [vote("keep"), vote("drop"), vote("drop", "F-9")])
    assert (len(kept), dropped, len(votes)) == (1, (), 1)


def test_only_what_is_proven_stays_critical() -> None:
    claims = [finding(name, severity=Severity.CRITICAL) for name in ("F-1", "F-2", "F-3")]
    proofs = {"F-1": PROVEN, "F-2": Proof(state=ProofState.UNPROVEN), "F-3": Proof(state=ProofState.REFUTED)}
    kept, dropped = with_proofs(claims, proofs)
    assert [item.severity for item in kept] == [Severity.CRITICAL, Severity.HIGH]
    assert [item.id for item in dropped] == ["F-3"]


def ran(code: int, broke: str | None = None) -> Ran:
    return Ran(code, broke, "")


@pytest.mark.parametrize(
    ("kind", "base", "head", "state"),
    [
        ("regression", ran(0), ran(1), "proven"),
        ("regression", ran(0), ran(0), "refuted"),
        ("regression", ran(1), ran(1), "unproven"),
        ("regression", ran(1), ran(0), "unproven"),
        ("regression", ran(0), ran(127, "missing"), "unproven"),
        ("regression", ran(0), ran(124, "too long"), "unproven"),
        ("effect", ran(3), ran(0), "proven"),
        ("effect", ran(1), ran(0), "proven"),
        ("effect", ran(0), ran(0), "unproven"),
        ("effect", ran(3), ran(3), "refuted"),
        ("effect", ran(3), ran(1), "unproven"),
    ],
)
def test_two_runs_prove_refute_or_neither(kind: Any, base: Ran, head: Ran, state: str) -> None:
    assert judge(Reproducer(kind=kind, script="x", expects="y"), base, head).state == state
