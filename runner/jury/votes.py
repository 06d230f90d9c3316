"""Votes and proofs, applied to findings: rules without I/O.

What was measured stands above what was said: a finding that was proven, or that analyzers found and showed again, is not voted away.
The most a vote can do to it is to fold it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from box_review import Dropped, Finding, Proof, ProofState, Severity, Vote

REFUTED = "refuted: its own reproducer passes at base and at head"
NOT_THERE = "there is no such file or line at head"
_MEASURED = "It was measured, so the vote changes nothing but its place."


def with_proofs(findings: Sequence[Finding], proofs: Mapping[str, Proof]) -> tuple[tuple[Finding, ...], tuple[Dropped, ...]]:
    """Findings with what running their reproducers showed; refuted ones are dropped, and only proven ones stay critical."""
    kept, dropped = [], []
    for finding in findings:
        proof = proofs.get(finding.id, finding.proof)
        proved = finding.model_copy(update={"proof": proof})
        if proof.state is ProofState.REFUTED and not finding.evidence:
            dropped.append(proved.dropped(REFUTED))
        elif proof.state is not ProofState.PROVEN and finding.severity is Severity.CRITICAL and not finding.evidence:
            kept.append(proved.model_copy(update={"severity": Severity.HIGH}))
        else:
            kept.append(proved)
    return tuple(kept), tuple(dropped)


def apply(findings: Sequence[Finding], votes: Sequence[Vote]) -> tuple[tuple[Finding, ...], tuple[Dropped, ...], tuple[Vote, ...]]:
    """Findings after the votes, what they dropped, and the votes with what became of each. The first vote on a finding counts."""
    by_id = {finding.id: finding for finding in findings}
    chosen: dict[str, Vote] = {}
    for given in votes:
        if given.finding in by_id:
            chosen.setdefault(given.finding, given)
    kept, dropped, counted = [], [], []
    for finding in findings:
        vote = chosen.get(finding.id)
        if vote is None:
            kept.append(finding)
            continue
        after = _after(finding, vote, by_id, chosen)
        applied = vote.vote == "keep" or (after is not finding and not measured(finding))
        counted.append(vote.model_copy(update={"applied": applied}))
        if isinstance(after, Dropped):
            dropped.append(after)
        else:
            kept.append(after)
    return tuple(kept), tuple(dropped), tuple(counted)


def measured(finding: Finding) -> bool:
    """True if more than words speak for it."""
    return finding.proof.state is ProofState.PROVEN or bool(finding.evidence)


def _after(finding: Finding, vote: Vote, by_id: Mapping[str, Finding], chosen: Mapping[str, Vote]) -> Finding:
    """The finding as the vote leaves it."""
    if vote.vote == "keep":
        return finding
    if measured(finding):
        said = f"The jury would {vote.vote} it: {vote.reason} {_MEASURED}"
        return finding.model_copy(update={"folded": True, "note": said[:1000]})
    if vote.vote == "downgrade":
        lower = vote.severity if vote.severity is not None and vote.severity.rank > finding.severity.rank else finding.severity
        return finding.model_copy(update={"severity": lower, "note": vote.reason})
    if vote.vote == "merge":
        into = by_id.get(vote.into or "")
        other = chosen.get(vote.into or "")
        if into is None or into.id == finding.id or (other is not None and other.vote in ("merge", "drop") and not measured(into)):
            return finding  # into nothing: it would be lost
        return finding.dropped(f"the same as {into.id}: {vote.reason}")
    return finding.dropped(vote.reason or "the jury sees no problem here")
