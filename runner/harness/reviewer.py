"""An agent as a reviewer: it gets the change, the evidence and its role's words, and hands over findings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from box_review import Finding, ReviewRequest, RoleStatus
from box_review.review import REPOSITORY
from pydantic import ValidationError

from runner import briefing
from runner.artifacts import Artifacts
from runner.errors import ReviewerFailed
from runner.evidence.errors import EvidenceError
from runner.evidence.report import Report
from runner.evidence.run import Question, collect, mounts
from runner.evidence.survey import Survey, survey
from runner.evidence.toolbox import Toolbox
from runner.evidence.wording import ROLES, findings_for
from runner.harness.agent import Agent, Task
from runner.harness.contract import Assignment, Harness
from runner.harness.dialogue import Answer, Dialogue
from runner.harness.grants import Allowance
from runner.harness.submission import SCHEMA, Submission, read_submission
from runner.result import RoleResult
from sandbox.box import Box
from sandbox.gateway.gateway import Gateway

log = structlog.get_logger()

T = TypeVar("T")

JURY_SHARE = 0.25
"""Of a review's budget, what is kept back for the jury; it also takes what reviewers pass theirs by."""
_EVIDENCE_S = 120.0
_RESERVE_S = 15.0
"""Kept back for freezing."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What an agent of a review is given to do, by when (loop time), and with how much."""

    prompt: str
    instructions: str
    schema: Mapping[str, Any]
    model: str
    allowance: Allowance
    ends_at: float


@dataclass(frozen=True, slots=True)
class Common:
    """What all agents of a host work with.

    Args:
        toolbox: collects evidence.
        gateway: to models.
        artifacts: where transcripts go.
        default_model: asked where a review names none; empty for none.
        roles: what each role looks for, in words.
    """

    toolbox: Toolbox
    gateway: Gateway
    artifacts: Artifacts
    default_model: str
    roles: Mapping[str, str]


class AgentReviewer(Harness):
    """Args: the agent, and what it shares with others of this host."""

    def __init__(self, agent: Agent, common: Common) -> None:
        self.name, self.version, self.agent = agent.name, agent.version, agent
        self.mounts = (*mounts(common.toolbox), *agent.mounts)
        self._common = common

    def roles(self) -> tuple[str, ...]:
        return tuple(self._common.roles)

    def model(self, wanted: str) -> str:
        """The model to ask. Raises ReviewerFailed if there is none, or the agent cannot ask it."""
        model = wanted or self._common.default_model
        if not model:
            raise ReviewerFailed(f"{self.name} needs a model; name one, or set BOX_MODEL on this host")
        try:
            self.agent.check(model)
        except ValueError as error:
            raise ReviewerFailed(str(error)) from error
        return model

    async def ask(self, box: Box, brief: Brief, read: Callable[[str], Awaitable[T]], save: tuple[str, str]) -> Answer[T]:
        """Let the agent work in a box that holds the checkout; what it says is kept as the transcript of `save`: review and lane."""
        dialogue = Dialogue(self.agent, box, self._common.gateway, brief.allowance, brief.ends_at)
        task = Task(brief.prompt, brief.model, folder=REPOSITORY, instructions=brief.instructions, json_schema=brief.schema)
        try:
            return await dialogue.ask(task, read)
        finally:
            await dialogue.transcript.save(self._common.artifacts, *save)

    async def review(self, assignment: Assignment) -> RoleResult:
        request, role = assignment.request, assignment.role
        wanted = request.reviewer(role)
        model, words = self.model(wanted.model), wanted.instructions or self._words(role)
        await assignment.lane.enter("evidence")
        report, seen = await self._look(assignment)
        found, dropped = findings_for(role, report) if report is not None else ((), ())
        await assignment.lane.enter("reviewing", f"{self.name} {self.version}".strip() + f", {model}")
        share = None if request.budget_usd is None else request.budget_usd * (1 - JURY_SHARE) / len(request.roles)
        brief = Brief(
            prompt=briefing.review(role, words, request.title, seen, found, said=request.learned),
            instructions=briefing.instructions(role, request.instructions),
            schema=SCHEMA,
            model=model,
            allowance=Allowance(usd=share, fallback_models=request.fallback_models),
            ends_at=assignment.ends_at - min(_RESERVE_S, assignment.left_s() / 4),
        )
        answer = await self.ask(assignment.box, brief, read_submission, (assignment.lane.review_id, role))
        submission = answer.value or Submission(findings=())
        claims, unread = _claims(role, submission)
        unpriced = () if answer.priced else (f"What {model} costs is not known here; the cost of {role} counts as nothing.",)
        result = RoleResult(
            role=role,
            findings=(*(finding.identified() for finding in submission.said(found)), *claims),
            dropped=dropped,
            not_covered=(*(report.not_covered if report else ()), *submission.not_covered, *unread, *unpriced),
            changed_files=seen.changed_files or (report.changed_files if report else ()),
            usage=answer.usage,
            model=model,
            session_id=answer.session_id,
        )
        if answer.value is None:
            late = asyncio.get_running_loop().time() >= brief.ends_at
            raise ReviewerFailed(answer.problem, partial=result, status=RoleStatus.TIMED_OUT if late else RoleStatus.FAILED)
        return result

    def _words(self, role: str) -> str:
        known = self._common.roles
        if role not in known:
            raise ReviewerFailed(f"no words for the role {role!r}; there are {', '.join(known)}; give instructions for one of your own")
        return known[role]

    async def _look(self, assignment: Assignment) -> tuple[Report | None, Survey]:
        """Evidence, where analyzers speak for the role, and the survey. Raises ReviewerFailed."""
        box, request, deadline_s = assignment.box, assignment.request, min(_EVIDENCE_S, assignment.left_s())
        try:
            async with asyncio.TaskGroup() as tasks:
                looking = tasks.create_task(_survey(box, request))
                report = None
                if assignment.role in ROLES:
                    report = await collect(box, request, Question(assignment.role), deadline_s=deadline_s)
        except* EvidenceError as errors:
            raise ReviewerFailed(str(errors.exceptions[0])) from errors
        return report, looking.result()


async def _survey(box: Box, request: ReviewRequest) -> Survey:
    """A change that cannot be surveyed is reviewed all the same, by an agent that is told so and looks for itself."""
    try:
        return await survey(box, request)
    except EvidenceError as error:
        log.warning("a change could not be surveyed", head=request.head_sha, error=str(error))
        return Survey(diff="", left_out=(f"all of them ({error})"[:1000],))


def _claims(role: str, submission: Submission) -> tuple[list[Finding], list[str]]:
    """The agent's claims as findings, and sentences on those that are none."""
    claims, unread = [], []
    for claim in submission.findings:
        about = f"A claim of {role} about {claim.path}:{claim.start_line}"
        try:
            finding = claim.finding(role)
        except ValidationError:
            unread.append(f"{about} has a form that cannot be kept.")
            continue
        if finding is None:
            unread.append(f"{about} says not how it fails.")
        else:
            claims.append(finding.identified())
    return claims, unread
