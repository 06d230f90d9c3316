"""The jury's agent: it votes on what the reviewers claim, and writes the summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from box_review import Finding, JuryReport, Severity, Vote
from box_review.sanitize import visible
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from runner import briefing
from runner.harness.grants import Allowance
from runner.harness.output import read_as, strict_object
from runner.harness.reviewer import AgentReviewer, Brief
from runner.reviews import ReviewState
from sandbox.box import Box

_SENTENCES = 1500
SHOWN = 60

Words = Annotated[str, BeforeValidator(lambda value: visible(value)[:1000] if isinstance(value, str) else value)]


class _Ballot(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(max_length=64)
    vote: Literal["keep", "merge", "downgrade", "drop"]
    severity: Severity | None = None
    into: str | None = Field(default=None, max_length=64)
    reason: Words

    def vote_on(self) -> Vote:
        """As the record has it."""
        return Vote(finding=self.id, **self.model_dump(exclude={"id"}))


class _Verdict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    votes: tuple[_Ballot, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the jury's agent came to. `report` has its part of the record; `fell_back` in it says why it decided nothing."""

    report: JuryReport = JuryReport(status="completed")  # noqa: RUF009 - immutable
    summary: str = ""

    @classmethod
    def by_rules_alone(cls, why: str) -> Judgement:
        """No agent judged."""
        return cls(JuryReport(status="completed", fell_back=why[:2000]))


class Panel:
    """Args: the review, and the harness that judges."""

    def __init__(self, review: ReviewState, reviewer: AgentReviewer) -> None:
        self._review, self.reviewer = review, reviewer

    async def judge(self, box: Box, findings: Sequence[Finding], files: Sequence[str], ends_at: float) -> Judgement:
        """Ask the agent. If it comes to nothing, the rules alone decide, and it is said why.

        Args:
            box: of the jury's own, with a fresh checkout.
            ends_at: loop time.

        Raises:
            ReviewerFailed: there is no model that it could ask.
        """
        request, reviewer = self._review.request, self.reviewer
        left = None
        if request.budget_usd is not None:
            left = request.budget_usd - sum(report.usage.cost_usd for report in self._review.roles)
            if left <= 0:
                return Judgement.by_rules_alone(f"the budget of {request.budget_usd:g} USD was used up by the reviewers")
        brief = Brief(
            prompt=briefing.jury(findings[:SHOWN], request.title, files, said=request.learned),
            instructions=briefing.jury_instructions("\n\n".join(filter(None, [request.instructions, request.jury.instructions]))),
            schema=SCHEMA,
            model=reviewer.model(request.jury.model or request.model),
            allowance=Allowance(usd=left, fallback_models=request.fallback_models),
            ends_at=ends_at,
        )
        answer = await reviewer.ask(box, brief, _read, (self._review.review_id, "jury"))
        report = JuryReport(
            status="completed",
            harness=reviewer.name,
            harness_version=reviewer.version,
            model=brief.model,
            usage=answer.usage,
            votes=() if answer.value is None else tuple(ballot.vote_on() for ballot in answer.value.votes),
            fell_back=answer.problem or None,
        )
        return Judgement(report, "" if answer.value is None else visible(answer.value.summary)[:_SENTENCES])


async def _read(output: str) -> _Verdict:
    return await read_as(output, _Verdict, {"votes": 500})


_NULLABLE = {"type": ["string", "null"]}
SCHEMA = strict_object(
    votes={
        "type": "array",
        "items": strict_object(
            id={"type": "string"},
            vote={"type": "string", "enum": ["keep", "merge", "downgrade", "drop"]},
            severity=_NULLABLE,
            into=_NULLABLE,
            reason={"type": "string"},
        ),
    },
    summary={"type": "string"},
)
