"""The job that brings GitHub in line with what a pull request needs: takes up what came in, then moves its rounds on.

Whatever goes wrong with GitHub, the pull request stays open, and is looked at again later, a little later each time.
"""

from __future__ import annotations

import contextlib
import time

import structlog
from box_review.review import ReviewStatus

from bot.errors import NoSuchReview
from bot.github import metrics, publish, show, words
from bot.github.calls import WRITING, Calls
from bot.github.desk import Desk
from bot.github.errors import Denied, GitHubError, Limited, Missing, Rejected
from bot.github.jobs import Prepare, Tend
from bot.github.prepare import PATIENCE_S
from bot.github.pull import PullRef
from bot.github.state import GITHUB, PREPARE_JOB, PullState, Round, Turn, TurnLost
from bot.github.take_up import take_up
from jobs.queue import enqueue

log = structlog.get_logger()

LOOK_S = 15.0
"""A review that runs is looked at so often, should its end go unheard."""
LONGEST_PAUSE_S = 300.0
LOST = "The review was lost; `/box review` begins a new one."
HOPELESS = 5
"""So often in a row GitHub may deny us before a pull request is given up."""


async def tend(desk: Desk, job: Tend) -> None:
    """Do all that can be done now for one pull request; safe to run twice, and at the same time on two machines."""
    pull = await desk.pulls.ref(job.key)
    if pull is None:
        return
    with structlog.contextvars.bound_contextvars(repository=pull.full_name, pull=pull.number, installation=pull.installation_id):
        try:
            async with desk.pulls.turn(pull) as turn:
                await _Tending(desk, pull, turn).run()
        except TurnLost:
            await desk.pulls.look_again(job.key, time.time() + 1)


class _Tending:
    """One turn at one pull request."""

    def __init__(self, desk: Desk, pull: PullRef, turn: Turn) -> None:
        self._desk, self._pull, self._turn = desk, pull, turn
        self._state = PullState(pull=pull)

    async def run(self) -> None:
        self._state = (await self._turn.load()).model_copy(update={"pull": self._pull})
        try:
            await self._take_up_all()
            await self._move_on()
        except GitHubError as error:
            await self._stumbled(error)
            return
        again_at = None if self._state.settled else time.time() + LOOK_S
        await self._turn.save(self._state.model_copy(update={"failures": 0}), again_at=again_at)

    async def _take_up_all(self) -> None:
        while inbox := await self._turn.inbox():
            try:
                self._state = await take_up(self._desk, self._state, inbox[0])
            except (Missing, Rejected) as error:  # its comment or pull request is gone; what follows is not
                log.warning("an event came to nothing", intent=inbox[0].kind, reason=str(error))
            await self._turn.save(self._state, taken=1, again_at=time.time() + LOOK_S)

    async def _move_on(self) -> None:
        for round_ in self._state.rounds:
            if round_.stage != "over":
                try:
                    await self._move(round_)
                finally:  # what was done for this round is remembered, also where the next step failed
                    await self._turn.save(self._state, again_at=time.time() + LOOK_S)
        current = self._state.current
        kept = tuple(round_ for round_ in self._state.rounds if round_.stage != "over" or round_ is current)
        self._state = self._state.model_copy(update={"rounds": kept})

    async def _move(self, round_: Round) -> None:
        calls = await self._desk.app.of(self._pull, WRITING)
        if round_.check_run_id is None:
            round_ = await show.put_check(self._desk, calls, self._state, round_)
            self._keep(round_)
        if round_.ended:
            await self._end(calls, round_)
        elif round_.stage == "preparing":
            await self._begin(calls, round_)
        else:
            await self._look(calls, round_)

    async def _begin(self, calls: Calls, round_: Round) -> None:
        """Say that it is looked at, and have its commits fetched."""
        link = self._desk.link(round_.review_id)
        roles = round_.wish.roles or round_.config.roles or ()
        self._state = await show.put_sticky(self._desk, calls, self._state, words.reviewing(round_, roles, link))
        await self._turn.save(self._state, again_at=time.time() + LOOK_S)
        await self._desk.pulls.bind(round_.review_id, self._pull)
        job = Prepare(pull=self._pull, review_id=round_.review_id)
        await enqueue(self._desk.pulls.redis, GITHUB, PREPARE_JOB, job, f"github:prepare:{round_.review_id}")

    async def _look(self, calls: Calls, round_: Round) -> None:
        """Publish a verdict, if there is one."""
        try:
            record = await self._desk.reviews.record(round_.review_id)
        except NoSuchReview:
            if time.time() - round_.began_at > PATIENCE_S:
                self._keep(round_.model_copy(update={"ended": LOST, "conclusion": "action_required"}))
            return
        if not record.status.final:
            return
        if record.status is ReviewStatus.CANCELLED:  # by somebody at the server
            cancelled = round_.model_copy(update={"ended": "The review was cancelled.", "conclusion": "cancelled"})
            await self._end(calls, cancelled)
            return
        verdict = await publish.verdict_of(self._desk, self._state, round_)
        publication = publish.Publication(self._desk, calls, self._state, round_, verdict)
        try:
            await publication.run()
        finally:
            self._state = publication.state
        done = self._state.round_of(round_.review_id)
        assert done is not None  # noqa: S101 - it was just published
        self._keep(done.model_copy(update={"stage": "over"}))
        self._state = self._state.model_copy(update={"published": round_.review_id})
        metrics.rounds.labels(verdict.conclusion.value).inc()
        log.info("review published", review_id=round_.review_id, conclusion=verdict.conclusion.value, findings=len(verdict.told))

    async def _end(self, calls: Calls, round_: Round) -> None:
        """A round without a verdict: its review stops, its check says why, and the comment too unless a newer round has it."""
        with contextlib.suppress(NoSuchReview):
            await self._desk.reviews.cancel(round_.review_id)
        if self._state.current is not None and self._state.current.review_id == round_.review_id:
            self._state = await show.put_sticky(self._desk, calls, self._state, words.ended(round_))
        await show.end_check(calls, round_, _TITLES.get(round_.conclusion, "Not reviewed"))
        self._keep(round_.model_copy(update={"stage": "over"}))
        metrics.rounds.labels(round_.conclusion or "neutral").inc()
        log.info("round ended", review_id=round_.review_id, conclusion=round_.conclusion, why=round_.ended)

    def _keep(self, round_: Round) -> None:
        self._state = self._state.with_round(round_)

    async def _stumbled(self, error: GitHubError) -> None:
        """Look again later; give up where we are not wanted any more."""
        failures = self._state.failures + 1
        state = self._state.model_copy(update={"failures": failures})
        if isinstance(error, Denied | Missing):
            self._desk.app.forget(self._pull)
            if failures >= HOPELESS:
                log.warning("pull request given up", reason=str(error))
                await self._turn.save(await self.given_up(state), taken=len(await self._turn.inbox()))
                return
        after_s = error.after_s if isinstance(error, Limited) else min(LONGEST_PAUSE_S, 2.0 ** min(failures, 9))
        log.warning("GitHub could not be worked with; looking again later", reason=str(error), seconds=round(after_s, 1))
        await self._turn.save(state, again_at=time.time() + after_s)

    async def given_up(self, state: PullState) -> PullState:
        """Nothing more is done; reviews that run are stopped."""
        for round_ in state.rounds:
            if round_.stage != "over":
                with contextlib.suppress(NoSuchReview):
                    await self._desk.reviews.cancel(round_.review_id)
        return state.model_copy(update={"rounds": (), "failures": 0})


_TITLES = {"cancelled": "Cancelled", "action_required": "Somebody has to act", "neutral": "Nothing to review", "failure": "Not reviewed"}
