"""What came in for a pull request, against what is true now: a new round, the end of one, or an answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

import structlog
from box_review.config import RepoConfig
from box_review.errors import ConfigInvalid

from bot.github import learning, words
from bot.github.calls import READING
from bot.github.config import read_repo_config, tip_of
from bot.github.decide import Closed, Look, Said
from bot.github.desk import Desk
from bot.github.errors import Unavailable
from bot.github.obey import obey
from bot.github.pull import PullRef
from bot.github.state import PullState, Round, Wish
from bot.reviews import new_id

log = structlog.get_logger()

STRANGERS = ("FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR", "NONE", "MANNEQUIN")
AS_WANTED = Wish()
LAG_S = 20.0
"""So long GitHub's API may show an older head than its delivery told of."""
CLOSED = "The pull request was closed."
FIRST = "A first contribution: `/box review` by somebody with write access begins the review."
Ending = Literal["cancelled", "neutral", "action_required"]


async def take_up(desk: Desk, state: PullState, what: Look | Closed | Said) -> PullState:
    """The state after one intent. Raises GitHubError; doing it twice comes to the same."""
    if isinstance(what, Said):
        return await obey(desk, state, what)
    if isinstance(what, Closed):
        return await _closed(desk, state)
    return await look(desk, state, what)


async def look(desk: Desk, state: PullState, what: Look, wish: Wish = AS_WANTED, *, asked: bool = False) -> PullState:
    """Begin a round if one is due.

    Args:
        wish: how its review differs.
        asked: by somebody who may; nothing stands in the way then.
    """
    calls = await desk.app.of(state.pull, READING)
    pull = await calls.get(f"/pulls/{state.pull.number}")
    if pull.get("state") != "open":
        return stop(state, CLOSED)
    head_sha, base = str(pull["head"]["sha"]), pull["base"]
    if not what.again and _known(state, head_sha, str(base["ref"]), what):
        if what.head_sha not in ("", head_sha) and time.time() - what.at < LAG_S:
            raise Unavailable(f"GitHub tells of {what.head_sha[:12]} and does not show it yet")
        return state
    base = {**base, "sha": await tip_of(desk.app, state.pull, base)}
    pull = {**pull, "base": base}
    try:
        config = await read_repo_config(desk.app, state.pull, base, base["sha"])
    except ConfigInvalid as error:
        return _begun(state, new_round(state, pull, RepoConfig(), wish), words.broken_config(error), "action_required")
    if not asked and not _wanted(config, pull, what):
        return stop(state, "A newer commit was pushed, which nobody asked to review.") if what.why == "pushed" else state
    round_ = new_round(state, pull, config, wish)
    if not asked and config.github.strangers == "wait" and _stranger(state.pull, pull):
        return _begun(state, round_, FIRST, "action_required")
    log.info("round begins", head=head_sha[:12], why=what.why, review_id=round_.review_id, attempt=round_.attempt)
    return _begun(state, round_)


async def _closed(desk: Desk, state: PullState) -> PullState:
    """The state where a pull request was closed, and is so still: deliveries may come in another order."""
    pull = await (await desk.app.of(state.pull, READING)).get(f"/pulls/{state.pull.number}")
    if pull.get("state") == "open":
        return state
    await learning.look_at_comments(desk, state.pull, state.told)
    return stop(state, CLOSED)


def stop(state: PullState, why: str, ending: Ending = "cancelled") -> PullState:
    """All rounds that are under way come to their end."""
    for round_ in state.rounds:
        if round_.stage != "over" and not round_.ended:
            state = state.with_round(round_.model_copy(update={"ended": why, "conclusion": ending}))
    return state


def _known(state: PullState, head_sha: str, base_ref: str, what: Look) -> bool:
    """True if this commit is being reviewed or was, and nothing speaks for doing it again."""
    current = state.current
    if current is None or current.head_sha != head_sha or current.base_ref != base_ref:
        return False
    reopened = what.why in ("reopened", "ready", "labeled") and current.conclusion in ("cancelled", "action_required")
    return not reopened


def _wanted(config: RepoConfig, pull: Mapping[str, Any], what: Look) -> bool:
    """True if the repository wants a review of what happened without somebody asking."""
    if what.why == "rerequested":
        return True
    if what.why == "labeled":
        return bool(config.github.on_label) and what.label == config.github.on_label
    return config.github.automatic and (config.github.drafts or not pull.get("draft"))


def _stranger(ref: PullRef, pull: Mapping[str, Any]) -> bool:
    """True for somebody's first contribution, from a repository of his own."""
    source = pull["head"].get("repo")
    foreign = source is None or int(source["id"]) != ref.repo_id
    return foreign and pull.get("author_association") in STRANGERS


def new_round(state: PullState, pull: Mapping[str, Any], config: RepoConfig, wish: Wish) -> Round:
    """A round for the head of a pull request as GitHub has it now, its base's `sha` being the branch's tip."""
    head_sha = str(pull["head"]["sha"])
    attempts = [round_.attempt for round_ in state.rounds if round_.head_sha == head_sha]
    return Round(
        attempt=max(attempts, default=0) + 1,
        head_sha=head_sha,
        base_ref=str(pull["base"]["ref"]),
        base_sha=str(pull["base"]["sha"]),
        title=str(pull.get("title") or "")[:500],
        review_id=new_id(),
        wish=wish,
        began_at=time.time(),
        before=state.published,
        config=config,
    )


def _begun(state: PullState, round_: Round, ended: str = "", ending: Ending | Literal[""] = "") -> PullState:
    """The state with a new round; older ones that are under way give way to it."""
    state = stop(state, f"A newer round has taken its place, for {round_.head_sha[:12]}.")
    return state.with_round(round_.model_copy(update={"ended": ended, "conclusion": ending}))
