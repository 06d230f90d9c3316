"""The job that asks a reviewer's agent in its box, which wakes for that, and answers on the pull request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import structlog
from box_review.review import REPOSITORY
from box_review.sanitize import for_markdown

from bot.errors import Refused
from bot.fleet import CONNECT_S
from bot.github import reply
from bot.github.calls import WRITING
from bot.github.desk import Desk
from bot.github.errors import Unavailable
from bot.github.jobs import AskJob

log = structlog.get_logger()

PATIENCE_S = (2.0, 10.0, 30.0, 60.0, 120.0)
SILENCE_S = 60.0
"""The host sends a sign of life every 15 s."""


async def ask(desk: Desk, job: AskJob) -> None:
    """Ask, and say what came of it; safe to run twice, though the agent is then asked twice."""
    try:
        text = await _answer(desk, job)
        said = f"**{job.role}**: {for_markdown(text, multiline=True)}" if text.strip() else f"{job.role} gave no answer."
    except (Refused, httpx.HTTPError, ValueError) as error:
        log.warning("a question got no answer", review_id=job.review_id, role=job.role, reason=str(error))
        said = f"{job.role} could not be asked: {for_markdown(str(error) or type(error).__name__)}"
    await _tell(desk, job, said)


async def _tell(desk: Desk, job: AskJob, said: str) -> None:
    """Post the answer: it has cost a model's time, so GitHub is given some to take it. Raises GitHubError."""
    for pause_s in PATIENCE_S:
        try:
            calls = await desk.app.of(job.pull, WRITING)
            return await reply.answer(desk, calls, job.pull.number, job.said, said)
        except Unavailable as error:
            await asyncio.sleep(max(pause_s, error.after_s))
    return await reply.answer(desk, await desk.app.of(job.pull, WRITING), job.pull.number, job.said, said)


async def _answer(desk: Desk, job: AskJob) -> str:
    async for kind, data in _events(desk, job):
        if kind == "done":
            return str(data.get("output", ""))
        if kind == "error":
            raise Refused(str(data.get("error", "the agent failed")), 502)
    raise Refused("the agent's answer ended early", 502)


async def _events(desk: Desk, job: AskJob) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """What the agent says, as it comes, from the host that holds the box."""
    name = f"{job.review_id}-{job.role}"
    place = await desk.fleet.of_box(desk.tenant, name)
    headers = [("x-box-tenant", desk.tenant), *desk.fleet.shown(place)]
    url = f"{place.url}/v2/box/{quote(name, safe='')}/run/stream"
    timeout = httpx.Timeout(CONNECT_S, read=SILENCE_S)
    body = {"prompt": job.text, "folder": REPOSITORY}
    async with desk.fleet.client(place).stream("POST", url, json=body, headers=headers, timeout=timeout) as answer:
        if answer.is_error:
            raise Refused(str(json.loads(await answer.aread()).get("error", answer.status_code)), answer.status_code)
        kind = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: "):
                yield kind, json.loads(line[6:])
