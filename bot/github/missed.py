"""Deliveries that did not reach us: GitHub keeps a list of them and does not try again by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from bot.errors import Refused
from bot.github.desk import Desk
from bot.github.errors import GitHubError
from bot.github.events import KNOWN
from bot.github.webhook import take

log = structlog.get_logger()

BACK = timedelta(hours=12)
PAGE = 100
TURN_KEY = "box:github:missed"
TURN_S = 240


async def catch_up(desk: Desk) -> None:
    """Take up what failed to be delivered within the last hours; one worker of all does it at a time."""
    if not await desk.pulls.redis.set(TURN_KEY, "1", nx=True, ex=TURN_S):
        return
    try:
        deliveries = await desk.app.own.get("/app/hook/deliveries", per_page=PAGE)
        delivered = {str(one["guid"]) for one in deliveries if 200 <= int(one["status_code"]) < 300}
        for one in reversed(deliveries):  # the oldest first
            if one["guid"] not in delivered and one["event"] in KNOWN and _recent(str(one["delivered_at"])):
                await _take(desk, one)
                delivered.add(str(one["guid"]))
    except GitHubError as error:
        log.warning("missed deliveries could not be looked for", reason=str(error))


async def _take(desk: Desk, one: Any) -> None:
    guid = str(one["guid"])
    if await desk.pulls.seen(guid):
        return
    whole = await desk.app.own.get(f"/app/hook/deliveries/{one['id']}")
    payload = whole["request"]["payload"]
    body = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
    try:
        with structlog.contextvars.bound_contextvars(delivery=guid):
            await take(desk.pulls, desk.app.credentials, str(one["event"]), guid, body)
    except Refused as error:
        log.warning("a missed delivery cannot be read", delivery=guid, reason=str(error))
        return
    log.info("a missed delivery is taken up", delivery=guid, event_name=one["event"])


def _recent(when: str) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(when) < BACK
