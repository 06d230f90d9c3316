"""The job that gets a round's commits and asks for its review. Nothing of them is checked out here; a box does that."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import structlog
from box_review.client import Options
from box_review.errors import ConfigInvalid, InputError
from box_review.report.wording import STATIC
from box_review.review import Reviewer, ReviewRequest
from box_review.sanitize import for_markdown
from box_review.source import pack

from bot.errors import NoSuchReview, Refused
from bot.github import learning, words
from bot.github.calls import READING
from bot.github.config import read_guidance
from bot.github.desk import Desk
from bot.github.errors import Denied, GitHubError, Limited, Missing, Rejected, Unavailable
from bot.github.jobs import Prepare, Tend
from bot.github.mirror import change, fetched
from bot.github.observed import Told
from bot.github.pull import PullRef
from bot.github.state import GITHUB, TEND_JOB, Round, Wish
from jobs.queue import enqueue

log = structlog.get_logger()

PATIENCE_S = 1800.0
"""So long GitHub may be away, or no host up, before a review is given up."""
LONGEST_PAUSE_S = 30.0
FETCH_PATIENCE_S = 300.0
"""So long git may fail to get the commits."""
_CHUNK = 1 << 20


class NothingToReview(Exception):  # named for what was found
    """The head holds nothing that the base does not."""


async def prepare(desk: Desk, job: Prepare) -> None:
    """Bring a round from `preparing` to `reviewing`, or to its end; safe to run twice."""
    state = await desk.pulls.peek(job.pull.key)
    round_ = state.round_of(job.review_id) if state else None
    if round_ is not None and round_.ended:
        with contextlib.suppress(NoSuchReview):  # a try before this one may have asked for it
            await desk.reviews.cancel(job.review_id)
    if round_ is None or round_.stage != "preparing" or round_.ended:
        return
    try:
        ready = await _ask_for_review(desk, job.pull, round_, state.told if state else ())
    except NothingToReview:
        ready = round_.model_copy(update={"ended": "There is nothing to review: the base has it all.", "conclusion": "neutral"})
    except (Unavailable, Refused) as error:
        if time.time() - round_.began_at < PATIENCE_S and _may_pass(error):
            await _later(desk, job, error, time.time() - round_.began_at)
            return
        ready = _failed(round_, error)
    except (GitHubError, InputError) as error:
        ready = _failed(round_, error)
    async with desk.pulls.turn(job.pull) as turn:
        now = await turn.load()
        current = now.round_of(job.review_id)
        if current is None or current.ended:  # nobody waits for it any more, and who stopped it did not find it yet
            with contextlib.suppress(NoSuchReview):
                await desk.reviews.cancel(job.review_id)
        if current is None or current.stage != "preparing":
            return
        ended = {} if current.ended else {"ended": ready.ended, "conclusion": ready.conclusion}
        merged = current.model_copy(update={"merge_base": ready.merge_base, "stage": ready.stage, **ended})
        await turn.save(now.with_round(merged), again_at=time.time())
    await enqueue(desk.pulls.redis, GITHUB, TEND_JOB, Tend(key=job.pull.key), f"github:tend:{job.review_id}:ready")


async def _ask_for_review(desk: Desk, pull: PullRef, round_: Round, told: Sequence[Told]) -> Round:
    calls = await desk.app.of(pull, READING)
    compared = await calls.get(f"/compare/{round_.base_sha}...{round_.head_sha}", per_page=1)
    merge_base = str(compared["merge_base_commit"]["sha"])
    if merge_base == round_.head_sha:
        raise NothingToReview
    guidance = await read_guidance(desk.app, pull, round_.base_sha)
    await learning.look_at_comments(desk, pull, told)
    learned = await learning.rules_for_review(desk, pull)
    try:
        bare = await fetched(desk, pull, [merge_base, round_.head_sha])
    except InputError as error:  # GitHub has just said that both are there
        if time.time() - round_.began_at < FETCH_PATIENCE_S:
            raise Unavailable(str(error)) from error
        raise
    request = await _upload(desk, pull, round_.model_copy(update={"merge_base": merge_base}), bare, guidance)
    request = request.model_copy(update={"learned": learned})
    await desk.reviews.create(request, desk.tenant, round_.review_id)
    log.info("review asked for", head=round_.head_sha[:12], roles=request.roles, harness=request.harness)
    return round_.model_copy(update={"merge_base": merge_base, "stage": "reviewing"})


async def _upload(desk: Desk, pull: PullRef, round_: Round, bare: Path, guidance: str) -> ReviewRequest:
    """The round as a request whose source is in the store. Raises InputError for a wish that cannot be."""
    assert round_.merge_base is not None  # noqa: S101 - the caller found it
    wanted = change(bare, pull.full_name, round_.merge_base, round_.head_sha, round_.title)
    with contextlib.ExitStack() as stack:
        source = await asyncio.to_thread(stack.enter_context, pack(wanted))
        if not await desk.sources.has(source.sha256):
            await desk.sources.keep(source.sha256, _chunks(source.archive))
    chosen = round_.config.under(_given(round_.wish))
    told = "\n\n".join(part for part in (chosen.pop("instructions", ""), guidance) if part)
    request = Options(**chosen, instructions=told[:20_000]).request(wanted, source)
    if round_.wish.shadow:
        return await _shadowed(desk, request, round_.wish)
    known = round_.before and await desk.reviews.is_of(round_.before, desk.tenant, operator=False)
    return request.model_copy(update={"before": round_.before if known else None})  # one that is kept no more is gone on from no more


def _given(wish: Wish) -> dict[str, Any]:
    """What somebody wants otherwise than the settings have it, for a review as a whole."""
    wanted = {"roles": wish.roles} if wish.shadow else {"roles": wish.roles, "model": wish.model, "harness": wish.harness}
    return {name: value for name, value in wanted.items() if value}


async def _shadowed(desk: Desk, request: ReviewRequest, wish: Wish) -> ReviewRequest:
    """A request whose reviewers all ask one model, and no other instead; its jury is that of any review of the repository.

    Raises:
        Refused: no model would be asked at all.
    """
    other = {"model": wish.model} | ({"harness": wish.harness} if wish.harness else {})
    reviewers = {role: request.reviewers.get(role, Reviewer()).model_copy(update=other) for role in request.roles}
    changed = request.model_copy(update={"reviewers": reviewers, "fallback_models": (), "before": None})
    usual = {host.harness for host in await desk.reviews.hosts()} if request.harness == "auto" else {request.harness}
    if usual == {STATIC} and all(reviewer.harness in ("", "auto", STATIC) for reviewer in reviewers.values()):
        raise Refused("no model would be asked: reviews are made by analyzers alone here, unless `--harness` names an agent")
    return changed


async def _chunks(archive: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(archive.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk


def _may_pass(error: Exception) -> bool:
    """True for what may be otherwise in a while: GitHub away, no host up."""
    return isinstance(error, Unavailable) or (isinstance(error, Refused) and error.status_code == 503)


async def _later(desk: Desk, job: Prepare, error: Exception, waited_s: float) -> None:
    after_s = error.after_s if isinstance(error, Limited) else min(LONGEST_PAUSE_S, max(desk.pace.pause_s, waited_s / 2))
    log.warning("a review must wait", reason=str(error), seconds=after_s)
    await desk.pulls.look_again(job.pull.key, time.time() + after_s)


def _failed(round_: Round, error: Exception) -> Round:
    """The round, ended by something that waiting does not mend."""
    if isinstance(error, ConfigInvalid):
        return round_.model_copy(update={"ended": words.broken_config(error), "conclusion": "action_required"})
    kinds = {Denied: "The App may not do this here", Missing: "Something is not there any more", Rejected: "GitHub refused"}
    begin = next((words for kind, words in kinds.items() if isinstance(error, kind)), "The review could not be asked for")
    return round_.model_copy(update={"ended": f"{begin}: {for_markdown(str(error))}", "conclusion": "action_required"})
