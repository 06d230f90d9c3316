"""Deliveries that did not reach us: GitHub keeps a list of them and does not try again by itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
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
TURN_KEY = "box:github:missed"
TURN_S = 45


async def catch_up(desk: Desk) -> None:
    """Take up what failed to be delivered within the last hours; one worker of all does it at a time."""
    if not await desk.pulls.redis.set(TURN_KEY, "1", nx=True, ex=TURN_S):
        return
    try:
        failed = [one async for one in _failed(desk)]
    except GitHubError as error:
        log.warning("missed deliveries could not be looked for", reason=str(error))
        return
    for one in reversed(failed):  # the oldest first
        try:
            await _take(desk, one)
        except GitHubError as error:  # the others may be had
            log.warning("a missed delivery could not be had", delivery=str(one["guid"]), reason=str(error))


async def _failed(desk: Desk) -> AsyncIterator[Any]:
    """What GitHub could not deliver, the newest first."""
    async for page in desk.app.own.pages("/app/hook/deliveries", status="failure"):
        for one in page:
            if not _recent(str(one["delivered_at"])):
                return
            if one["event"] in KNOWN and not 200 <= int(one["status_code"] or 0) < 300:
                yield one


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
        log.warning("a missed delivery is refused", delivery=guid, reason=str(error))
        if error.status_code == 503:
            return  # until there is room
    await desk.pulls.once(guid)  # also one that asks for nothing
    log.info("a missed delivery is taken up", delivery=guid, event_name=one["event"])


def _recent(when: str) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(when) < BACK
