"""The jury's job: one review from what the reviewers handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog
from box_review import Dropped, Excerpt, Finding, JuryReport, Proof, ProofState, ReviewRecord, RoleStatus
from box_review.jobs import JURY_S, JuryJob
from box_review.review import REPOSITORY

from runner.agent import discard_earlier_try, end_box
from runner.errors import ArtifactMissing, ReviewerFailed, RunnerError
from runner.evidence.errors import EvidenceError
from runner.evidence.run import Question, collect
from runner.evidence.survey import places
from runner.harness.reviewer import AgentReviewer
from runner.host import NO_MODEL, Host
from runner.jury.earlier import Looked, look_again, moved, not_shown, proven
from runner.jury.merge import fold, merge
from runner.jury.mutes import apply_mutes, uses
from runner.jury.panel import Judgement, Panel
from runner.jury.paths import matches
from runner.jury.proof import Laboratory
from runner.jury.recheck import paths_of, recheck, tools_of
from runner.jury.verdict import Judged, gaps, record
from runner.jury.votes import NOT_THERE, apply, with_proofs
from runner.lane import Lane, put_away
from runner.result import RoleResult
from runner.reviews import ReviewState
from sandbox.box import Box
from sandbox.errors import SandboxError

log = structlog.get_logger()

LANE = "jury"
IGNORED = "its file is ignored by the repository's settings"
FREEZE_S, RECHECK_S = 30.0, 120.0
MOST_LOOKED_AT = 1 << 20


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
        self._rechecked = self._proofs = 0
        self._judgement = Judgement()

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
        ends_at = asyncio.get_running_loop().time() + JURY_S - FREEZE_S
        results = await self._results()
        found = tuple(finding for result in results for finding in result.findings)
        panel = await self._panel()
        if results:
            await self._lane.enter("checking out")
            mounts = (panel.reviewer if panel else self._host.harness("static")).mounts
            spec = self._host.box_spec(self._review.review_id, LANE, mounts)
            self._lane.box = await self._host.checkouts.box(self._review.request, spec)
            structlog.contextvars.bind_contextvars(box_id=self._lane.box.id)
        placed, lost = await self._place(self._lane.box, found)
        # Claims stay apart from what analyzers found until both were checked: neither may take the other's place.
        kept, unseen, unchecked = await self._recheck(self._lane.box, merge(placed, apart=True))
        looked = await self._look_again(self._lane.box, kept)
        proved, refuted = await self._prove(kept)
        findings, voted = await self._vote(panel, (*proved, *looked.standing), results, ends_at)
        findings, muted = apply_mutes(findings, self._review.request.learned)
        dropped = (*lost, *unseen, *refuted, *voted, *muted, *(item for result in results for item in result.dropped))
        folded = fold(merge(findings), self._review.request.max_comments)
        not_covered = (*gaps(self._review, results), *unchecked, *self._hint())
        learned = uses(self._review.request.learned, muted, by_agents=not self._static)
        await self._conclude(results, Judged(folded, dropped, not_covered, self._judgement.summary, looked.earlier, learned))

    def _hint(self) -> tuple[str, ...]:
        """What would have made this more than a review by analyzers."""
        return (f"No agent reviewed: {NO_MODEL}.",) if self._static and not self._host.settings.model else ()

    @property
    def _static(self) -> bool:
        return all(report.harness == "static" for report in self._review.roles)

    async def _panel(self) -> Panel | None:
        """Who judges beside the rules; None for nobody, or where the votes were cast already."""
        request = self._review.request
        if self._review.replays:
            before = await self._host.reviews.record(self._review.replays)
            if before is None or before.jury is None:
                raise ReviewerFailed(f"the record of {self._review.replays} is gone, and with it the votes")
            self._judgement = Judgement(before.jury.votes_again())
            return None
        try:
            harness = self._host.harness(request.jury.harness or request.harness)
        except ReviewerFailed as error:
            self._judgement = Judgement.by_rules_alone(str(error))
            return None
        return Panel(self._review, harness) if isinstance(harness, AgentReviewer) else None

    async def _place(self, box: Box | None, found: tuple[Finding, ...]) -> tuple[tuple[Finding, ...], tuple[Dropped, ...]]:
        """Claims get the lines they are about, read here; one about lines that are not there is dropped."""
        ignore = self._review.request.ignore_paths
        claims = [finding for finding in found if not finding.evidence and not matches(finding.path, ignore)]
        measured = [finding for finding in found if finding.evidence]
        if box is None:
            return found, ()
        placed = measured
        lost = [finding.dropped(IGNORED) for finding in found if not finding.evidence and matches(finding.path, ignore)]
        secrets = [(item.path, item.start_line, item.end_line) for item in measured if "secret" in item.topic]
        for claim, excerpt in zip(claims, await places(box, self._review.request, claims), strict=True):
            if excerpt is None:
                lost.append(claim.dropped(NOT_THERE))
            elif not excerpt.lines or _shows(claim.path, excerpt, secrets):
                placed.append(claim)
            else:
                placed.append(claim.model_copy(update={"excerpt": excerpt}))
        return tuple(placed), tuple(lost)

    async def _look_again(self, box: Box | None, now: tuple[Finding, ...]) -> Looked:
        """What became of what an earlier review of the pull request found; its reproducers run first."""
        before = await self._host.reviews.record(self._review.request.before) if self._review.request.before else None
        if before is None or box is None:
            return Looked()
        proofs: dict[str, Proof] = {}
        if tried := proven(before.findings):
            await self._lane.enter("proving")
            try:
                proofs = await self._laboratory().prove(tried)
            except (RunnerError, SandboxError, OSError) as error:
                log.warning("no earlier reproducer could be run", review_id=self._review.review_id, error=str(error))
            self._proofs += len(proofs)
        looked = look_again(before.findings, proofs, now, await self._sought(box, before, now))
        excerpts = await places(box, self._review.request, looked.standing)
        found = [moved(item, seen, await _lines(box, item.path)) for item, seen in zip(looked.standing, excerpts, strict=True)]
        return replace(looked, standing=tuple(found))

    async def _sought(self, box: Box, before: ReviewRecord, now: tuple[Finding, ...]) -> set[str]:
        """Ids of earlier findings that their analyzers, run for it, find no more. Against another base that would say nothing."""
        reported = {finding.fingerprint for finding in now}
        silent = [finding for finding in before.findings if finding.evidence and finding.fingerprint not in reported]
        if not silent or before.base_sha != self._review.request.base_sha:
            return set()
        await self._lane.enter("rechecking")
        question = Question(self._review.request.roles[0], tools=tools_of(silent), only_paths=paths_of(silent))
        try:
            return not_shown(silent, await collect(box, self._review.request, question, deadline_s=RECHECK_S))
        except EvidenceError as error:
            log.warning("what was found earlier could not be looked for", review_id=self._review.review_id, error=str(error))
            return set()

    def _laboratory(self) -> Laboratory:
        return Laboratory(self._host.checkouts, self._review.request, self._review.review_id)

    async def _prove(self, findings: tuple[Finding, ...]) -> tuple[tuple[Finding, ...], tuple[Dropped, ...]]:
        """Run the reproducers."""
        if not any(finding.reproducer for finding in findings):
            return with_proofs(findings, {})
        await self._lane.enter("proving")
        try:
            proofs = await self._laboratory().prove(findings)
        except (RunnerError, SandboxError, OSError) as error:
            log.warning("no reproducer could be run", review_id=self._review.review_id, error=str(error))
            untried = Proof(state=ProofState.UNPROVEN, output=f"it could not be run: {error}"[:2000])
            proofs = {finding.id: untried for finding in findings if finding.reproducer is not None}
        self._proofs += len(proofs)
        return with_proofs(findings, proofs)

    async def _vote(
        self, panel: Panel | None, findings: tuple[Finding, ...], results: tuple[RoleResult, ...], ends_at: float
    ) -> tuple[tuple[Finding, ...], tuple[Dropped, ...]]:
        """Let the jury's agent judge what is left."""
        await self._lane.enter("judging")
        box = self._lane.box
        if panel is not None and box is not None and any(report.status is RoleStatus.COMPLETED for report in self._review.roles):
            files = tuple(dict.fromkeys(file.path for result in results for file in result.changed_files))
            try:
                self._judgement = await panel.judge(box, findings, files, ends_at)
            except RunnerError as error:
                self._judgement = Judgement.by_rules_alone(str(error))
        judgement = self._judgement
        kept, dropped, votes = apply(findings, judgement.report.votes)
        self._judgement = replace(judgement, report=judgement.report.model_copy(update={"votes": votes}))
        return kept, dropped

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
        report = await collect(box, self._review.request, question, deadline_s=RECHECK_S)
        broken = {tool.tool for tool in report.tools if tool.status != "ok"}
        checkable = [finding for finding in resting if not any(item.tool in broken for item in finding.evidence)]
        self._rechecked = len(checkable)
        _, dropped = recheck(checkable, report)
        out = {item.id for item in dropped}
        unchecked = tuple(f"What {tool} found was not collected a second time: it failed in the jury's box." for tool in sorted(broken))
        return tuple(finding for finding in merged if finding.id not in out), dropped, unchecked

    async def conclude_unchecked(self, reason: str) -> None:
        """The jury failed: say so, and hand on what the reviewers found. Nothing is muted, as nobody knows what would have been proven."""
        self._judgement = Judgement(JuryReport(status="failed", usage=self._judgement.report.usage))
        await self._lane.enter("failed", reason)
        results = await self._results()
        merged, _ = with_proofs(merge(finding for result in results for finding in result.findings), {})
        said = (f"The findings were not checked by the jury: {reason}.", *gaps(self._review, results))
        dropped = tuple(item for result in results for item in result.dropped)
        learned = uses(self._review.request.learned, (), by_agents=not self._static)
        folded = fold(merged, self._review.request.max_comments)
        await self._conclude(results, Judged(folded, dropped, said, learned=learned), reason)

    async def _conclude(self, results: tuple[RoleResult, ...], judged: Judged, error: str | None = None) -> None:
        box = None
        if self._lane.box is not None:
            if error is None:
                await self._lane.enter("freezing")
            box = await put_away(self._lane.box, self._host.driver)
        about = {
            "status": "completed" if error is None else "failed",
            "box": box,
            "proofs": self._proofs,
            "rechecked": self._rechecked,
            "duration_s": self._lane.duration_s,
            "stages": self._lane.stages(),
            "error": error[:2000] if error else None,
        }
        jury = self._judgement.report.model_copy(update=about)
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
        """What the reviewers handed over, also those that failed on the way."""
        results, roles = [], []
        for report in self._review.roles:
            roles.append(report)
            try:
                results.append(await RoleResult.load(self._host.artifacts, self._review.replays or self._review.review_id, report.role))
            except (ArtifactMissing, ValueError) as error:
                if report.status is RoleStatus.COMPLETED:
                    roles[-1] = report.model_copy(update={"status": RoleStatus.FAILED, "error": f"its findings are lost: {error}"})
        self._review = replace(self._review, roles=tuple(roles))
        return tuple(results)


async def _lines(box: Box, path: str) -> list[str]:
    """The lines of a file at head; none if it is gone or large."""
    try:
        content = await box.read_file(f"{REPOSITORY}/{path}", length=MOST_LOOKED_AT)
    except (SandboxError, OSError, ValueError):
        return []
    return content.decode("utf-8", "replace").splitlines()


def _shows(path: str, excerpt: Excerpt, secrets: Sequence[tuple[str, int, int]]) -> bool:
    """True if one of the lines holds a secret; places are path, first and last line."""
    last = excerpt.start_line + len(excerpt.lines) - 1
    return any(path == where and start <= last and excerpt.start_line <= end for where, start, end in secrets)
