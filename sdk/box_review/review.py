"""A review: what is asked for (`ReviewRequest`), and what came of it (`ReviewRecord`).

The record is what `--format json` prints, what the API returns and what is kept; see
`docs/review-record.md`. Fields may be added to it, never renamed.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from box_review.finding import ContractModel, Dropped, Finding, Path, PathPattern, Role, Severity
from box_review.learned import MOST_RULES, LearnedRule, LearnedUse

SCHEMA_VERSION: Literal[1] = 1
DEFAULT_ROLES = ("security", "quality", "architecture")
REPOSITORY = "/workspace/home/repo"
"""Where the change is checked out in each box of a review."""

Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
ReviewId = Annotated[str, StringConstraints(pattern=r"^rv-[0-9a-z]{16}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Reviewer(ContractModel):
    """One reviewer that differs from the others of its review; what is empty is as for all of them.

    Args:
        harness, model: what drives it.
        instructions: what it looks for, in your words; needed for a role of your own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    harness: str = Field(default="", max_length=64)
    model: str = Field(default="", max_length=200)
    instructions: str = Field(default="", max_length=20_000)


class ReviewRequest(ContractModel):
    """Everything a runner needs to review one head against one base.

    Args:
        repository: a name for people, e.g. `acme/shop` or the folder's name.
        source: SHA-256 of the uploaded source archive (`PUT /v1/sources/{sha256}`).
        base_sha: the commit compared against (the merge base of a pull request).
        head_sha: the commit under review.
        title: title of the pull request or subject of the head commit; data, never instructions.
        roles: reviewers to run, in parallel.
        harness: what reviews: `static` (analyzers only), an agent, or `auto`: what the host prefers, static unless it knows a model.
        model: that agents ask, as `anthropic/NAME`, `openai/NAME`, `responses/NAME` or `NAME`; empty: the host's own choice.
        fallback_models: asked in this order when it stays overloaded.
        budget_usd: for all agents of the review together, by the host's price table; None for no bound.
        reviewers: those that differ, by role.
        jury: what drives the jury; its instructions are added to what it is told.
        instructions: what all agents of the review are told beside their roles. Trusted: never take it from the change itself.
        driver: what isolates the boxes; `auto` takes the best the host has.
        timeout_s: seconds the reviewers have from the moment the review is queued; the jury has ten minutes more at most.
        max_comments: findings beyond this many are listed folded.
        fail_on: severity from which the conclusion is `failure`; None never fails.
        before: the review of an earlier head; what it found is looked for first.
        ignore_paths: files nobody looks at, as patterns in which `**` stands for any folders.
        learned: rules in force that maintainers taught: agents are told those without a mute, the jury heeds those with one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str = Field(min_length=1, max_length=300)
    source: Digest
    base_sha: Sha
    head_sha: Sha
    title: str = Field(default="", max_length=1000)
    roles: tuple[Role, ...] = Field(default=DEFAULT_ROLES, min_length=1, max_length=16)
    harness: str = Field(default="auto", max_length=64)
    model: str = Field(default="", max_length=200)
    fallback_models: tuple[Annotated[str, StringConstraints(max_length=200)], ...] = Field(default=(), max_length=8)
    budget_usd: float | None = Field(default=None, gt=0, le=10_000)
    reviewers: dict[Role, Reviewer] = Field(default={}, max_length=16)
    jury: Reviewer = Reviewer()
    instructions: str = Field(default="", max_length=20_000)
    driver: str = Field(default="auto", max_length=64)
    timeout_s: float = Field(default=900.0, gt=0, le=24 * 3600)
    max_comments: int = Field(default=20, ge=0, le=500)
    fail_on: Severity | None = Severity.HIGH
    before: ReviewId | None = None
    ignore_paths: tuple[PathPattern, ...] = Field(default=(), max_length=100)
    learned: tuple[LearnedRule, ...] = Field(default=(), max_length=MOST_RULES)

    def reviewer(self, role: str) -> Reviewer:
        """What drives one role, with what is the same for all."""
        own = self.reviewers.get(role, Reviewer())
        return own.model_copy(update={"harness": own.harness or self.harness, "model": own.model or self.model})


class ReviewStatus(StrEnum):
    """How far the work got. The last five are final."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"

    @property
    def final(self) -> bool:
        """True once nothing more will happen to the review."""
        return self not in (ReviewStatus.QUEUED, ReviewStatus.RUNNING)


class Conclusion(StrEnum):
    """What the review says of the pull request, in the words of a GitHub check run."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    ACTION_REQUIRED = "action_required"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


class RoleStatus(StrEnum):
    """Where one reviewer stands. The last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"

    @property
    def final(self) -> bool:
        """True once this reviewer has nothing more to say."""
        return self not in (RoleStatus.QUEUED, RoleStatus.RUNNING)


class Usage(ContractModel):
    """What models were used for this, as counted by the gateway; zero where none was asked."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


class Stage(ContractModel):
    """One stretch of work in one box: `name` from `started_s` to `ended_s`, seconds since the review began."""

    name: str = Field(max_length=40)
    started_s: float
    ended_s: float


class BoxReport(ContractModel):
    """One box a review used, and in which state it was left."""

    box_id: str = Field(max_length=64)
    driver: str = Field(max_length=40)
    isolation: str = Field(default="", max_length=300)
    state: str = Field(max_length=40)
    freeze: str = Field(default="", max_length=300)
    """How it is frozen, in words: `cold: files, 3 KB` or empty where it is not."""
    limits: tuple[str, ...] = ()
    """Limits that hold in the box, and notices about those that do not."""


class RoleReport(ContractModel):
    """What one reviewer did. `error` is a sentence where the status is not `completed`."""

    role: Role
    status: RoleStatus
    harness: str = "static"
    harness_version: str = Field(default="", max_length=64)
    model: str | None = None
    driver: str = ""
    session_id: str = Field(default="", max_length=200)
    """Of the agent, which can be asked more while its box is kept."""
    box_id: str = ""
    duration_s: float = 0.0
    findings: int = 0
    usage: Usage = Usage()
    error: str | None = Field(default=None, max_length=2000)
    box: BoxReport | None = None
    stages: tuple[Stage, ...] = ()
    not_covered: tuple[str, ...] = ()

    def claims_again(self) -> RoleReport:
        """Who reviewed and how it ended, without what that took and without the box, which belongs to the review."""
        kept = {"role", "status", "harness", "harness_version", "model", "driver", "findings", "error", "not_covered"}
        return RoleReport(**{name: getattr(self, name) for name in kept})


class Vote(ContractModel):
    """What the jury's agent wants to become of a finding.

    `applied` is False where a rule stands above it: what was measured is not voted away.
    """

    finding: str = Field(max_length=64)
    vote: Literal["keep", "merge", "downgrade", "drop"]
    severity: Severity | None = None
    into: str | None = Field(default=None, max_length=64)
    reason: str = Field(max_length=1000)
    applied: bool = True


class JuryReport(ContractModel):
    """What the jury did in its own box."""

    status: Literal["completed", "failed"]
    harness: str = "static"
    harness_version: str = Field(default="", max_length=64)
    model: str | None = None
    usage: Usage = Usage()
    votes: tuple[Vote, ...] = ()
    fell_back: str | None = Field(default=None, max_length=2000)
    """Why no agent judged although one was asked for; rules alone decided then."""
    proofs: int = 0
    """Reproducers that were run."""
    box: BoxReport | None = None
    duration_s: float = 0.0
    rechecked: int = 0
    """Findings whose evidence was collected again in the jury's box."""
    stages: tuple[Stage, ...] = ()
    error: str | None = Field(default=None, max_length=2000)

    def votes_again(self) -> JuryReport:
        """Who voted and how, without what that took."""
        kept = {"harness", "harness_version", "model", "votes", "fell_back"}
        return JuryReport(status="completed", **{name: getattr(self, name) for name in kept})


class ChangedFile(ContractModel):
    """One file of the change; line counts are None for binary files."""

    path: Path
    status: Literal["added", "modified", "deleted", "renamed", "type-changed"]
    added_lines: int | None
    deleted_lines: int | None


class EarlierState(StrEnum):
    """What became of something that the review of an earlier head found."""

    FIXED = "fixed"
    STILL_THERE = "still_there"
    UNKNOWN = "unknown"


class Earlier(ContractModel):
    """A finding of an earlier head, looked for again. `how` says what shows its state, as a part of a sentence."""

    id: str = Field(max_length=64)
    fingerprint: str = Field(max_length=64)
    path: Path
    start_line: int = Field(ge=1)
    severity: Severity
    title: str = Field(max_length=200)
    state: EarlierState
    how: str = Field(max_length=500)


class ReviewRecord(ContractModel):
    """All of one review: who looked, what was found, what was dropped and why, what was not looked at."""

    schema_version: Literal[1] = SCHEMA_VERSION
    review_id: ReviewId
    replays: ReviewId | None = None
    """The review whose reviewers' claims and votes these are, if this is one measured again."""
    repository: str
    title: str = ""
    base_sha: Sha
    head_sha: Sha
    status: ReviewStatus
    conclusion: Conclusion
    summary: str = Field(default="", max_length=4000)
    roles: tuple[RoleReport, ...]
    jury: JuryReport | None = None
    findings: tuple[Finding, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    before: ReviewId | None = None
    """The review of an earlier head that this one goes on from."""
    earlier: tuple[Earlier, ...] = ()
    """What became of what that one found."""
    learned: tuple[LearnedUse, ...] = ()
    """Learned rules that this review was given, and what each muted."""
    not_covered: tuple[str, ...] = ()
    changed_files: tuple[ChangedFile, ...] = ()
    usage: Usage = Usage()
    created_at: datetime
    duration_s: float = 0.0

    def worst(self) -> Severity | None:
        """Severity of the worst finding, None where there is none."""
        return min((finding.severity for finding in self.findings), key=lambda s: s.rank, default=None)
