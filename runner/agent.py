"""The agent job: one role of one review, in a box of its own."""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog
from box_review import RoleReport, RoleStatus
from box_review.jobs import AgentJob

from runner.errors import ReviewerFailed, RunnerError
from runner.harness.contract import Assignment, Harness
from runner.host import Host
from runner.lane import Lane, put_away
from runner.result import RoleResult
from runner.reviews import ReviewState
from sandbox.errors import SandboxError

log = structlog.get_logger()

CLEANUP_DEADLINE_S = 20.0


async def review_role(host: Host, job: AgentJob) -> None:
    """Bring one role to its end, whatever that is; safe to run twice."""
    review = await host.reviews.get(job.review_id)
    if review is None or not await host.reviews.start_role(review, job.role):
        return
    await discard_earlier_try(host, job.review_id, job.role)
    lane = Lane(host.reviews, review, job.role)
    work = _Work(host, review, job.role, lane)
    try:
        report = await work.run()
    except asyncio.CancelledError:
        # The review was cancelled, the lease lost, or the host goes down: nobody will ask for this box again.
        await end_box(lane)
        raise
    await host.reviews.finish_role(review, report)


class _Work:
    """One try at one role."""

    def __init__(self, host: Host, review: ReviewState, role: str, lane: Lane) -> None:
        self._host, self._review, self._role, self._lane = host, review, role, lane

    async def run(self) -> RoleReport:
        """The role's final report. Never raises for what went wrong in the box; that is what it reports."""
        left_s = self._review.deadline_at - time.time()
        try:
            harness = self._host.harness(self._review.request.reviewer(self._role).harness)
            async with asyncio.timeout(max(0.0, left_s)):
                return await self._review_in_box(harness, left_s)
        except TimeoutError:
            return await self._ended(RoleStatus.TIMED_OUT, f"no result within {self._review.request.timeout_s:g} s")
        except ReviewerFailed as error:
            return await self._ended(error.status, str(error), error.partial)
        except (RunnerError, SandboxError) as error:
            return await self._ended(RoleStatus.FAILED, str(error))
        except Exception:  # the job boundary: a bug of ours must end in the review, not in a job nobody sees
            log.exception("a reviewer crashed", review_id=self._review.review_id, role=self._role)
            return await self._ended(RoleStatus.FAILED, "the reviewer crashed; the runner's log has the traceback")

    async def _review_in_box(self, harness: Harness, left_s: float) -> RoleReport:
        ends_at = asyncio.get_running_loop().time() + left_s
        request = self._review.request
        await self._lane.enter("checking out")
        spec = self._host.box_spec(self._review.review_id, self._role, harness.mounts)
        self._lane.box = await self._host.checkouts.box(request, spec)
        structlog.contextvars.bind_contextvars(box_id=self._lane.box.id)
        result = await harness.review(Assignment(request, self._role, self._lane.box, self._lane, ends_at))
        if result.role != self._role:
            raise ReviewerFailed(f"the harness answered for the role {result.role!r}")
        await result.save(self._host.artifacts, self._review.review_id)
        return await self._frozen(self._report(RoleStatus.COMPLETED, result))

    async def _ended(self, status: RoleStatus, error: str, partial: RoleResult | None = None) -> RoleReport:
        if partial is not None:  # what was found until then is worth its place in the review
            try:
                await partial.save(self._host.artifacts, self._review.review_id)
            except OSError:
                log.exception("what a reviewer found until it failed could not be kept", review_id=self._review.review_id, role=self._role)
        report = self._report(status, partial).model_copy(update={"error": error[:2000]})
        await self._lane.enter("failed", error)
        return await self._frozen(report)

    def _report(self, status: RoleStatus, result: RoleResult | None = None) -> RoleReport:
        box, result = self._lane.box, result or RoleResult(role=self._role)
        name = self._review.request.reviewer(self._role).harness
        harness = self._host.harnesses.get(name)
        return RoleReport(
            role=self._role,
            status=status,
            harness=name,
            harness_version=harness.version if harness else "",
            findings=len(result.findings),
            usage=result.usage,
            model=result.model,
            session_id=result.session_id,
            not_covered=result.not_covered,
            driver=box.driver if box else "",
            box_id=box.id if box else "",
        )

    async def _frozen(self, report: RoleReport) -> RoleReport:
        """The report, complete with how the box was left: also a failed reviewer's box stays to be looked at."""
        if self._lane.box is None:
            return report.model_copy(update={"duration_s": self._lane.duration_s, "stages": self._lane.stages()})
        if report.status is RoleStatus.COMPLETED:
            await self._lane.enter("freezing")
        self._host.hand_over(self._review, report, self._lane.box)
        box = await put_away(self._lane.box, self._host.driver)
        times = {"duration_s": self._lane.duration_s, "stages": self._lane.stages()}
        await self._lane.enter("frozen" if box.state == "paused" else "failed", box.freeze)
        return report.model_copy(update={"box": box, **times})


async def discard_earlier_try(host: Host, review_id: str, lane: str) -> None:
    """A try that died with its process left a box; this one makes its own."""
    for box in host.driver.boxes():
        if box.labels.get("review") == review_id and box.labels.get("role") == lane:
            await box.delete()


async def end_box(lane: Lane) -> None:
    """Delete the box of a try that is cancelled, within a deadline."""
    if lane.box is not None:
        with contextlib.suppress(SandboxError, TimeoutError):
            async with asyncio.timeout(CLEANUP_DEADLINE_S):
                await asyncio.shield(lane.box.delete())
