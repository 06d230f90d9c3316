"""The jury's job: one review from what the reviewers handed over."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog
from box_review import Dropped, Finding, JuryReport, RoleStatus
from box_review.jobs import JURY_S, JuryJob

from runner.agent import discard_earlier_try, end_box
from runner.errors import ArtifactMissing, RunnerError
from runner.evidence.errors import EvidenceError
from runner.evidence.run import Question, collect
from runner.host import Host
from runner.jury.merge import fold, merge
from runner.jury.recheck import paths_of, recheck, tools_of
from runner.jury.verdict import Judged, gaps, record
from runner.lane import Lane, put_away
from runner.result import RoleResult
from runner.reviews import ReviewState
from sandbox.box import Box
from sandbox.errors import SandboxError

log = structlog.get_logger()

LANE = "jury"
FREEZE_S = 30.0


async def judge(host: Host, job: JuryJob) -> None:
    """Make the review and write its record; safe to run twice."""
    review = await host.reviews.get(job.review_id)
    if review is None or review.status.final or not review.roles_done:
        return
    await discard_earlier_try(host, job.review_id, LANE)
    lane = Lane(host.reviews, review, LANE)
    try:
        await _Jury(host, review, lane).run()
    except asyncio.CancelledError:
        await end_box(lane)
        raise


async def give_up(host: Host, review: ReviewState, reason: str) -> None:
    """The record of a review whose jury could not work: the reviewers' claims, marked as unchecked."""
    jury = _Jury(host, review, Lane(host.reviews, review, LANE))
    await jury.conclude_unchecked(reason)


class _Jury:
    """One try at one review."""

    def __init__(self, host: Host, review: ReviewState, lane: Lane) -> None:
        self._host, self._review, self._lane = host, review, lane
        self._rechecked = 0

    async def run(self) -> None:
        try:
            async with asyncio.timeout(JURY_S):
                await self._check()
        except TimeoutError:
            await self.conclude_unchecked(f"the jury came to no end within {JURY_S:.0f} s")
        except (RunnerError, SandboxError, EvidenceError) as error:
            await self.conclude_unchecked(str(error))
        except Exception:  # the job boundary: a bug of ours must not lose what the reviewers found
            log.exception("the jury crashed", review_id=self._review.review_id)
            await self.conclude_unchecked("the jury crashed; the runner's log has the traceback")

    async def _check(self) -> None:
        results = await self._results()
        merged = merge(finding for result in results for finding in result.findings)
        if results:
            await self._lane.enter("checking out")
            spec = self._host.box_spec(self._review.review_id, LANE, self._host.harness("static").mounts)
            self._lane.box = await self._host.checkouts.box(self._review.request, spec)
        kept, refuted, unchecked = await self._recheck(self._lane.box, merged)
        await self._lane.enter("judging")
        findings = fold(kept, self._review.request.max_comments)
        dropped = (*refuted, *(item for result in results for item in result.dropped))
        await self._conclude(results, Judged(findings, dropped, (*gaps(self._review, results), *unchecked)))

    async def _recheck(
        self, box: Box | None, merged: tuple[Finding, ...]
    ) -> tuple[tuple[Finding, ...], tuple[Dropped, ...], tuple[str, ...]]:
        """Findings kept, dropped, and sentences on what could not be collected again."""
        resting = [finding for finding in merged if finding.evidence]
        if not resting or box is None:
            return merged, (), ()
        await self._lane.enter("rechecking")
        # Named tools work for all roles, so the role is only a name here.
        question = Question(self._review.request.roles[0], tools=tools_of(resting), only_paths=paths_of(resting))
        report = await collect(box, self._review.request, question, deadline_s=JURY_S - FREEZE_S)
        broken = {tool.tool for tool in report.tools if tool.status != "ok"}
        checkable = [finding for finding in resting if not any(item.tool in broken for item in finding.evidence)]
        self._rechecked = len(checkable)
        _, dropped = recheck(checkable, report)
        out = {item.id for item in dropped}
        unchecked = tuple(f"What {tool} found was not collected a second time: it failed in the jury's box." for tool in sorted(broken))
        return tuple(finding for finding in merged if finding.id not in out), dropped, unchecked

    async def conclude_unchecked(self, reason: str) -> None:
        """The jury failed: say so, and hand on what the reviewers found."""
        await self._lane.enter("failed", reason)
        results = await self._results()
        merged = merge(finding for result in results for finding in result.findings)
        said = (f"The findings were not checked by the jury: {reason}.", *gaps(self._review, results))
        dropped = tuple(item for result in results for item in result.dropped)
        await self._conclude(results, Judged(fold(merged, self._review.request.max_comments), dropped, said), reason)

    async def _conclude(self, results: tuple[RoleResult, ...], judged: Judged, error: str | None = None) -> None:
        box = None
        if self._lane.box is not None:
            if error is None:
                await self._lane.enter("freezing")
            box = await put_away(self._lane.box, self._host.driver)
        jury = JuryReport(
            status="completed" if error is None else "failed",
            box=box,
            duration_s=self._lane.duration_s,
            rechecked=self._rechecked,
            stages=self._lane.stages(),
            error=error[:2000] if error else None,
        )
        if box is not None and error is None:
            await self._lane.enter("frozen" if box.state == "paused" else "failed", box.freeze)
        verdict = record(self._review, results, judged, jury)
        try:
            await self._host.artifacts.write(f"reviews/{self._review.review_id}/record.json", verdict.model_dump_json().encode())
        except OSError:  # Redis holds the record too; a verdict is not withheld because a copy of it cannot be kept
            log.exception("the record could not be archived", review_id=self._review.review_id)
        if not await self._host.reviews.finish(self._review, verdict):
            log.info("the review had its verdict already", review_id=self._review.review_id)

    async def _results(self) -> tuple[RoleResult, ...]:
        """What the reviewers handed over that came to their end."""
        results, roles = [], []
        for report in self._review.roles:
            roles.append(report)
            if report.status is RoleStatus.COMPLETED:
                try:
                    results.append(await RoleResult.load(self._host.artifacts, self._review.review_id, report.role))
                except (ArtifactMissing, ValueError) as error:
                    roles[-1] = report.model_copy(update={"status": RoleStatus.FAILED, "error": f"its findings are lost: {error}"})
        self._review = replace(self._review, roles=tuple(roles))
        return tuple(results)
