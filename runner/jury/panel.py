"""The jury's agent: it votes on what the reviewers claim, and writes the summary."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from box_review import Finding, Severity, Usage, Vote
from box_review.sanitize import visible
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from runner import briefing
from runner.evidence.request import REPOSITORY
from runner.harness.agent import Task
from runner.harness.dialogue import Dialogue, NoAnswer
from runner.harness.grants import Allowance, Grant
from runner.harness.output import DoesNotFit, fit
from runner.harness.reviewer import AgentReviewer
from runner.host import Host
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


class _Verdict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    votes: tuple[_Ballot, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the agent decided, and what that took. `fell_back` says why it decided nothing."""

    harness: str = "static"
    version: str = ""
    model: str | None = None
    votes: tuple[Vote, ...] = ()
    summary: str = ""
    usage: Usage = field(default_factory=Usage)
    fell_back: str | None = None


class Panel:
    """Args: the host, the review, and the harness that judges."""

    def __init__(self, host: Host, review: ReviewState, reviewer: AgentReviewer) -> None:
        self._host, self._review, self.reviewer = host, review, reviewer

    async def judge(self, box: Box, findings: Sequence[Finding], files: Sequence[str], spent_usd: float, ends_at: float) -> Judgement:
        """Ask the agent. Never raises for what it does: then the rules alone decide, and it is said why.

        Args:
            box: of the jury's own, with a fresh checkout.
            spent_usd: by the reviewers.
            ends_at: loop time.
        """
        request, reviewer = self._review.request, self.reviewer
        about = Judgement(harness=reviewer.name, version=reviewer.version)
        left = None if request.budget_usd is None else request.budget_usd - spent_usd
        if left is not None and left <= 0:
            return Judgement(fell_back=f"the budget of {request.budget_usd:g} USD was used up by the reviewers")
        model = reviewer.model(request.jury.model or request.model)
        allowance = Allowance(usd=left, fallback_models=request.fallback_models, seconds=ends_at - asyncio.get_running_loop().time())
        grant = Grant(self._host.driver.gateway, box, model, allowance)
        dialogue = Dialogue(reviewer.agent, box, grant, ends_at)
        guidance = "\n\n".join(filter(None, [request.instructions, request.jury.instructions]))
        task = Task(
            prompt=briefing.jury(findings[:SHOWN], request.title, files),
            model=model,
            folder=REPOSITORY,
            instructions=briefing.jury_instructions(guidance),
            json_schema=SCHEMA,
            token=grant.token,
        )
        try:
            verdict, _ = await dialogue.ask(task, _read)
        except NoAnswer as error:
            return Judgement(reviewer.name, reviewer.version, model, usage=grant.usage(), fell_back=str(error)[:1900])
        finally:
            await dialogue.transcript.save(self._host.artifacts, self._review.review_id, "jury")
        votes = tuple(Vote(finding=b.id, vote=b.vote, severity=b.severity, into=b.into, reason=b.reason) for b in verdict.votes)
        return Judgement(about.harness, about.version, model, votes, visible(verdict.summary)[:_SENTENCES], grant.usage())


async def _read(output: str) -> _Verdict:
    try:
        value = json.loads(await fit(output, {"type": "object"}))
        if isinstance(value.get("votes"), list):
            value["votes"] = value["votes"][:500]
        return _Verdict.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)[:5]
        raise DoesNotFit("; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)) from error


_NULLABLE = {"type": ["string", "null"]}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "votes": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "vote": {"type": "string", "enum": ["keep", "merge", "downgrade", "drop"]},
                    "severity": _NULLABLE,
                    "into": _NULLABLE,
                    "reason": {"type": "string"},
                },
                "required": ["id", "vote", "severity", "into", "reason"],
                "additionalProperties": False,
            },
        },
        "summary": {"type": "string"},
    },
    "required": ["votes", "summary"],
    "additionalProperties": False,
}
