"""What people and Apps leave at a repository: comments, reviews, check runs, labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from tests.fakes.github.accounts import Account, App
from tests.fakes.github.clock import now
from tests.fakes.github.wire import JSON

if TYPE_CHECKING:
    from tests.fakes.github.pull import Pull
    from tests.fakes.github.repository import Repository

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


@dataclass(eq=False)
class Label:
    """A label of a repository."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass(eq=False)
class Reaction:
    """What somebody thinks of a comment."""

    id: int
    user: Account
    content: str
    created_at: datetime = field(default_factory=now)


@dataclass(eq=False)
class Comment:
    """A comment in the conversation of a pull request."""

    id: int
    pull: Pull
    user: Account
    body: str
    app: App | None = None
    """Through which it was written."""
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(eq=False)
class ReviewComment:
    """A comment at a line (or a file, when `line` is None from the start)."""

    id: int
    pull: Pull
    user: Account
    body: str
    path: str
    commit_id: str
    """The head when it was written."""
    diff_hunk: str = ""
    line: int | None = None
    side: str = "RIGHT"
    start_line: int | None = None
    start_side: str | None = None
    position: int | None = None
    review: Review | None = None
    in_reply_to: ReviewComment | None = None
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    reactions: list[Reaction] = field(default_factory=list)

    @property
    def subject_type(self) -> str:
        """Whether it is of a line or of the whole file."""
        return "file" if self.line is None else "line"


@dataclass(eq=False)
class Review:
    """A review; `state` is PENDING, COMMENTED, APPROVED, CHANGES_REQUESTED or DISMISSED."""

    id: int
    pull: Pull
    user: Account
    body: str
    state: str
    commit_id: str
    submitted_at: datetime | None = None
    updated_at: datetime = field(default_factory=now)

    @property
    def comments(self) -> list[ReviewComment]:
        """What it says of lines."""
        return [comment for comment in self.pull.all_review_comments if comment.review is self]


@dataclass(eq=False)
class CheckSuite:
    """All check runs of one App at one commit."""

    id: int
    repository: Repository
    app: App
    head_sha: str
    head_branch: str | None
    runs: list[CheckRun] = field(default_factory=list)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)

    @property
    def status(self) -> str:
        """As its runs stand."""
        if not self.runs:
            return "queued"
        return "completed" if all(run.status == "completed" for run in self.runs) else "in_progress"

    @property
    def conclusion(self) -> str | None:
        """The worst of its runs', once all are completed."""
        if self.status != "completed":
            return None
        order = ("failure", "timed_out", "cancelled", "action_required", "stale", "success", "neutral", "skipped")
        return min((run.conclusion or "success" for run in self.runs), key=order.index)


@dataclass(eq=False)
class CheckRun:
    """One check of a commit."""

    id: int
    suite: CheckSuite
    name: str
    status: str = "queued"
    conclusion: str | None = None
    external_id: str = ""
    details_url: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[JSON] = field(default_factory=list)
    actions: list[JSON] = field(default_factory=list)

    @property
    def head_sha(self) -> str:
        """Of which commit."""
        return self.suite.head_sha


@dataclass(eq=False)
class Sarif:
    """An analysis that was uploaded."""

    id: str
    commit_sha: str
    ref: str
    document: JSON
    tool_name: str | None = None
    errors: list[str] = field(default_factory=list)
