"""Waits for the review that the App makes by itself: what a workflow without secrets can do."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from box_review import ReviewStatus, Severity, exit_codes

CHECK = "box-review"
APPEARS_S = 300.0
"""The App opens its check run within seconds; where there is none for so long, none will come."""
LONGEST_PAUSE_S = 10.0
_STATUS = {
    **dict.fromkeys(("success", "failure", "neutral"), ReviewStatus.COMPLETED),
    "timed_out": ReviewStatus.TIMED_OUT,
    "cancelled": ReviewStatus.CANCELLED,
}


@dataclass(frozen=True)
class Check:
    """What GitHub shows of the App's review.

    Args:
        conclusion: empty until it has one.
        findings: how many, as it says itself; None where it says nothing.
        url: its page on GitHub, which whoever can see the pull request can see.
    """

    done: bool
    conclusion: str = ""
    title: str = ""
    summary: str = ""
    findings: int | None = None
    url: str = ""
    review_id: str = ""

    @property
    def status(self) -> ReviewStatus:
        """How far the review came; what needs a human, or is unknown here, is not whole."""
        return _STATUS.get(self.conclusion, ReviewStatus.FAILED)

    def exit_code(self, fail_on: Severity | None) -> int:
        """As that of a review. What is severe enough was decided by the App, so of `fail_on` only None, never, counts."""
        if self.status is not ReviewStatus.COMPLETED:
            return exit_codes.INCOMPLETE
        return exit_codes.FOUND if self.conclusion == "failure" and fail_on is not None else exit_codes.OK


class Unanswered(Exception):
    """GitHub gave no answer this time."""


Look = Callable[[], Check | None]


def wait(
    look: Look,
    longest_s: float,
    *,
    appears_s: float = APPEARS_S,
    pause: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Check:
    """Look until the review is done.

    Args:
        look: the check run as it is now, None where there is none; may raise Unanswered.
        longest_s: seconds to wait at most.
        appears_s: seconds to wait at most for there to be one.

    Returns:
        What came of it; with the conclusion `timed_out` where nothing came in time.
    """
    began, said, found, why = clock(), "", None, ""
    for pause_s in _pauses():
        try:
            found, why = look() or found, ""
        except Unanswered as error:
            why = f"; {error}"
        if found is not None and found.done:
            return found
        at_s = clock() - began
        left_s = (longest_s if found or why else min(appears_s, longest_s)) - at_s
        if left_s <= 0:
            return _late(found, f"{at_s / 60:.1f} minutes{why}")
        now = "GitHub does not answer" if why else "the App is reviewing" if found else "the App has not begun"
        if now != said:
            print(f"{at_s:7.1f} s  {now}", file=sys.stderr, flush=True)
            said = now
        pause(min(pause_s, left_s))
    raise AssertionError("pauses do not end")


def _pauses() -> Iterator[float]:
    """Short at first, for what is done already; then within what a workflow's token may ask in an hour."""
    pause_s = 1.0
    while True:
        yield pause_s
        pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)


def _late(found: Check | None, after: str) -> Check:
    if found is None:
        said = (
            f"there is no check run {CHECK!r} after {after}: the App is not installed on this repository, its server is not "
            "reached, or its settings leave this pull request out"
        )
        return Check(done=False, conclusion="timed_out", title=said)
    return Check(done=False, conclusion="timed_out", title=f"the App was not done after {after}", url=found.url, review_id=found.review_id)
