"""Where a review comment may stand: only at lines that the pull request's diff shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fakes.github import events
from tests.fakes.github.accounts import Account
from tests.fakes.github.changes import Change, Hunk
from tests.fakes.github.clock import now
from tests.fakes.github.records import Review, ReviewComment

if TYPE_CHECKING:
    from tests.fakes.github.pull import Pull


@dataclass(frozen=True)
class Remark:
    """A comment as it is asked for."""

    path: str
    body: str
    line: int | None = None
    side: str = "RIGHT"
    start_line: int | None = None
    start_side: str | None = None
    position: int | None = None
    whole_file: bool = False


@dataclass(frozen=True)
class Spot:
    """Where it stands."""

    hunk: Hunk | None
    index: int
    position: int | None


class Misplaced(Exception):
    """A comment that cannot be; `field` is the part that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def spot(changes: Sequence[Change], remark: Remark) -> Spot:
    """Where a comment stands. Raises Misplaced."""
    change = next((change for change in changes if change.path == remark.path), None)
    if change is None:
        raise Misplaced("path", "Path could not be resolved")
    if remark.whole_file:
        return Spot(None, 0, None)
    if remark.position is not None:
        found = change.at(remark.position)
    elif remark.line is None:
        raise Misplaced("line", "Line could not be resolved")
    else:
        found = change.find(remark.line, remark.side)
    if found is None:
        raise Misplaced("line", "Line could not be resolved")
    hunk, index = found
    if remark.start_line is not None:
        _check_start(hunk, index, remark)
    return Spot(hunk, index, hunk.position + index)


def _check_start(hunk: Hunk, index: int, remark: Remark) -> None:
    assert remark.start_line is not None
    start = hunk.find(remark.start_line, remark.start_side or remark.side)
    if start is None:
        raise Misplaced("start_line", "Pull request review thread start line must be part of the same hunk as the line.")
    if start >= index:
        raise Misplaced("start_line", "Pull request review thread start line must precede the end line.")


def placed(pull: Pull, author: Account, remark: Remark, commit_id: str, at: Spot) -> ReviewComment:
    """The comment of a remark that has a place; it belongs to no review yet."""
    line, side = remark.line, remark.side
    if at.hunk is not None and line is None:
        place = at.hunk.places[at.index]
        line, side = (place.old, "LEFT") if place.new is None else (place.new, "RIGHT")
    start_side = (remark.start_side or side) if remark.start_line is not None else None
    return ReviewComment(
        pull.github.next_id(), pull, author, remark.body, remark.path, commit_id, at.hunk.until(at.index) if at.hunk else "",
        line, side, remark.start_line, start_side, at.position,
    )  # fmt: skip


def written(
    pull: Pull, author: Account, remark: Remark, answered: ReviewComment | None = None, commit_id: str | None = None
) -> ReviewComment:
    """Post one comment, as a review of its own, as GitHub does. Raises Misplaced."""
    sha = commit_id or pull.head_sha
    if answered is not None:
        root = answered.in_reply_to or answered
        made = ReviewComment(
            pull.github.next_id(), pull, author, remark.body, root.path, root.commit_id, root.diff_hunk,
            root.line, root.side, root.start_line, root.start_side, root.position, in_reply_to=root,
        )  # fmt: skip
    else:
        made = placed(pull, author, remark, sha, spot(pull.changes_of(sha), remark))
    review = Review(pull.github.next_id(), pull, author, "", "COMMENTED", sha, now())
    made.review = review
    pull.all_reviews.append(review)
    pull.all_review_comments.append(made)
    events.send_review(review, "submitted")
    events.send_review_comment(made, "created", author)
    return made


def outdated(comment: ReviewComment) -> bool:
    """Whether its file is another one since, so that its line is shown no more."""
    pull = comment.pull
    if comment.commit_id == pull.head_sha:
        return False
    then, today = (
        pull.repository.bare.git("rev-parse", "-q", "--verify", f"{sha}:{comment.path}", fails=True)
        for sha in (comment.commit_id, pull.head_sha)
    )
    return then != today
