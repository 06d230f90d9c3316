"""Models that review a pull request in the shadow: begun by a comment, moved on turn by turn, told in one comment when all have ended.

Each is a round of its own that has no check. What it asks for is prepared like any other (`prepare`); nothing here publishes a review.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from box_review.errors import ConfigInvalid
from box_review.review import DEFAULT_ROLES
from box_review.side_by_side import Side

from bot.errors import NoSuchReview
from bot.github import marks, publish, reply, take_up, words
from bot.github.calls import READING, WRITING
from bot.github.commands import Compare
from bot.github.config import read_repo_config, tip_of
from bot.github.decide import Said
from bot.github.desk import Desk
from bot.github.errors import LASTING
from bot.github.jobs import Prepare
from bot.github.prepare import PATIENCE_S
from bot.github.pull import PullRef
from bot.github.show import find_comment
from bot.github.state import PREPARE_JOB, SLOW, Comparison, PullState, Round, Wish
from jobs.queue import enqueue

log = structlog.get_logger()

LOST = "The review was lost."
Remember = Callable[[PullState], Awaitable[None]]


class NotCompared(Exception):  # named for what becomes of it
    """The pull request cannot be reviewed now; the text says why, as Markdown of ours."""


async def begin(desk: Desk, state: PullState, said: Said, command: Compare) -> Comparison:
    """A comparison of the head as GitHub has it now, by the settings that hold for any review. Raises NotCompared, GitHubError."""
    calls = await desk.app.of(state.pull, READING)
    pull = await calls.get(f"/pulls/{state.pull.number}")
    if pull.get("state") != "open":
        raise NotCompared(take_up.CLOSED)
    base = {**pull["base"], "sha": await tip_of(desk.app, state.pull, pull["base"])}
    try:
        config = await read_repo_config(desk.app, state.pull, base, base["sha"])
    except ConfigInvalid as error:
        raise NotCompared(words.broken_config(error)) from error
    wishes = [Wish(roles=command.roles, model=model, harness=command.harness, shadow=True) for model in command.models]
    rounds = [take_up.new_round(state, {**pull, "base": base}, config, wish) for wish in wishes]
    log.info("comparison begins", head=rounds[0].head_sha[:12], models=command.models)
    return Comparison(said=said, shadows=tuple(round_.model_copy(update={"before": ""}) for round_ in rounds))


def stop(state: PullState, why: str) -> PullState:
    """The shadows that are under way come to their end; what the others found is told all the same."""
    for shadow in state.shadows:
        if shadow.stage != "over" and not shadow.ended:
            state = state.with_round(shadow.model_copy(update={"ended": why, "conclusion": "cancelled"}))
    return state


async def move(desk: Desk, state: PullState, remember: Remember) -> PullState:
    """The state after what can be done now for its comparison, if it has one; safe to do twice. Raises GitHubError."""
    if state.comparison is None:
        return state
    if not state.comparison.told:
        await _tell(desk, state.pull, state.comparison)
        state = state.model_copy(update={"comparison": state.comparison.model_copy(update={"told": True})})
        await remember(state)
    before: Sequence[Round] = ()
    while state.shadows != before:  # where one ends, another may begin
        before = state.shadows
        for shadow in await _whose_turn_it_is(desk, before):
            state = state.with_round(await _moved(desk, state.pull, shadow))
    await remember(state)
    if state.comparison is None or not state.comparison.over:
        return state
    await _post(desk, state, state.comparison)
    state = state.model_copy(update={"comparison": None})
    await remember(state)
    return state


async def _tell(desk: Desk, pull: PullRef, comparison: Comparison) -> None:
    calls = await desk.app.of(pull, WRITING)
    try:
        await reply.answer(desk, calls, pull.number, comparison.said, words.comparing(comparison, desk.link))
    except LASTING as error:  # the comment is gone, or the conversation is locked; the comparison may still be told
        log.warning("GitHub took no answer", reason=str(error))


async def _whose_turn_it_is(desk: Desk, shadows: Sequence[Round]) -> list[Round]:
    """The shadows that may move: one after the other where hosts have no room for more, so that none spends its time in the queue."""
    left = [shadow for shadow in shadows if shadow.stage != "over"]
    roles = max((len(shadow.wish.roles or shadow.config.roles or DEFAULT_ROLES) for shadow in left), default=1)
    room = sum(host.capacity for host in await desk.reviews.hosts()) // roles
    return [shadow for at, shadow in enumerate(left) if shadow.ended or at < max(1, room)]


async def _moved(desk: Desk, pull: PullRef, shadow: Round) -> Round:
    """One model's round after what can be done for it now."""
    if shadow.ended:
        with contextlib.suppress(NoSuchReview):
            await desk.reviews.cancel(shadow.review_id)
        return shadow.model_copy(update={"stage": "over"})
    if shadow.stage == "preparing":
        await desk.pulls.bind(shadow.review_id, pull)
        job = Prepare(pull=pull, review_id=shadow.review_id)
        await enqueue(desk.pulls.redis, SLOW, PREPARE_JOB, job, f"github:prepare:{shadow.review_id}")
        return shadow if shadow.greeted else shadow.model_copy(update={"greeted": True, "began_at": time.time()})
    try:
        record = await desk.reviews.settled(shadow.review_id)
    except NoSuchReview:
        lost = time.time() - shadow.began_at > PATIENCE_S
        return shadow.model_copy(update={"ended": LOST, "stage": "over"}) if lost else shadow
    return shadow.model_copy(update={"stage": "over"}) if record.status.final else shadow


async def _post(desk: Desk, state: PullState, comparison: Comparison) -> None:
    """The one comment, unless it is there: its answer, or who has made it, got lost."""
    sides = [await _side(desk, state, shadow) for shadow in comparison.shadows]
    body = await asyncio.to_thread(words.compared, comparison, sides, desk.link)
    calls, number = await desk.app.of(state.pull, WRITING), state.pull.number
    try:
        if await find_comment(desk, calls, number, marks.comparison(comparison.said.comment_id)) is None:
            await calls.create(f"/issues/{number}/comments", {"body": body})
    except LASTING as error:
        log.warning("GitHub took no comparison", reason=str(error))
        return
    log.info("comparison published", models=comparison.models, judged=[side.judged for side in sides])


async def _side(desk: Desk, state: PullState, shadow: Round) -> Side:
    """What one model's review came to."""
    if shadow.ended:
        return Side(shadow.wish.model, problem=shadow.ended)
    try:
        record = await desk.reviews.record(shadow.review_id)
    except NoSuchReview:
        return Side(shadow.wish.model, problem=LOST)
    return Side(shadow.wish.model, await publish.heeded(desk, state, record))
