"""What is said of an earlier head's findings: fixed only where something shows it."""

from __future__ import annotations

import pytest
from box_review import ChangedFile, EarlierState, Evidence, Excerpt, Finding, Proof, ProofState, Reproducer

from runner.evidence.report import Report, Result, ToolReport
from runner.jury.earlier import look_again, moved, not_shown, proven
from tests.sdk.records import finding

RUFF = (Evidence(tool="ruff", rule="S602"),)


def measured(**changed: object) -> Finding:
    return finding(path="a.py", start_line=5, end_line=5, evidence=RUFF, reproducer=None, proof=Proof(), **changed)


def report(status: str = "ok", paths: tuple[str, ...] = ("a.py",), found: tuple[str, ...] = ()) -> Report:
    return Report(
        version=1,
        changed_files=tuple(ChangedFile(path=path, status="modified", added_lines=1, deleted_lines=0) for path in paths),
        results=tuple(Result(tool="ruff", rule="S602", path=path, start_line=9, end_line=9) for path in found),
        tools=(ToolReport(tool="ruff", status=status),),
    )


def test_finding_is_gone_only_if_its_analyzer_worked_looked_at_its_file_and_was_silent() -> None:
    assert not_shown([measured()], report()) == {measured().id}
    assert not_shown([measured()], report(status="failed")) == set()
    assert not_shown([measured()], report(status="timed_out")) == set()
    assert not_shown([measured()], report(paths=("b.py",))) == set()  # renamed, ignored, or no part of the change any more
    assert not_shown([measured()], report(found=("a.py",))) == set()  # it has only moved
    assert not_shown([measured()], Report(version=1, changed_files=report().changed_files, results=(), tools=())) == set()


@pytest.mark.parametrize(
    ("proof", "state"),
    [
        (Proof(state=ProofState.PROVEN, base_exit_code=0, head_exit_code=1), EarlierState.STILL_THERE),
        (Proof(state=ProofState.REFUTED, base_exit_code=0, head_exit_code=0), EarlierState.FIXED),
        (Proof(state=ProofState.UNPROVEN), EarlierState.UNKNOWN),
    ],
)
def test_reproducer_decides_for_itself(proof: Proof, state: EarlierState) -> None:
    before = finding(evidence=(), reproducer=Reproducer(script="x", expects="y"), proof=Proof(state=ProofState.PROVEN))
    assert proven([before]) == [before]
    looked = look_again([before], {before.id: proof}, [])
    assert [item.state for item in looked.earlier] == [state]
    assert len(looked.standing) == (state is EarlierState.STILL_THERE)


def test_silence_of_agents_is_no_fix() -> None:
    before = finding(evidence=(), reproducer=None, proof=Proof())
    assert [item.state for item in look_again([before], {}, []).earlier] == [EarlierState.UNKNOWN]
    assert [item.state for item in look_again([before], {}, [before]).earlier] == [EarlierState.STILL_THERE]


def test_standing_finding_follows_its_line() -> None:
    before = finding(path="a.py", start_line=2, end_line=2, excerpt=Excerpt(start_line=1, lines=("def f():", "    return 1")))
    assert moved(before, None, ["def f():", "    return 1"]).start_line == 2
    assert moved(before, None, ["# new", "", "def f():", "    return 1"]).start_line == 4
    twice = moved(before, None, ["x", "y", "    return 1", "    return 1"])
    assert (twice.folded, twice.start_line) == (True, 2)
    gone = moved(before, None, [])
    assert (gone.folded, gone.start_line, gone.end_line) == (True, 1, 1)
