"""The check run and the sticky comment of a pull request: found by name or mark, made once, then only changed."""

from __future__ import annotations

from typing import Any

import structlog
from box_review.sanitize import for_markdown

from bot.github import marks
from bot.github.calls import Calls
from bot.github.desk import Desk
from bot.github.errors import LASTING, GitHubError, Missing
from bot.github.state import PullState, Round

log = structlog.get_logger()

CHECK = "box-review"
REFUSED = "GitHub did not take "


def refused(part: str, error: GitHubError) -> str:
    """The sentence that tells what GitHub did not let us do, and why."""
    log.warning("GitHub refused a part for good; the rest goes on", part=part, reason=str(error))
    return f"{REFUSED}{part}: {for_markdown(str(error))}"


async def put_sticky(desk: Desk, calls: Calls, state: PullState, body: str) -> PullState:
    """Our one comment says this now; returns the state that knows its id. Raises GitHubError."""
    if state.sticky_id is not None:
        try:
            await calls.change(f"/issues/comments/{state.sticky_id}", {"body": body})
        except Missing:  # somebody has deleted it
            state = state.model_copy(update={"sticky_id": None})
        else:
            return state
    ident = await find_comment(desk, calls, state.pull.number, marks.STICKY)
    if ident is None:
        ident = int((await calls.create(f"/issues/{state.pull.number}/comments", {"body": body}))["id"])
    else:
        await calls.change(f"/issues/comments/{ident}", {"body": body})
    return state.model_copy(update={"sticky_id": ident})


async def find_comment(desk: Desk, calls: Calls, number: int, mark: str) -> int | None:
    """A comment of ours that begins with a mark: behind that stand words of others. None if there is none."""
    ours = f"{await desk.app.slug()}[bot]"
    for comment in await calls.all(f"/issues/{number}/comments"):
        if (comment.get("body") or "").startswith(mark) and (comment.get("user") or {}).get("login") == ours:
            return int(comment["id"])
    return None


async def put_check(desk: Desk, calls: Calls, state: PullState, round_: Round) -> Round:
    """A check run for a round, under way; returns the round that knows its id, or says why there is none. Raises Unavailable."""
    if round_.check_run_id is not None:
        return round_
    try:
        path = f"/commits/{round_.head_sha}/check-runs"
        runs = await calls.all(path, "check_runs", check_name=CHECK, filter="all")
        ours = {run.get("external_id"): run for run in runs if (run.get("app") or {}).get("id") == desk.app.credentials.app_id}
        # One that is over is an earlier round's, which came back to this head.
        while (found := ours.get(round_.external_id(state.pull))) is not None and found.get("status") == "completed":
            round_ = round_.model_copy(update={"attempt": round_.attempt + 1})
        if found is None:
            found = await calls.create("/check-runs", _check(desk, round_, round_.external_id(state.pull)))
    except LASTING as error:
        note = refused("a check", error)
        return round_.model_copy(update={"notes": tuple(dict.fromkeys((*round_.notes, note)))})
    return round_.model_copy(update={"check_run_id": int(found["id"])})


async def end_check(desk: Desk, calls: Calls, round_: Round, title: str) -> None:
    """A round without a verdict: its check, if it has one, says why. Raises GitHubError."""
    if round_.check_run_id is None:
        return
    output = {"title": title[:250], "summary": round_.ended[:60_000]}
    body = {"status": "completed", "conclusion": round_.conclusion or "neutral", "output": output, **details(desk, round_)}
    await calls.change(f"/check-runs/{round_.check_run_id}", body)


def details(desk: Desk, round_: Round) -> dict[str, str]:
    """Where a check leads, as part of it."""
    link = desk.link(round_.review_id)
    return {"details_url": link} if link else {}


def _check(desk: Desk, round_: Round, name: str) -> dict[str, Any]:
    return {
        "name": CHECK,
        "head_sha": round_.head_sha,
        "external_id": name,
        "status": "in_progress",
        "output": {"title": "Reviewing", "summary": "Each reviewer works in a box of its own; a jury checks what they find."},
        **details(desk, round_),
    }
