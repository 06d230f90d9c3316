"""Learned rules, applied to findings: rules without I/O.

A mute stands below every measurement that matters: what was proven, what is critical and what is a secret is told, whatever was learned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from box_review import Dropped, Finding, ProofState, Severity
from box_review.learned import LearnedRule, LearnedUse, Mute, title_words

from runner.jury.paths import matches

SECRETS = "detect-secrets"


def apply_mutes(findings: Sequence[Finding], rules: Sequence[LearnedRule]) -> tuple[tuple[Finding, ...], tuple[Dropped, ...]]:
    """Findings that are told, and those that a rule mutes; the first rule that fits counts."""
    kept, muted = [], []
    for finding in findings:
        rule = None if protected(finding) else next((rule for rule in rules if rule.mute and fits(rule.mute, finding)), None)
        if rule is None:
            kept.append(finding)
        else:
            muted.append(finding.dropped(f"{_reason(rule)}{rule.source}): {rule.text}"))
    return tuple(kept), tuple(muted)


def protected(finding: Finding) -> bool:
    """True for what no rule may mute."""
    secret = "secret" in finding.topic or any(item.tool == SECRETS for item in finding.evidence)
    return secret or finding.proof.state is ProofState.PROVEN or finding.severity is Severity.CRITICAL


def fits(mute: Mute, finding: Finding) -> bool:
    """True if all that a mute names is so. What analyzers found is muted by their rules alone, what agents claim by role and words."""
    if mute.path is not None and not matches(finding.path, [mute.path]):
        return False
    if mute.tool is None:
        alone = set(finding.roles) == {mute.role}  # what others claim too is not the noise of one role
        words = set((mute.title or "").split())
        return not finding.evidence and alone and words <= set(title_words(finding.title).split())
    of_tool = bool(finding.evidence) and all(item.tool == mute.tool and mute.rule in (None, item.rule) for item in finding.evidence)
    return of_tool and (mute.role is None or mute.role in finding.roles)


def uses(rules: Sequence[LearnedRule], muted: Sequence[Dropped], *, by_agents: bool) -> tuple[LearnedUse, ...]:
    """What the record says of the rules that were given; guidance is given where agents review."""
    counts = Counter(rule.id for item in muted for rule in rules if item.reason.startswith(_reason(rule)))
    return tuple(
        LearnedUse(id=rule.id, text=rule.text, source=rule.source, guidance=rule.mute is None, muted=counts[rule.id])
        for rule in rules
        if rule.mute is not None or by_agents
    )


def _reason(rule: LearnedRule) -> str:
    return f"muted by learned rule {rule.id} ("
