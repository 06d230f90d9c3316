"""How a program ends that has reviewed, or could not: the same for the command line and the Action."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from box_review.errors import BoxReviewError, InputError, RequestRejected, ServerMissing
from box_review.finding import Severity
from box_review.review import ReviewRecord, ReviewStatus

OK, FOUND, USAGE, INCOMPLETE, INTERRUPTED = 0, 1, 2, 3, 130
_ASKERS_FAULT = (401, 409, 413, 422)


def of_review(record: ReviewRecord, fail_on: Severity | None) -> int:
    """Incomplete comes first: who reads 1 takes the findings for all there are."""
    if record.status is not ReviewStatus.COMPLETED:
        return INCOMPLETE
    if fail_on is not None and any(finding.severity.at_least(fail_on) for finding in record.findings):
        return FOUND
    return OK


def of_error(error: BoxReviewError) -> int:
    """Whether whoever asked must ask otherwise, or the review could not be done."""
    yours = isinstance(error, InputError | ServerMissing) or (isinstance(error, RequestRejected) and error.status_code in _ASKERS_FAULT)
    return USAGE if yours else INCOMPLETE


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does, with everything put in order."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
