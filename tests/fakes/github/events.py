"""What Apps are told: payloads of webhooks, before an installation is named in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes.github.accounts import Account
from tests.fakes.github.records import CheckRun, CheckSuite, Comment, Review, ReviewComment
from tests.fakes.github.shapes import checks, people, places, pulls, talk
from tests.fakes.github.wire import JSON

if TYPE_CHECKING:
    from tests.fakes.github.pull import Pull
    from tests.fakes.github.repository import Repository

NOBODY = "0" * 40


def around(repository: Repository, actor: Account) -> JSON:
    """What every event has."""
    made: JSON = {"repository": places.repository(repository), "sender": people.account(actor)}
    if repository.owner.type == "Organization":
        made["organization"] = people.organization(repository.owner)
    return made


def pull_request(pull: Pull, action: str, actor: Account, **more: Any) -> JSON:
    """Of a pull request."""
    if "label" in more:
        more["label"] = talk.label(pull.repository, more["label"])
    return {"action": action, "number": pull.number, "pull_request": pulls.pull(pull), **more, **around(pull.repository, actor)}


def push(repository: Repository, branch: str, before: str | None, after: str | None, actor: Account) -> JSON:
    """Of a branch."""
    who = {"name": actor.login, "email": f"{actor.login}@users.noreply.github.com"}
    kept = repository.bare.merge_base(before, after) if before and after else None
    new = repository.bare.between(before, after) if before and after else [after] if after else []
    common = around(repository, actor)
    # Events of pushes know repositories in the words of long ago.
    common["repository"]["owner"] |= {"name": repository.owner.login, "email": None}
    common["repository"] |= {"stargazers": 0, "master_branch": repository.default_branch}
    commits = [places.pushed_commit(repository, sha) for sha in new]
    return {
        "ref": f"refs/heads/{branch}", "before": before or NOBODY, "after": after or NOBODY, "base_ref": None, "pusher": who,
        "created": before is None, "deleted": after is None, "forced": before is not None and after is not None and kept != before,
        "compare": f"{repository.url}/compare/{(before or NOBODY)[:12]}...{(after or NOBODY)[:12]}",
        "commits": commits, "head_commit": commits[-1] if commits else None, **common,
    }  # fmt: skip


def send_issue_comment(comment: Comment, action: str, actor: Account, **more: Any) -> None:
    """Of a comment in the conversation."""
    repository = comment.pull.repository
    repository.github.webhooks.send(repository, "issue_comment", lambda: {
        "action": action, "issue": pulls.issue(comment.pull), "comment": talk.comment(comment), **more, **around(repository, actor),
    })  # fmt: skip


def send_review(review: Review, action: str, **more: Any) -> None:
    """Of a review."""
    repository = review.pull.repository
    repository.github.webhooks.send(repository, "pull_request_review", lambda: {
        "action": action, "review": {**talk.review(review), "state": review.state.lower()},
        "pull_request": pulls.simple(review.pull), **more, **around(repository, review.user),
    })  # fmt: skip


def send_review_comment(comment: ReviewComment, action: str, actor: Account, **more: Any) -> None:
    """Of a comment at a line."""
    repository = comment.pull.repository
    repository.github.webhooks.send(repository, "pull_request_review_comment", lambda: {
        "action": action, "comment": talk.review_comment(comment), "pull_request": pulls.simple(comment.pull), **more,
        **around(repository, actor),
    })  # fmt: skip


def send_check_run(run: CheckRun, action: str, actor: Account, **more: Any) -> None:
    """Of a check run; only its App hears that somebody wants it again."""
    repository = run.suite.repository
    only = None if action in ("created", "completed") else run.suite.app
    repository.github.webhooks.send(repository, "check_run", lambda: {
        "action": action, "check_run": checks.run(run, event=True), **more, **around(repository, actor),
    }, only=only)  # fmt: skip


def send_check_suite(suite: CheckSuite, action: str, actor: Account) -> None:
    """Of a check suite; only its App hears that somebody wants it again."""
    repository = suite.repository
    only = None if action == "completed" else suite.app
    repository.github.webhooks.send(repository, "check_suite", lambda: {
        "action": action, "check_suite": checks.suite(suite, event=True), **around(repository, actor),
    }, only=only)  # fmt: skip
