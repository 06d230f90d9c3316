"""The `static` harness: analyzers instead of a model. What they find anew is worded from templates."""

from __future__ import annotations

from runner.errors import ReviewerFailed
from runner.evidence.errors import EvidenceError
from runner.evidence.run import Question, collect, mounts
from runner.evidence.toolbox import Toolbox
from runner.evidence.wording import ROLES, findings_for
from runner.harness.contract import Assignment, Harness
from runner.result import RoleResult


class StaticHarness(Harness):
    """Needs no key and no network."""

    name = "static"

    def __init__(self, toolbox: Toolbox) -> None:
        self.mounts = mounts(toolbox)

    def roles(self) -> tuple[str, ...]:
        return ROLES

    async def review(self, assignment: Assignment) -> RoleResult:
        if assignment.role not in ROLES:
            raise ReviewerFailed(f"no analyzer speaks for the role {assignment.role!r}; it needs an agent")
        await assignment.lane.enter("evidence")
        try:
            report = await collect(
                assignment.box, assignment.request, Question(assignment.role), deadline_s=max(0.1, assignment.left_s() - 1)
            )
        except EvidenceError as error:
            raise ReviewerFailed(str(error)) from error
        await assignment.lane.enter("reviewing")
        findings, dropped = findings_for(assignment.role, report)
        return RoleResult(
            role=assignment.role,
            findings=tuple(finding.identified() for finding in findings),
            dropped=tuple(dropped),
            not_covered=report.not_covered,
            changed_files=report.changed_files,
        )
