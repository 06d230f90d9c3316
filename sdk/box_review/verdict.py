"""How a program ends that has reviewed."""

from __future__ import annotations

from box_review.finding import Severity
from box_review.review import ReviewRecord, ReviewStatus

OK, FOUND, USAGE, INCOMPLETE, INTERRUPTED = 0, 1, 2, 3, 130


def exit_code(record: ReviewRecord, fail_on: Severity | None) -> int:
    """Incomplete comes first: who reads 1 takes the findings for all there are."""
    if record.status is not ReviewStatus.COMPLETED:
        return INCOMPLETE
    if fail_on is not None and any(finding.severity.at_least(fail_on) for finding in record.findings):
        return FOUND
    return OK
