"""What a reviewer claims and what became of the claim: evidence, finding, proof.

Everything in here may have been written by an agent that read hostile code. The models bound
lengths and shapes; `box_review.sanitize` makes the text fit for a terminal, Markdown or HTML.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

JURY = "jury"


def _not_the_jury(name: str) -> str:
    """Lanes, jobs and boxes of a review are told apart by these names."""
    if name == JURY:
        raise ValueError(f"{JURY!r} is no name for a reviewer: it is the jury's own")
    return name


Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$"), AfterValidator(_not_the_jury)]
"""Name of a reviewer's task: `security`, `quality`, `architecture`, or the user's own."""

Path = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""Path in the repository, `/`-separated; bytes that are not UTF-8 stand as `\\xNN`."""


def _a_pattern(text: str) -> str:
    """Patterns go to git as they are, so nothing in them may mean more."""
    if text[0] in "/:" or "\\" in text or not text.isprintable():
        raise ValueError(
            "a pattern is a path in the repository, such as dist/** or **/*.lock, without a slash at its beginning or backslashes"
        )
    return text


PathPattern = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_a_pattern)]


class Severity(StrEnum):
    """How bad it is if nobody acts; ordered by `rank`, critical first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for critical … 3 for low, so that sorting puts the worst first."""
        return list(Severity).index(self)

    def at_least(self, threshold: Severity) -> bool:
        """True if this is as bad as `threshold` or worse."""
        return self.rank <= threshold.rank


class ContractModel(BaseModel):
    """Base of all models on the wire: immutable, and tolerant of fields a newer version adds."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Evidence(ContractModel):
    """One result of one analyzer that a finding rests on."""

    tool: str = Field(max_length=64)
    rule: str = Field(max_length=128)
    message: str = Field(default="", max_length=2000)


class Excerpt(ContractModel):
    """The lines of the head version around a finding, as they stood in the box."""

    start_line: int = Field(ge=1)
    lines: tuple[Annotated[str, StringConstraints(max_length=500)], ...] = Field(max_length=60)


class Reproducer(ContractModel):
    """A shell script that shows the problem: run in a fresh box without a network, at base and at head, in the repository's folder.

    A `regression` ends with 0 while all is well and otherwise once the problem is there: it must pass at base and fail at head.
    An `effect` does the harm and ends with 0 if that worked and with 3 if it did not: it must work at head and not at base.
    """

    kind: Literal["regression", "effect"] = "regression"
    script: str = Field(max_length=20_000)
    expects: str = Field(max_length=500)


class ProofState(StrEnum):
    """What the jury found out about a claim by running its reproducer."""

    PROVEN = "proven"
    REFUTED = "refuted"
    UNPROVEN = "unproven"
    NOT_ATTEMPTED = "not_attempted"


class Proof(ContractModel):
    """The outcome of a reproducer; exit codes are None where it was not run."""

    state: ProofState = ProofState.NOT_ATTEMPTED
    base_exit_code: int | None = None
    head_exit_code: int | None = None
    output: str = Field(default="", max_length=20_000)


class Finding(ContractModel):
    """One problem at one place of the head version, as one or more reviewers report it.

    Lines are 1-based and inclusive. `confidence` runs from 0 to 1. `scenario` says how it fails;
    a claim without one is not a finding. `suggestion` is replacement text for the lines given, or None.
    `folded` findings are listed in the review but get no comment of their own.
    """

    id: str = Field(default="", max_length=64)
    fingerprint: str = Field(default="", max_length=64)
    roles: tuple[Role, ...] = Field(min_length=1, max_length=16)
    path: Path
    start_line: int = Field(ge=1)
    end_line: int = Field(ge=1)
    severity: Severity
    confidence: float = Field(ge=0, le=1)
    topic: str = Field(max_length=64, pattern=r"^[a-z0-9][a-z0-9.-]*$")
    """What kind of problem, in one word across roles and tools (`command-injection`): equal topics on the same lines are one finding."""
    title: str = Field(min_length=1, max_length=200)
    why: str = Field(min_length=1, max_length=4000)
    scenario: str = Field(min_length=1, max_length=4000)
    suggestion: str | None = Field(default=None, max_length=8000)
    reproducer: Reproducer | None = None
    proof: Proof = Proof()
    evidence: tuple[Evidence, ...] = Field(default=(), max_length=50)
    excerpt: Excerpt | None = None
    folded: bool = False
    note: str = Field(default="", max_length=1000)
    """What the jury says of it."""

    @model_validator(mode="after")
    def _lines_in_order(self) -> Self:
        if self.end_line < self.start_line:
            raise ValueError(f"end_line {self.end_line} lies before start_line {self.start_line}")
        return self

    def dropped(self, reason: str) -> Dropped:
        """The same finding, left out."""
        return Dropped(**self.model_dump(), reason=reason[:1000])

    def identified(self) -> Finding:
        """The same finding with `id` and `fingerprint` filled in.

        The fingerprint names the problem, not its line number: it stays the same when code above
        it grows, so that a later push can tell an old finding from a new one.
        """
        excerpt = self.excerpt
        at = [] if excerpt is None else excerpt.lines[self.start_line - excerpt.start_line :][:1]
        parts = [self.path, self.topic, *(line.strip() for line in at)]
        digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
        return self.model_copy(update={"fingerprint": digest[:32], "id": f"F-{digest[:8]}"})


class Dropped(Finding):
    """A finding that the jury left out, with the reason."""

    reason: str = Field(max_length=1000)
