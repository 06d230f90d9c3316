"""The job that brings GitHub in line with what a pull request needs: takes up what came in, then moves its rounds on.

What GitHub refuses for good is said and left out, and everything else is done all the same. Whatever else goes wrong with GitHub, the
pull request stays open, and is looked at again later, a little later each time.
"""

from __future__ import annotations

import contextlib
import random
import time

import structlog
from box_review.review import ReviewStatus

from bot.errors import NoSuchReview
from bot.github import learning, metrics, publish, shadow, show, words
from bot.github.calls import WRITING, Calls
from bot.github.desk import Desk
from bot.github.errors import LASTING, GitHubError, Limited, Missing, Rejected, Unavailable
from bot.github.jobs import Prepare, Tend
from bot.github.prepare import PATIENCE_S
from bot.github.pull import PullRef
from bot.github.state import PREPARE_JOB, SLOW, PullState, Round, Turn
from bot.github.take_up import take_up
from bot.github.turn import TurnLost
from jobs.queue import enqueue

log = structlog.get_logger()

LOST = "The review was lost; `/box review` begins a new one."


async def tend(desk: Desk, job: Tend) -> None:
    """Do all that can be done now for one pull request; safe to run twice, and at the same time on two machines."""
    pull = await desk.pulls.ref(job.key)
    if pull is None:
        return
    with structlog.contextvars.bound_contextvars(repository=pull.full_name, pull=pull.number, installation=pull.installation_id):
        try:
            async with desk.pulls.turn(pull) as turn:
                await _Tending(desk.during(turn), pull, turn).run()
        except TurnLost:
            log.warning("another worker tends the pull request")
            await desk.pulls.look_again(job.key, time.time() + 1)


class _Tending:
    """One turn at one pull request."""

    def __init__(self, desk: Desk, pull: PullRef, turn: Turn) -> None:
        self._desk, self._pull, self._turn = desk, pull, turn
        self._state = PullState(pull=pull)

    async def run(self) -> None:
        self._state = (await self._turn.load()).model_copy(update={"pull": self._pull})
        if self._state.rests_until > time.time():
            await self._turn.save(self._state, again_at=self._state.rests_until)
            return
        untaken, unmoved = list[GitHubError](), list[GitHubError]()
        try:
            untaken += await self._take_up_all()
            unmoved += await self._move_on()
        except Limited as error:
            unmoved.append(error)
        if untaken or unmoved:
            await self._stumble(untaken, unmoved)
            return
        calm = self._state.model_copy(update={"failures": 0, "failing_since": 0.0, "rests_until": 0.0})
        await self._turn.save(calm, again_at=None if calm.settled else self._soon)

    @property
    def _soon(self) -> float:
        return time.time() + self._desk.pace.look_s

    async def _take_up_all(self) -> list[GitHubError]:
        """What came in, in its order; it stops at what cannot be done now."""
        while inbox := await self._turn.inbox():
            try:
                self._state = await take_up(self._desk, self._state, inbox[0].intent)
            except Limited:
                raise
            except (Unavailable, *LASTING) as error:
                if isinstance(error, Unavailable) or inbox[0].intent.kind != "said":
                    return [error]
                # The comment is gone, or we may not answer; what follows may be otherwise.
                log.warning("an event came to nothing", intent=inbox[0].intent.kind, reason=str(error))
            await self._turn.save(self._state, taken=inbox[:1], again_at=self._soon)
        return []

    async def _move_on(self) -> list[GitHubError]:
        """Each round that is not over, and the comparison, whatever becomes of the others."""
        troubles: list[GitHubError] = []
        for round_ in self._state.rounds:
            if round_.stage != "over":
                try:
                    await self._move(round_)
                except Limited:
                    raise
                except GitHubError as error:
                    troubles.append(error)
                await self._save()  # what was done for this round is remembered, also where the next step failed
        try:
            self._state = await shadow.move(self._desk, self._state, self._remember)
        except Limited:
            raise
        except GitHubError as error:
            troubles.append(error)
        current = self._state.current
        kept = tuple(round_ for round_ in self._state.rounds if round_.stage != "over" or round_ is current)
        self._state = self._state.model_copy(update={"rounds": kept})
        return troubles

    async def _save(self) -> None:
        await self._turn.save(self._state, again_at=self._soon)

    async def _move(self, round_: Round) -> None:
        calls = await self._desk.app.of(self._pull, WRITING)
        if round_.check_run_id is None:
            round_ = await show.put_check(self._desk, calls, self._state, round_)
            self._keep(round_)
            await self._save()
        if round_.ended:
            await self._end(calls, round_)
        elif round_.stage == "preparing":
            await self._begin(calls, round_)
        else:
            await self._look(calls, round_)

    async def _begin(self, calls: Calls, round_: Round) -> None:
        """Say that it is looked at, and have its commits fetched."""
        await self._desk.pulls.bind(round_.review_id, self._pull)
        job = Prepare(pull=self._pull, review_id=round_.review_id)
        await enqueue(self._desk.pulls.redis, SLOW, PREPARE_JOB, job, f"github:prepare:{round_.review_id}")
        if not round_.greeted:
            roles = round_.wish.roles or round_.config.roles or ()
            await self._tell(calls, words.reviewing(round_, roles, self._desk.link(round_.review_id)))
            self._keep(round_.model_copy(update={"greeted": True}))

    async def _look(self, calls: Calls, round_: Round) -> None:
        """Publish a verdict, if there is one."""
        try:
            record = await self._desk.reviews.settled(round_.review_id)
        except NoSuchReview:
            if time.time() - round_.began_at > PATIENCE_S:
                await self._end(calls, round_.model_copy(update={"ended": LOST, "conclusion": "action_required"}))
            return
        if not record.status.final:
            return
        if record.status is ReviewStatus.CANCELLED:  # by somebody at the server
            cancelled = round_.model_copy(update={"ended": "The review was cancelled.", "conclusion": "cancelled"})
            await self._end(calls, cancelled)
            return
        verdict = await publish.verdict_of(self._desk, self._state, round_)
        if record.status in (ReviewStatus.COMPLETED, ReviewStatus.PARTIAL):  # others found nothing that could be gone on from
            self._state = self._state.model_copy(update={"published": round_.review_id})
            self._state = await learning.published(self._desk, self._state, verdict.record)
            round_ = await self._offered(round_)
        await publish.Publication(self._desk, calls, self._state, round_, verdict, self._remember).run()
        done = self._state.round_of(round_.review_id)
        assert done is not None  # noqa: S101 - it was just published
        self._keep(done.model_copy(update={"stage": "over"}))
        metrics.rounds.labels(verdict.conclusion.value).inc()
        log.info("review published", review_id=round_.review_id, conclusion=verdict.conclusion.value, findings=len(verdict.told))

    async def _offered(self, round_: Round) -> Round:
        """The round, with a note on what could be made permanent."""
        try:
            note = await learning.offer(self._desk, self._pull, round_.review_id)
        except LASTING as error:
            log.warning("what could be made permanent is not told", reason=str(error))
            return round_
        noted = round_.model_copy(update={"notes": tuple(dict.fromkeys((note, *round_.notes)))}) if note else round_
        self._keep(noted)
        return noted

    async def _remember(self, state: PullState) -> None:
        self._state = state
        await self._save()

    async def _end(self, calls: Calls, round_: Round) -> None:
        """A round without a verdict: its review stops, its check says why, and the comment too unless a newer round has it."""
        self._keep(round_)
        await self._cancel(round_)
        if self._state.current is not None and self._state.current.review_id == round_.review_id:
            await self._tell(calls, words.ended(round_))
        await show.end_check(self._desk, calls, round_, _TITLES.get(round_.conclusion, "Not reviewed"))
        self._keep(round_.model_copy(update={"stage": "over"}))
        metrics.rounds.labels(round_.conclusion or "neutral").inc()
        log.info("round ended", review_id=round_.review_id, conclusion=round_.conclusion, why=round_.ended)

    async def _tell(self, calls: Calls, body: str) -> None:
        """The comment says this, where we may have one."""
        try:
            self._state = await show.put_sticky(self._desk, calls, self._state, body)
        except LASTING as error:
            show.refused("the comment", error)

    async def _cancel(self, round_: Round) -> None:
        with contextlib.suppress(NoSuchReview):
            await self._desk.reviews.cancel(round_.review_id)

    def _keep(self, round_: Round) -> None:
        self._state = self._state.with_round(round_)

    async def _stumble(self, untaken: list[GitHubError], unmoved: list[GitHubError]) -> None:
        """Look again later; give up what was tried for long enough."""
        now, pace, troubles = time.time(), self._desk.pace, [*untaken, *unmoved]
        gone = all(isinstance(error, Missing | Rejected) for error in troubles)
        same = self._state.failing_since and gone == self._state.failing_gone
        failures, since = self._state.failures + 1, self._state.failing_since if same else now
        if now - since >= (pace.gone_s if gone else pace.patience_s):
            await self._give_up(untaken, unmoved)
            return
        rests_s = max((error.after_s for error in troubles if isinstance(error, Unavailable)), default=0.0)
        after_s = max(rests_s, min(pace.longest_s, pace.pause_s * 2.0 ** min(failures - 1, 16)))
        after_s *= 1 + random.random() / 10  # noqa: S311 - all that waited for one limit need not come at once
        update = {"failures": failures, "failing_since": since, "failing_gone": gone, "rests_until": now + rests_s if rests_s else 0.0}
        log.warning("GitHub could not be worked with; looking again later", reason=str(troubles[0]), seconds=round(after_s, 1))
        await self._turn.save(self._state.model_copy(update=update), again_at=now + after_s)

    async def _give_up(self, untaken: list[GitHubError], unmoved: list[GitHubError]) -> None:
        """What could not be done is done no more; reviews that nobody would hear of are stopped."""
        log.warning("what a pull request needs is given up", reason=str([*untaken, *unmoved][0]))
        left = self._state.model_copy(update={"failures": 0, "failing_since": 0.0, "rests_until": 0.0})
        if unmoved:
            for round_ in (*self._state.rounds, *self._state.shadows):
                if round_.stage != "over":
                    await self._cancel(round_)
            left = left.model_copy(update={"rounds": (), "comparison": None})
        taken = (await self._turn.inbox())[:1] if untaken else []
        await self._turn.save(left, taken=taken, again_at=None if left.settled else self._soon)


_TITLES = {"cancelled": "Cancelled", "action_required": "Somebody has to act", "neutral": "Nothing to review"}
