"""What an earlier review of the same pull request found, looked for again at the new head: the old reproducers first.

A reproducer that still shows its problem keeps the finding in the review, also where no reviewer reports it again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from box_review import Earlier, EarlierState, Excerpt, Finding, Proof, ProofState

from runner.evidence.report import Report
from runner.jury.recheck import tools_of

FIXED, STILL_THERE, UNKNOWN = EarlierState.FIXED, EarlierState.STILL_THERE, EarlierState.UNKNOWN


@dataclass(frozen=True)
class Looked:
    """What became of earlier findings, and those that stand although nobody reports them again."""

    earlier: tuple[Earlier, ...] = ()
    standing: tuple[Finding, ...] = ()


def proven(findings: Sequence[Finding]) -> list[Finding]:
    """Those whose reproducers are worth running again."""
    return [finding for finding in findings if finding.reproducer is not None and finding.proof.state is ProofState.PROVEN]


def look_again(before: Sequence[Finding], proofs: Mapping[str, Proof], now: Sequence[Finding], gone: Collection[str] = ()) -> Looked:
    """Compare an earlier review's findings with what was found now.

    Args:
        before: the earlier findings.
        proofs: of those whose reproducers ran again, by finding.
        now: what reviewers and analyzers found at the new head.
        gone: ids of those that their analyzers looked for again, and did not find.
    """
    reported = {finding.fingerprint for finding in now}
    places = {(finding.path, finding.topic) for finding in now}
    earlier, standing = [], []
    for finding in before:
        again = finding.fingerprint in reported
        state, how = _state(finding, proofs.get(finding.id), again, finding.id in gone)
        earlier.append(_told(finding, state, how))
        if state is STILL_THERE and not again and (finding.path, finding.topic) not in places:
            standing.append(finding.model_copy(update={"proof": proofs[finding.id], "note": "Found at an earlier commit; still there."}))
    return Looked(tuple(earlier), tuple(standing))


def _state(finding: Finding, proof: Proof | None, again: bool, gone: bool) -> tuple[EarlierState, str]:
    if proof is not None and proof.state is ProofState.PROVEN:
        return STILL_THERE, f"its reproducer shows it (exit {proof.base_exit_code} at base, exit {proof.head_exit_code} at head)"
    if proof is not None and proof.state is ProofState.REFUTED:
        return FIXED, f"its reproducer, which showed it before, does not any more (exit {proof.head_exit_code} at head)"
    if again:
        return STILL_THERE, "it was found again"
    if proof is not None:
        return UNKNOWN, "its reproducer gives no clear answer any more"
    if gone:
        return FIXED, f"{' and '.join(tools_of([finding]))}, which found it, finds it no more"
    return UNKNOWN, "nobody reported it again"


def not_shown(sought: Sequence[Finding], report: Report) -> set[str]:
    """Ids of those whose analyzers all worked, looked at their file, and did not find them."""
    worked = {tool.tool for tool in report.tools if tool.status == "ok"}
    looked_at = {file.path for file in report.changed_files}
    again = {(result.tool, result.rule, result.path) for result in report.results}
    silent = [finding for finding in sought if not any((item.tool, item.rule, finding.path) in again for item in finding.evidence)]
    return {finding.id for finding in silent if finding.path in looked_at and set(tools_of([finding])) <= worked}


def _told(finding: Finding, state: EarlierState, how: str) -> Earlier:
    return Earlier(
        id=finding.id,
        fingerprint=finding.fingerprint,
        path=finding.path,
        start_line=finding.start_line,
        severity=finding.severity,
        title=finding.title,
        state=state,
        how=how,
    )


def moved(finding: Finding, excerpt: Excerpt | None, lines: Sequence[str]) -> Finding:
    """A standing finding at the place where its first line is now; where that cannot be told, it is folded.

    Args:
        excerpt: the lines around its old place, now.
        lines: the whole file, now; empty if it is gone or too large.
    """
    old = finding.excerpt
    meant = "" if old is None else next(iter(old.lines[finding.start_line - old.start_line :]), "")
    at = [number for number, line in enumerate(lines, 1) if line.strip() == meant.strip()] if meant.strip() else []
    if finding.start_line in at:
        return finding.model_copy(update={"excerpt": excerpt or old})
    if len(at) == 1:
        last = min(at[0] + finding.end_line - finding.start_line, len(lines))
        return finding.model_copy(update={"start_line": at[0], "end_line": last, "excerpt": None, "suggestion": None})
    last = max(1, min(finding.end_line, len(lines)))
    update = {"start_line": min(finding.start_line, last), "end_line": last, "excerpt": None, "suggestion": None, "folded": True}
    return finding.model_copy(update=update)
