"""What every format says in the same words: verdict, counts, times, costs, gaps, proof.

Texts from the record come out of here as they are; each format makes them fit for its target.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from box_review.finding import Dropped, Finding, Proof, ProofState, Severity
from box_review.review import BoxReport, Conclusion, ReviewRecord, RoleReport, RoleStatus, Usage
from box_review.sanitize import visible

STATIC = "static"
STATIC_ONLY = "analyzers only, no model was asked"
LEARNED_SHOWN = 20

SIGNS = {
    Conclusion.SUCCESS: "✓",
    Conclusion.FAILURE: "✗",
    Conclusion.NEUTRAL: "○",
    Conclusion.ACTION_REQUIRED: "!",
    Conclusion.CANCELLED: "⊘",
    Conclusion.TIMED_OUT: "⏱",
}

_PROOF_WORDS = {
    ProofState.PROVEN: "proven by running it",
    ProofState.REFUTED: "refuted by running it",
    ProofState.UNPROVEN: "tried, not proven",
    ProofState.NOT_ATTEMPTED: "not run",
}


def plain(words: str) -> str:
    """A name from the contract as people write it: `timed_out` as `timed out`."""
    return words.replace("_", " ")


def plural(count: int, noun: str) -> str:
    """`1 finding`, `2 findings`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def seconds(duration_s: float) -> str:
    """A duration as a person would say it: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if not math.isfinite(duration_s) or duration_s < 0:
        return "unknown time"
    if duration_s < 9.95:
        return f"{duration_s:.1f} s"
    whole = round(duration_s)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def verdict(record: ReviewRecord) -> str:
    """The conclusion, and how far the review got where it did not get to its end."""
    conclusion = plain(record.conclusion)
    status = plain(record.status)
    return conclusion if status in ("completed", conclusion) else f"{conclusion} (review {status})"


def severity_counts(findings: Iterable[Finding]) -> list[tuple[Severity, int]]:
    """How many findings of each severity there are, worst first, without the zeros."""
    counts = Counter(finding.severity for finding in findings)
    return [(severity, counts[severity]) for severity in Severity if counts[severity]]


def counts(record: ReviewRecord) -> str:
    """The findings counted: `1 critical, 2 low`, or `no findings`."""
    return ", ".join(f"{count} {severity}" for severity, count in severity_counts(record.findings)) or "no findings"


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by severity, then by confidence, then by place."""
    return sorted(findings, key=lambda f: (f.severity.rank, -f.confidence, f.path, f.start_line, f.topic))


def shown(record: ReviewRecord) -> list[Finding]:
    """The findings reported in full, worst first."""
    return worst_first(finding for finding in record.findings if not finding.folded)


def folded(record: ReviewRecord) -> list[Finding]:
    """The findings listed by one line each, worst first."""
    return worst_first(finding for finding in record.findings if finding.folded)


def dropped_by_reason(record: ReviewRecord) -> list[tuple[str, list[Dropped]]]:
    """What the jury left out, by reason, the most frequent first."""
    reasons: dict[str, list[Dropped]] = {}
    for finding in record.dropped:
        reasons.setdefault(finding.reason, []).append(finding)
    return sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))


def place(finding: Finding) -> str:
    """Where a finding is: `path:line`, or `path:first-last`."""
    lines = str(finding.start_line) if finding.start_line == finding.end_line else f"{finding.start_line}-{finding.end_line}"
    return f"{finding.path}:{lines}"


def proof(finding: Finding) -> str:
    """What running the reproducer showed, in one line."""
    return _PROOF_WORDS[finding.proof.state] + _exit_codes(finding.proof)


def _exit_codes(outcome: Proof) -> str:
    sides = {"base": outcome.base_exit_code, "head": outcome.head_exit_code}
    ran = [f"exit {code} at {side}" for side, code in sides.items() if code is not None]
    return f" ({', '.join(ran)})" if ran else ""


def mark(finding: Finding) -> tuple[str, str]:
    """What is said where a program marks a finding's line: a title, and a text; plain, without anything that acts or hides."""
    proven = "Proven by running it. " if finding.proof.state is ProofState.PROVEN else ""
    title = f"{finding.severity.value}: {finding.title} ({', '.join(finding.roles)})"
    return visible(title)[:250], visible(f"{proven}{finding.why}\n\n{finding.scenario}", multiline=True)[:8000]


def static_only(record: ReviewRecord) -> bool:
    """True if no model had a part in the review."""
    return all(role.harness == STATIC for role in record.roles) and (record.jury is None or record.jury.harness == STATIC)


def troubles(record: ReviewRecord) -> list[tuple[str, str]]:
    """Who did not come to a good end, and what is known of it."""
    reviewers = [(role, plain(role.status)) for role in record.roles if role.status is not RoleStatus.COMPLETED]
    said = [(f"{role.role} {status}", role.error or "no reason was given") for role, status in reviewers]
    if record.jury is not None and record.jury.status != "completed":
        said.append((f"jury {record.jury.status}", record.jury.error or "no reason was given"))
    return said


def not_covered(record: ReviewRecord) -> list[str]:
    """What nobody looked at: the record's sentences, and each reviewer's that are not among them."""
    sentences = list(dict.fromkeys(record.not_covered))
    for role in record.roles:
        sentences += [f"{role.role}: {own}" for own in role.not_covered if not any(own in known for known in sentences)]
    return sentences


def boxes(record: ReviewRecord) -> list[tuple[str, BoxReport]]:
    """The boxes of the review, by lane: the reviewers', then the jury's."""
    lanes = [(role.role, role.box) for role in record.roles] + [("jury", record.jury.box if record.jury else None)]
    return [(lane, box) for lane, box in lanes if box is not None]


def harnesses(record: ReviewRecord) -> str:
    """What reviewed: each harness once, with its models."""
    models: dict[str, list[str]] = {}
    for role in record.roles:
        models.setdefault(role.harness, []).extend(_model(role))
    if record.jury is not None:
        models.setdefault(record.jury.harness, [])
    named = [f"{harness} ({', '.join(dict.fromkeys(used))})" if used else harness for harness, used in models.items()]
    return ", ".join(named) or "no reviewer"


def _model(role: RoleReport) -> list[str]:
    return [role.model] if role.model else []


def tokens(usage: Usage) -> str:
    """Tokens in and out, and how many of the former came from a cache."""
    if not usage.input_tokens and not usage.output_tokens:
        return "0 tokens"
    cached = f" ({usage.cached_input_tokens:,} cached)" if usage.cached_input_tokens else ""
    return f"{usage.input_tokens:,} tokens in{cached}, {usage.output_tokens:,} out"


def dollars(cost_usd: float) -> str:
    """A cost in USD; fractions of a cent are shown rather than rounded away."""
    if not math.isfinite(cost_usd):
        return "unknown USD"
    return f"{cost_usd:.2f} USD" if cost_usd == 0 or cost_usd >= 0.01 else f"{cost_usd:.4f} USD"


def learned(record: ReviewRecord) -> str:
    """The learned rules that were given, with what each muted, in one line: `Learned: l-3 (muted 2), l-7`. Empty where there were none."""
    named = [f"{use.id} (muted {use.muted})" if use.muted else use.id for use in sorted(record.learned, key=lambda use: -use.muted)]
    more = [f"and {len(named) - LEARNED_SHOWN} more"] if len(named) > LEARNED_SHOWN else []
    return f"Learned: {', '.join(named[:LEARNED_SHOWN] + more)}" if named else ""


def last_line(record: ReviewRecord) -> str:
    """Models, wall time, tokens, USD and what was not covered, in one line."""
    gaps = not_covered(record)
    covered = f"not covered: {len(gaps)}, listed above" if gaps else "not covered: nothing reported"
    parts = [harnesses(record), seconds(record.duration_s), tokens(record.usage), dollars(record.usage.cost_usd), covered]
    return " · ".join(parts)
