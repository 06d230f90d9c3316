"""An agent as a reviewer: it gets the change, the evidence and its role's words, and hands over findings."""

from __future__ import annotations

import asyncio

from box_review import Dropped, Finding, ReviewRequest, RoleStatus

from runner import briefing
from runner.artifacts import Artifacts
from runner.errors import ReviewerFailed
from runner.evidence.errors import EvidenceError
from runner.evidence.report import Report
from runner.evidence.request import REPOSITORY
from runner.evidence.run import Question, collect, mounts
from runner.evidence.survey import Survey, survey
from runner.evidence.toolbox import Toolbox
from runner.evidence.wording import ROLES, findings_for
from runner.harness.agent import Agent, Task
from runner.harness.contract import Assignment, Harness
from runner.harness.dialogue import Dialogue, NoAnswer
from runner.harness.grants import Allowance, Grant
from runner.harness.submission import SCHEMA, Submission, read_submission
from runner.result import RoleResult
from sandbox.box import Box
from sandbox.gateway.gateway import Gateway

JURY_SHARE = 0.25
"""Of a review's budget, what is kept back for the jury; it also takes what reviewers pass theirs by."""
_EVIDENCE_S = 120.0
_RESERVE_S = 15.0
"""Kept back for freezing."""


class AgentReviewer(Harness):
    """Args: the agent; what collects evidence; the gateway to models; where transcripts go; the host's own choice of a model."""

    def __init__(self, agent: Agent, toolbox: Toolbox, gateway: Gateway, artifacts: Artifacts, default_model: str) -> None:
        self.name, self.version, self.agent = agent.name, agent.version, agent
        self.mounts = (*mounts(toolbox), *agent.mounts)
        self._gateway, self._artifacts, self._default_model = gateway, artifacts, default_model

    def roles(self) -> tuple[str, ...]:
        return briefing.role_words()

    def model(self, wanted: str) -> str:
        """The model to ask. Raises ReviewerFailed if there is none, or the agent cannot ask it."""
        model = wanted or self._default_model
        if not model:
            raise ReviewerFailed(f"{self.name} needs a model; name one, or set BOX_MODEL on this host")
        try:
            self.agent.check(model)
        except ValueError as error:
            raise ReviewerFailed(str(error)) from error
        return model

    async def review(self, assignment: Assignment) -> RoleResult:
        request, role, box = assignment.request, assignment.role, assignment.box
        wanted = request.reviewer(role)
        model = self.model(wanted.model)
        await assignment.lane.enter("evidence")
        report, seen = await self._look(assignment)
        found, dropped = findings_for(role, report) if report is not None else ((), ())
        prompt = briefing.review(role, wanted.instructions, request.title, seen, found)
        await assignment.lane.enter("reviewing", f"{self.name} {self.version}".strip() + f", {model}")
        share = None if request.budget_usd is None else request.budget_usd * (1 - JURY_SHARE) / len(request.roles)
        grant = Grant(self._gateway, box, model, Allowance(usd=share, fallback_models=request.fallback_models, seconds=assignment.left_s()))
        ends_at = assignment.ends_at - min(_RESERVE_S, assignment.left_s() / 4)
        dialogue = Dialogue(self.agent, box, grant, ends_at)
        task = Task(
            prompt=prompt,
            model=model,
            folder=REPOSITORY,
            instructions=briefing.instructions(role, request.instructions),
            json_schema=SCHEMA,
            token=grant.token,
        )
        nothing = Submission(findings=())
        result = _result(role, nothing, found, dropped, report, seen)
        try:
            submission, spoken = await dialogue.ask(task, read_submission)
        except NoAnswer as error:
            partial = result.model_copy(update={"usage": grant.usage(), "model": model, "session_id": error.spoken.session_id})
            late = asyncio.get_running_loop().time() >= ends_at
            raise ReviewerFailed(str(error), partial=partial, status=RoleStatus.TIMED_OUT if late else RoleStatus.FAILED) from error
        finally:
            await dialogue.transcript.save(self._artifacts, assignment.lane.review_id, role)
        unpriced = () if grant.priced() else (f"What {model} costs is not known here; the cost of {role} counts as nothing.",)
        result = _result(role, submission, found, dropped, report, seen)
        update = {"usage": grant.usage(), "model": model, "session_id": spoken.session_id, "not_covered": (*result.not_covered, *unpriced)}
        return result.model_copy(update=update)

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
    """A change that cannot be surveyed is reviewed all the same, by an agent that looks for itself."""
    try:
        return await survey(box, request)
    except EvidenceError:
        return Survey(diff="", left_out=("all of them: the change is too large to be shown",))


def _result(
    role: str, submission: Submission, found: tuple[Finding, ...], dropped: tuple[Dropped, ...], report: Report | None, seen: Survey
) -> RoleResult:
    """What is handed over: the agent's claims beside the analyzers' findings."""
    claims, lost = [], []
    for claim in submission.findings:
        finding = claim.finding(role)
        if finding is None:
            lost.append(f"A claim of {role} about {claim.path}:{claim.start_line} says not how it fails.")
        else:
            claims.append(finding.identified())
    return RoleResult(
        role=role,
        findings=(*(finding.identified() for finding in submission.said(found)), *claims),
        dropped=dropped,
        not_covered=(*(report.not_covered if report else ()), *submission.not_covered, *lost),
        changed_files=seen.changed_files or (report.changed_files if report else ()),
    )
