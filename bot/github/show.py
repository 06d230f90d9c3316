"""The check run and the sticky comment of a pull request: found by name or mark, made once, then only changed."""

from __future__ import annotations

from typing import Any

from bot.github import marks
from bot.github.calls import Calls
from bot.github.desk import Desk
from bot.github.errors import Missing
from bot.github.state import PullState, Round

CHECK = "box-review"


async def put_sticky(desk: Desk, calls: Calls, state: PullState, body: str) -> PullState:
    """Our one comment says this now; returns the state that knows its id. Raises GitHubError."""
    ident = state.sticky_id
    if ident is None:
        ident = await find_comment(desk, calls, state.pull.number, marks.STICKY)
    if ident is not None:
        try:
            await calls.change(f"/issues/comments/{ident}", {"body": body})
            return state.model_copy(update={"sticky_id": ident})
        except Missing:  # somebody has deleted it
            state = state.model_copy(update={"sticky_id": None})
    made = await calls.create(f"/issues/{state.pull.number}/comments", {"body": body})
    return state.model_copy(update={"sticky_id": int(made["id"])})


async def find_comment(desk: Desk, calls: Calls, number: int, mark: str) -> int | None:
    """A comment of ours that has a mark; None if there is none."""
    ours = f"{await desk.app.slug()}[bot]"
    for comment in await calls.all(f"/issues/{number}/comments"):
        if mark in (comment.get("body") or "") and (comment.get("user") or {}).get("login") == ours:
            return int(comment["id"])
    return None


async def put_check(desk: Desk, calls: Calls, state: PullState, round_: Round) -> Round:
    """A check run for a round, under way; returns the round that knows its id. Raises GitHubError."""
    if round_.check_run_id is not None:
        return round_
    name = round_.external_id(state.pull)
    runs = await calls.all(f"/commits/{round_.head_sha}/check-runs", "check_runs", check_name=CHECK, filter="all")
    found = next((run for run in runs if run.get("external_id") == name), None)
    if found is None:
        found = await calls.create("/check-runs", _check(desk, round_, name))
    return round_.model_copy(update={"check_run_id": int(found["id"])})


async def end_check(calls: Calls, round_: Round, title: str) -> None:
    """A round without a verdict: its check says why. Raises GitHubError."""
    output = {"title": title[:250], "summary": round_.ended[:60_000]}
    body = {"status": "completed", "conclusion": round_.conclusion or "neutral", "output": output}
    await calls.change(f"/check-runs/{round_.check_run_id}", body)


def _check(desk: Desk, round_: Round, name: str) -> dict[str, Any]:
    link = desk.link(round_.review_id)
    return {
        "name": CHECK,
        "head_sha": round_.head_sha,
        "external_id": name,
        "status": "in_progress",
        "output": {"title": "Reviewing", "summary": "Each reviewer works in a box of its own; a jury checks what they find."},
        **({"details_url": link} if link else {}),
    }
