"""From what was found to what is said: status, conclusion, summary and record. No I/O."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from box_review import (
    ChangedFile,
    Conclusion,
    Dropped,
    Earlier,
    Finding,
    JuryReport,
    ReviewRecord,
    ReviewStatus,
    RoleReport,
    RoleStatus,
    Severity,
    Usage,
)
from box_review.learned import LearnedUse

from runner.result import RoleResult
from runner.reviews import ReviewState


@dataclass(frozen=True)
class Judged:
    """What the jury decided."""

    findings: tuple[Finding, ...]
    dropped: tuple[Dropped, ...]
    not_covered: tuple[str, ...]
    summary: str = ""
    earlier: tuple[Earlier, ...] = ()
    learned: tuple[LearnedUse, ...] = ()


def record(review: ReviewState, results: Sequence[RoleResult], judged: Judged, jury: JuryReport) -> ReviewRecord:
    """The record of a review whose reviewers have come to their end."""
    status, files = _status(review.roles, jury), _files(results)
    kept = Counter(role for finding in judged.findings for role in finding.roles)
    return ReviewRecord(
        review_id=review.review_id,
        replays=review.replays or None,
        repository=review.request.repository,
        title=review.request.title,
        base_sha=review.request.base_sha,
        head_sha=review.request.head_sha,
        status=status,
        conclusion=_conclusion(status, review, judged.findings, looked_at=bool(files)),
        summary=_summary(review, judged, status),
        roles=tuple(report.model_copy(update={"findings": kept[report.role]}) for report in review.roles),
        jury=jury,
        findings=judged.findings,
        dropped=judged.dropped,
        before=review.request.before,
        earlier=judged.earlier,
        learned=judged.learned,
        not_covered=(*judged.not_covered, *_budget(review, jury)),
        changed_files=files,
        usage=_sum([*(report.usage for report in review.roles), jury.usage]),
        created_at=datetime.fromtimestamp(review.created_at, UTC),
        duration_s=round(max(0.0, time.time() - review.created_at), 3),
    )


def gaps(review: ReviewState, results: Sequence[RoleResult]) -> tuple[str, ...]:
    """Sentences about what nobody looked at; the absence of a reviewer comes first."""
    missing = [
        f"{report.role} was not reviewed: {report.status.value.replace('_', ' ')}{f' ({report.error})' if report.error else ''}."
        for report in review.roles
        if report.status is not RoleStatus.COMPLETED
    ]
    if review.request.ignore_paths:
        missing.append(f"Files that match {', '.join(review.request.ignore_paths)} were not looked at: the settings ignore them.")
    return tuple(dict.fromkeys([*missing, *(sentence for result in results for sentence in result.not_covered)]))


def _status(roles: Sequence[RoleReport], jury: JuryReport) -> ReviewStatus:
    done = [report.status is RoleStatus.COMPLETED for report in roles]
    if all(done):
        return ReviewStatus.COMPLETED if jury.status == "completed" else ReviewStatus.PARTIAL
    if any(done):
        return ReviewStatus.PARTIAL
    late = any(report.status is RoleStatus.TIMED_OUT for report in roles)
    return ReviewStatus.TIMED_OUT if late else ReviewStatus.FAILED


def _conclusion(status: ReviewStatus, review: ReviewState, findings: Sequence[Finding], *, looked_at: bool) -> Conclusion:
    threshold = review.request.fail_on
    if threshold is not None and any(finding.severity.at_least(threshold) for finding in findings):
        return Conclusion.FAILURE
    if status is ReviewStatus.TIMED_OUT:
        return Conclusion.TIMED_OUT
    # Analyzers alone are no review worth a green check, and neither is half of one, or one of nothing.
    if status is not ReviewStatus.COMPLETED or _static(review) or not looked_at:
        return Conclusion.NEUTRAL
    return Conclusion.SUCCESS


def _summary(review: ReviewState, judged: Judged, status: ReviewStatus) -> str:
    counts = Counter(finding.severity for finding in judged.findings)
    listed = ", ".join(f"{counts[severity]} {severity.value}" for severity in Severity if counts[severity])
    number = len(judged.findings)
    found = f"{number} finding{'s' if number != 1 else ''} ({listed})." if number else "No findings."
    done = [report.role for report in review.roles if report.status is RoleStatus.COMPLETED]
    sentences = [judged.summary] if judged.summary else []
    sentences += [found, f"Reviewed for {', '.join(done)}." if done else "No reviewer came to a result."]
    if status is not ReviewStatus.COMPLETED:
        sentences.append("The review is incomplete.")
    if _static(review):
        sentences.append("Analyzers only: no model was asked.")
    return " ".join(sentences)[:4000]


def _static(review: ReviewState) -> bool:
    return all(report.harness == "static" for report in review.roles)


def _budget(review: ReviewState, jury: JuryReport) -> tuple[str, ...]:
    """What is to be said about money, and about a jury whose agent did not judge."""
    said = []
    if jury.fell_back is not None:
        said.append(f"No agent judged the findings, rules alone did: {jury.fell_back}.")
    if review.request.budget_usd is not None:
        spent = sum(report.usage.cost_usd for report in review.roles) + jury.usage.cost_usd
        if spent >= review.request.budget_usd:
            said.append(f"The budget of {review.request.budget_usd:g} USD is used up ({spent:.4g} USD); what was left to do was not done.")
    return tuple(said)


def _files(results: Sequence[RoleResult]) -> tuple[ChangedFile, ...]:
    files = {file.path: file for result in results for file in result.changed_files}
    return tuple(files[path] for path in sorted(files))


def _sum(usages: Iterable[Usage]) -> Usage:
    total = Usage()
    for usage in usages:
        total = Usage(**{name: getattr(total, name) + getattr(usage, name) for name in Usage.model_fields})
    return total
