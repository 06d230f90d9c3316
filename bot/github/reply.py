"""Answers to what people say to us, each given once."""

from __future__ import annotations

from bot.github import marks
from bot.github.calls import Calls
from bot.github.decide import Said
from bot.github.desk import Desk
from bot.github.errors import Missing, Rejected
from bot.github.show import find_comment

COMMENT_LIMIT = 65_000


async def react(calls: Calls, said: Said, content: str) -> None:
    """Show that we have seen it; a reaction that is there stays one."""
    path = f"/{'pulls' if said.on_line else 'issues'}/comments/{said.comment_id}/reactions"
    try:
        await calls.again("POST", path, {"content": content})
    except (Missing, Rejected):  # the comment is gone
        return


async def answer(desk: Desk, calls: Calls, number: int, said: Said, text: str) -> None:
    """Say something to a comment, in its thread if it has one. Raises GitHubError."""
    mark = marks.reply(said.comment_id)
    body = f"{mark}\n{text}"[:COMMENT_LIMIT]
    if said.on_line and said.thread_id is not None:
        ours = f"{await desk.app.slug()}[bot]"
        comments = await calls.all(f"/pulls/{number}/comments")
        if not any(one["body"].startswith(mark) and (one.get("user") or {}).get("login") == ours for one in comments):
            await calls.create(f"/pulls/{number}/comments/{said.thread_id}/replies", {"body": body})
    elif await find_comment(desk, calls, number, mark) is None:
        await calls.create(f"/issues/{number}/comments", {"body": f"{mark}\n@{said.author} {text}"[:COMMENT_LIMIT]})
