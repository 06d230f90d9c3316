"""Reviews of pull requests, and comments at lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.fakes.github import events
from tests.fakes.github.api.call import MOST_CHARACTERS, Call, found, operation, written
from tests.fakes.github.api.pulls import READ, WRITE
from tests.fakes.github.clock import now
from tests.fakes.github.pull import Pull
from tests.fakes.github.records import Review, ReviewComment
from tests.fakes.github.reviewing import Misplaced, Remark, placed, spot
from tests.fakes.github.reviewing import written as posted
from tests.fakes.github.shapes import talk
from tests.fakes.github.wire import JSON, Page, Refused, invalid, since

STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}
SIDES = ("LEFT", "RIGHT")


def _open(call: Call) -> Pull:
    of = call.pull
    if of.locked:
        raise Refused(403, "Unable to create comment because issue is locked.")
    return of


def _commit(of: Pull, body: JSON) -> str:
    """Of which commit a comment speaks: the head unless it says so."""
    sha = str(body.get("commit_id") or of.head_sha)
    if sha != of.head_sha and sha not in of.commits:
        raise Misplaced("commit_id", "commit_id is not part of the pull request")
    return sha


def _text(body: JSON, *, blank: bool = False) -> str:
    text = body.get("body") or ""
    if not blank and not text.strip():
        raise Misplaced("body", "Body can't be blank")
    if len(text) > MOST_CHARACTERS:
        raise Misplaced("body", f"Body is too long (maximum is {MOST_CHARACTERS} characters)")
    return str(text)


def _remark(body: JSON) -> Remark:
    side, start_side = body.get("side") or "RIGHT", body.get("start_side")
    if side not in SIDES or start_side not in (None, *SIDES):
        raise Misplaced("side", "side is neither LEFT nor RIGHT")
    return Remark(
        body["path"], _text(body), body.get("line"), side, body.get("start_line"), start_side,
        body.get("position"), body.get("subject_type") == "file",
    )  # fmt: skip


def _event(call: Call, of: Pull, event: str, body: str, remarks: int) -> str:
    """The state that an event leads to. Raises Refused."""
    if event != "COMMENT" and of.user is call.account:
        what = "approve" if event == "APPROVE" else "request changes on"
        raise Misplaced("event", f"Can not {what} your own pull request")
    if event != "APPROVE" and not body.strip() and (event == "REQUEST_CHANGES" or not remarks):
        raise Misplaced("body", "Body can't be blank")
    return STATES[event]


@operation("pulls/list-reviews", READ)
def list_reviews(call: Call) -> Page:
    return Page([r for r in call.pull.all_reviews if r.state != "PENDING" or r.user is call.account], talk.review)


@contextmanager
def _said_plainly() -> Iterator[None]:
    """What is wrong with a review is told as a sentence, and nothing of it is kept."""
    try:
        yield
    except Misplaced as error:
        raise Refused(422, "Unprocessable Entity", [error.message]) from error


@operation("pulls/create-review", WRITE)
def create(call: Call) -> JSON:
    of, body = _open(call), call.body
    with _said_plainly():
        text = _text(body, blank=True)
        remarks = [_remark(comment) for comment in body.get("comments") or ()]
        state = _event(call, of, body["event"], text, len(remarks)) if body.get("event") else "PENDING"
        sha = _commit(of, body)
        shown = of.changes_of(sha)
        made = [placed(of, call.account, remark, sha, spot(shown, remark)) for remark in remarks]
    if state == "PENDING" and any(r.state == "PENDING" and r.user is call.account for r in of.all_reviews):
        raise Refused(422, "Unprocessable Entity", ["User can only have one pending review per pull request"])
    review = Review(call.github.next_id(), of, call.account, text, state, sha, None if state == "PENDING" else now())
    for comment in made:
        comment.review = review
    of.all_reviews.append(review)
    of.all_review_comments += made
    _tell(review)
    return talk.review(review)


def _tell(review: Review) -> None:
    if review.state != "PENDING":
        events.send_review(review, "submitted")
        for comment in review.comments:
            events.send_review_comment(comment, "created", review.user)


def _review(call: Call) -> Review:
    seen = [r for r in call.pull.all_reviews if r.state != "PENDING" or r.user is call.account]
    return found(seen, lambda review: review.id == call.ident("review_id"))


@operation("pulls/get-review", READ)
def get(call: Call) -> JSON:
    return talk.review(_review(call))


@operation("pulls/update-review", WRITE)
def update(call: Call) -> JSON:
    review = _review(call)
    call.owns(review.user, "administration:write")
    with _said_plainly():
        before, review.body = review.body, _text(call.body)
    events.send_review(review, "edited", changes={"body": {"from": before}})
    return talk.review(review)


@operation("pulls/delete-pending-review", WRITE)
def delete(call: Call) -> JSON:
    review = _review(call)
    if review.state != "PENDING":
        raise Refused(422, "Unprocessable Entity", ["Can not delete a non-pending pull request review"])
    review.pull.all_reviews.remove(review)
    review.pull.all_review_comments = [c for c in review.pull.all_review_comments if c.review is not review]
    return talk.review(review)


@operation("pulls/submit-review", WRITE)
def submit(call: Call) -> JSON:
    review = _review(call)
    if review.state != "PENDING":
        raise Refused(422, "Unprocessable Entity", ["Can not submit a non-pending pull request review"])
    with _said_plainly():
        text = _text(call.body, blank=True) or review.body
        state = _event(call, review.pull, call.body["event"], text, len(review.comments))
    review.body, review.state = text, state
    review.submitted_at = now()
    _tell(review)
    return talk.review(review)


@operation("pulls/dismiss-review", WRITE)
def dismiss(call: Call) -> JSON:
    review = _review(call)
    if review.state not in ("APPROVED", "CHANGES_REQUESTED"):
        raise Refused(422, "Unprocessable Entity", ["Can not dismiss a commented pull request review"])
    review.state = "DISMISSED"
    events.send_review(review, "dismissed")
    return talk.review(review)


@operation("pulls/list-comments-for-review", READ)
def comments_of_review(call: Call) -> Page:
    return Page(_review(call).comments, talk.review_comment)


@operation("pulls/list-review-comments", READ)
def list_comments(call: Call) -> Page:
    return Page(since(call.pull.review_comments, call.request), talk.review_comment)


@operation("pulls/create-review-comment", WRITE)
def create_comment(call: Call) -> JSON:
    of = _open(call)
    answered = call.body.get("in_reply_to")
    if answered is not None:
        return _reply(call, of, int(answered))
    try:
        remark, sha = _remark(call.body), _commit(of, call.body)
        return talk.review_comment(posted(of, call.account, remark, commit_id=sha))
    except Misplaced as error:
        if error.field in ("body", "commit_id"):
            raise invalid("PullRequestReviewComment", error.field, error.message) from error
        name = f"pull_request_review_thread.{error.field}"
        message = f"{name} {'is invalid' if error.field in ('path', 'side') else 'must be part of the diff'}"
        raise invalid("PullRequestReviewComment", name, message) from error


@operation("pulls/create-reply-for-review-comment", WRITE)
def reply(call: Call) -> JSON:
    return _reply(call, _open(call), call.ident("comment_id"))


def _reply(call: Call, of: Pull, ident: int) -> JSON:
    answered = found(of.review_comments, lambda comment: comment.id == ident)
    remark = Remark(answered.path, written(call.body, "PullRequestReviewComment"))
    return talk.review_comment(posted(of, call.account, remark, answered))


def the_comment(call: Call) -> ReviewComment:
    """The one in the path."""
    every = [comment for pull in call.repository.pulls for comment in pull.review_comments]
    return found(every, lambda comment: comment.id == call.ident("comment_id"))


@operation("pulls/get-review-comment", READ)
def get_comment(call: Call) -> JSON:
    return talk.review_comment(the_comment(call))


@operation("pulls/update-review-comment", WRITE)
def update_comment(call: Call) -> JSON:
    comment = the_comment(call)
    call.owns(comment.user, WRITE)
    before, comment.body, comment.updated_at = comment.body, written(call.body, "PullRequestReviewComment"), now()
    events.send_review_comment(comment, "edited", call.account, changes={"body": {"from": before}})
    return talk.review_comment(comment)


@operation("pulls/delete-review-comment", WRITE)
def delete_comment(call: Call) -> None:
    comment = the_comment(call)
    call.owns(comment.user, WRITE)
    comment.pull.all_review_comments.remove(comment)
    events.send_review_comment(comment, "deleted", call.account)
