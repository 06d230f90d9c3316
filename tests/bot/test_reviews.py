"""Reviews that nobody works on any more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from box_review import ReviewRequest, ReviewStatus, RoleReport, RoleStatus
from box_review.jobs import ACTIVE, review_key, role_field

import bot.reviews
from bot.reviews import GIVEN_UP_S, Reviews
from bot.sources import Sources

REVIEW = "rv-0000000000000001"


async def test_wait_for_a_review_whose_last_host_is_gone_comes_to_an_end(
    redis: ArqRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.reviews, "STREAM_WAIT_S", 0.05)
    request = ReviewRequest(repository="x", source="0" * 64, base_sha="1" * 40, head_sha="2" * 40, roles=("security",), timeout_s=1)
    past = time.time() - GIVEN_UP_S - 10
    fields = {"request": request.model_dump_json(), "status": "running", "created_at": past, "deadline_at": past + 1}
    report = RoleReport(role="security", status=RoleStatus.RUNNING)
    await redis.hset(review_key(REVIEW), mapping={**fields, role_field("security"): report.model_dump_json()})  # type: ignore[misc]
    await redis.zadd(ACTIVE, {REVIEW: past})
    reviews = Reviews(redis, Sources(str(tmp_path), 1), str(tmp_path))
    events = [event async for event in reviews.events(REVIEW, "0") if event is not None]
    assert '"status":"timed_out"' in events[-1][1]
    record = await reviews.record(REVIEW)
    assert record.status is ReviewStatus.TIMED_OUT
    assert "no runner host" in record.summary
    assert await redis.zcard(ACTIVE) == 0
