"""A pull request, and how tests let something happen to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.fakes.github import events
from tests.fakes.github.accounts import Account, App
from tests.fakes.github.bare import Files
from tests.fakes.github.changes import Change, changes
from tests.fakes.github.clock import now
from tests.fakes.github.locked import locked
from tests.fakes.github.records import CheckRun, Comment, Label, Review, ReviewComment
from tests.fakes.github.reviewing import Remark, written

if TYPE_CHECKING:
    from tests.fakes.github.repository import Repository


@dataclass(frozen=True)
class Proposal:
    """What is proposed: a branch of a repository, to go to a branch of the pull request's."""

    head_repo: Repository
    head_ref: str
    base_ref: str
    title: str
    body: str | None = None
    draft: bool = False


class Pull:
    """One pull request of a repository."""

    def __init__(self, repository: Repository, number: int, user: Account, proposal: Proposal) -> None:
        self.repository = repository
        self.github = repository.github
        self.id = self.github.next_id()
        self.number = number
        self.user = user
        self.head_repo: Repository | None = proposal.head_repo
        self.head_owner = proposal.head_repo.owner
        self.head_ref = proposal.head_ref
        self.base_ref = proposal.base_ref
        self.title = proposal.title
        self.body = proposal.body
        self.draft = proposal.draft
        self.state = "open"
        self.locked = False
        self.merged_at: datetime | None = None
        self.merged_by: Account | None = None
        self.closed_at: datetime | None = None
        self.created_at = self.updated_at = now()
        self.comments: list[Comment] = []
        self.all_reviews: list[Review] = []
        self.all_review_comments: list[ReviewComment] = []
        self.given_labels: list[Label] = []
        self.head_sha = self.base_sha = self.merge_commit_sha = ""
        self._follow(proposal.head_repo.sha(proposal.head_ref))

    # What there is, for assertions.

    @property
    def reviews(self) -> list[Review]:
        """Those that were submitted, oldest first."""
        return [review for review in self.all_reviews if review.state != "PENDING"]

    @property
    def review_comments(self) -> list[ReviewComment]:
        """Those that everybody sees, oldest first."""
        return [comment for comment in self.all_review_comments if comment.review is None or comment.review.state != "PENDING"]

    @property
    def check_runs(self) -> list[CheckRun]:
        """Those of the head, oldest first."""
        return [run for run in self.repository.check_runs if run.head_sha == self.head_sha]

    @property
    def labels(self) -> list[str]:
        """Their names."""
        return [label.name for label in self.given_labels]

    @property
    def url(self) -> str:
        """Its page."""
        return f"{self.repository.url}/pull/{self.number}"

    @property
    def changes(self) -> tuple[Change, ...]:
        """Its files: what the head changed since it parted from the base."""
        return self.changes_of(self.head_sha)

    def changes_of(self, sha: str) -> tuple[Change, ...]:
        """The same of an older head."""
        return changes(self.repository.bare, self.parted(sha), sha)

    def parted(self, sha: str) -> str:
        """Where a commit parted from the base."""
        base = self.repository.bare.resolve(f"refs/heads/{self.base_ref}") or self.base_sha
        return self.repository.bare.merge_base(base, sha) or base

    @property
    def commits(self) -> list[str]:
        """Ids of its commits, oldest first."""
        return self.repository.bare.between(self.parted(self.head_sha), self.head_sha)

    # What happens to it.

    @locked
    def push(self, files: Files, *, message: str = "change", force: bool = False) -> str:
        """Push a commit to its head (`force`: in place of the last one) and return its id."""
        assert self.head_repo is not None, "its fork is deleted"
        return self.head_repo.commit(self.head_ref, files, user=self.user.login, message=message, force=force)

    def synchronize(self, sha: str, actor: Account) -> None:
        """Follow the head's branch, and tell of it."""
        before = self.head_sha
        self._follow(sha)
        self.tell("synchronize", actor, before=before, after=sha)

    @locked
    def close(self, user: str | None = None) -> None:
        """Close it without merging."""
        self.state, self.closed_at = "closed", now()
        self.tell("closed", self._actor(user))

    @locked
    def merge(self, user: str | None = None) -> str:
        """Merge it and return the merge commit's id."""
        bare, actor = self.repository.bare, self._actor(user)
        before = self.repository.sha(self.base_ref)
        merged = bare.merged(before, self.head_sha)
        assert merged is not None, "it has conflicts"
        bare.point(f"refs/heads/{self.base_ref}", merged)
        self.state, self.closed_at, self.merged_at, self.merged_by, self.merge_commit_sha = "closed", now(), now(), actor, merged
        self.repository.moved(self.base_ref, before, merged, actor)
        self.tell("closed", actor)
        return merged

    @locked
    def reopen(self, user: str | None = None) -> None:
        """Open it again, where its branch is now."""
        self.state, self.closed_at = "open", None
        if self.head_repo is not None:
            self._follow(self.head_repo.sha(self.head_ref))
        self.tell("reopened", self._actor(user))

    @locked
    def ready(self) -> None:
        """It is a draft no more."""
        self.draft = False
        self.tell("ready_for_review", self.user)

    @locked
    def to_draft(self) -> None:
        """It is a draft again."""
        self.draft = True
        self.tell("converted_to_draft", self.user)

    @locked
    def retarget(self, base: str, user: str | None = None) -> None:
        """Let it go to another branch."""
        changed = {"base": {"ref": {"from": self.base_ref}, "sha": {"from": self.base_sha}}}
        self.base_ref = base
        self._follow(self.head_sha)
        self.tell("edited", self._actor(user), changes=changed)

    @locked
    def edit(self, *, title: str | None = None, body: str | None = None, user: str | None = None) -> None:
        """Change its words."""
        changed: dict[str, Any] = {}
        if title is not None:
            changed["title"], self.title = {"from": self.title}, title
        if body is not None:
            changed["body"], self.body = {"from": self.body or ""}, body
        self.tell("edited", self._actor(user), changes=changed)

    @locked
    def label(self, name: str, user: str | None = None) -> None:
        """Add a label."""
        self.add_label(self.repository.label(name), self._actor(user))

    @locked
    def unlabel(self, name: str, user: str | None = None) -> None:
        """Remove a label."""
        self.remove_label(next(label for label in self.given_labels if label.name.lower() == name.lower()), self._actor(user))

    @locked
    def lock(self) -> None:
        """Nobody else may comment from now on."""
        self.locked = True
        self.tell("locked", self.repository.owner)

    @locked
    def comment(self, user: str, body: str) -> Comment:
        """Somebody says something."""
        return self.add_comment(self.github.user(user), body)

    @locked
    def edit_comment(self, comment: Comment, body: str, user: str | None = None) -> None:
        """Somebody (the author unless given) changes a comment."""
        self.change_comment(comment, body, self.github.user(user) if user else comment.user)

    @locked
    def delete_comment(self, comment: Comment, user: str | None = None) -> None:
        """Somebody (the author unless given) deletes a comment."""
        self.remove_comment(comment, self.github.user(user) if user else comment.user)

    @locked
    def review_comment(
        self, user: str, path: str, line: int | None, body: str, *, side: str = "RIGHT", in_reply_to: ReviewComment | None = None
    ) -> ReviewComment:
        """Somebody says something of a line, or answers a comment (then path and line are the comment's). Raises Misplaced."""
        return written(self, self.github.user(user), Remark(path, body, line, side), in_reply_to)

    def reply(self, user: str, comment: ReviewComment, body: str) -> ReviewComment:
        """Somebody answers a comment at a line."""
        return self.review_comment(user, comment.path, None, body, in_reply_to=comment)

    @locked
    def review(self, user: str, state: str, body: str = "") -> Review:
        """Somebody reviews it: APPROVED, CHANGES_REQUESTED or COMMENTED."""
        made = Review(self.github.next_id(), self, self.github.user(user), body, state, self.head_sha, now())
        self.all_reviews.append(made)
        events.send_review(made, "submitted")
        return made

    @locked
    def rerequest(self, run: CheckRun, user: str | None = None) -> None:
        """Somebody presses "Re-run" at a check run."""
        events.send_check_run(run, "rerequested", self._actor(user))

    @locked
    def rerequest_suite(self, run: CheckRun, user: str | None = None) -> None:
        """Somebody presses "Re-run all checks"."""
        events.send_check_suite(run.suite, "rerequested", self._actor(user))

    @locked
    def press(self, run: CheckRun, identifier: str, user: str | None = None) -> None:
        """Somebody presses one of a check run's own buttons."""
        events.send_check_run(run, "requested_action", self._actor(user), requested_action={"identifier": identifier})

    # The same for requests, by account.

    def tell(self, action: str, actor: Account, **more: Any) -> None:
        """Send an event of it."""
        self.updated_at = now()
        self.github.webhooks.send(self.repository, "pull_request", lambda: events.pull_request(self, action, actor, **more))

    def add_label(self, label: Label, actor: Account) -> None:
        """Add a label, once."""
        if label not in self.given_labels:
            self.given_labels.append(label)
            self.tell("labeled", actor, label=label)

    def remove_label(self, label: Label, actor: Account) -> None:
        """Remove one of its labels."""
        self.given_labels.remove(label)
        self.tell("unlabeled", actor, label=label)

    def add_comment(self, author: Account, body: str, app: App | None = None) -> Comment:
        """Add a comment."""
        made = Comment(self.github.next_id(), self, author, body, app)
        self.comments.append(made)
        events.send_issue_comment(made, "created", author)
        return made

    def change_comment(self, comment: Comment, body: str, actor: Account) -> None:
        """Change a comment."""
        changed = {"body": {"from": comment.body}}
        comment.body, comment.updated_at = body, now()
        events.send_issue_comment(comment, "edited", actor, changes=changed)

    def remove_comment(self, comment: Comment, actor: Account) -> None:
        """Remove a comment."""
        self.comments.remove(comment)
        events.send_issue_comment(comment, "deleted", actor)

    def _follow(self, sha: str) -> None:
        bare = self.repository.bare
        if self.head_repo is not None and self.head_repo is not self.repository:
            bare.take(self.head_repo.bare, sha, f"refs/pull/{self.number}/head")
        bare.point(f"refs/pull/{self.number}/head", sha)
        self.head_sha, self.base_sha = sha, self.repository.sha(self.base_ref)
        merged = bare.merged(self.base_sha, sha)
        self.merge_commit_sha = merged or ""
        if merged:
            bare.point(f"refs/pull/{self.number}/merge", merged)

    def _actor(self, login: str | None) -> Account:
        return self.github.account(login) or self.github.user(login) if login else self.user
