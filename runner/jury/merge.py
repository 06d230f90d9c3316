"""The same problem seen twice is one finding; the worst come first; what is too much is folded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from box_review import Evidence, Finding, ProofState

EVIDENCE_KEPT = 50


def merge(findings: Iterable[Finding], *, apart: bool = False) -> tuple[Finding, ...]:
    """Join findings of the same topic on overlapping lines of a file, worst first; `apart`: not claims with what analyzers found.

    The joined finding has the words and lines of the most severe and surest, and the roles and evidence of all.
    """
    groups: dict[tuple[str, str, bool], list[list[Finding]]] = {}
    for finding in sorted(findings, key=_place):
        group = groups.setdefault((finding.path, finding.topic, apart and bool(finding.evidence)), [])
        if group and finding.start_line <= max(other.end_line for other in group[-1]):
            group[-1].append(finding)
        else:
            group.append([finding])
    joined = [_join(same) for group in groups.values() for same in group]
    return _numbered(sorted(joined, key=rank))


def fold(findings: Sequence[Finding], limit: int) -> tuple[Finding, ...]:
    """Mark all but the first `limit` as folded, and leave folded what is; the sequence is in order of rank."""
    shown = 0
    folded = []
    for finding in findings:
        shown += not finding.folded
        folded.append(finding.model_copy(update={"folded": finding.folded or shown > limit}))
    return tuple(folded)


def rank(finding: Finding) -> tuple[int, int, float, str, int, str]:
    """Sort key: severity, then how many reviewers agree, then how sure they are; then place, so that the order is always the same."""
    return finding.severity.rank, -len(finding.roles), -finding.confidence, finding.path, finding.start_line, finding.topic


def _place(finding: Finding) -> tuple[str, str, int, int]:
    return finding.path, finding.topic, finding.start_line, finding.end_line


def _join(same: list[Finding]) -> Finding:
    best = min(same, key=lambda finding: (finding.proof.state is not ProofState.PROVEN, rank(finding)))
    if len(same) == 1:
        return best
    evidence: dict[tuple[str, str, str], Evidence] = {}
    for finding in sorted(same, key=rank):
        for item in finding.evidence:
            evidence.setdefault((item.tool, item.rule, item.message), item)
    roles = dict.fromkeys(role for finding in sorted(same, key=rank) for role in finding.roles)
    joined = {"roles": tuple(roles)[:16], "evidence": tuple(evidence.values())[:EVIDENCE_KEPT]}
    return best.model_copy(update=joined | {"confidence": max(finding.confidence for finding in same)})


def _numbered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Give every finding an id of its own, also where the same line stands twice in a file."""
    seen: dict[str, int] = {}
    result = []
    for finding in findings:
        identified = finding.identified()
        count = seen[identified.id] = seen.get(identified.id, 0) + 1
        if count > 1:
            extra = {"id": f"{identified.id}-{count}", "fingerprint": f"{identified.fingerprint}-{count}"}
            identified = identified.model_copy(update=extra)
        result.append(identified)
    return tuple(result)
