"""Reviewers that fail, hang or lie: the review says so and never hides it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from arq.connections import ArqRedis
from box_review import ReviewRecord, ReviewRequest, RoleReport, RoleStatus
from box_review.jobs import ACTIVE, review_key, role_field
from box_review.source import find_change, pack

from runner.harness.contract import Assignment, Harness
from runner.host import open_host
from runner.result import RoleResult
from runner.settings import RunnerSettings
from runner.work import working
from tests.conftest import Valkey
from tests.repositories import BAD, Repository

REVIEW = "rv-0000000000000001"


class Scripted(Harness):
    """Does by role what a test wants to see."""

    name = "scripted"

    def roles(self) -> tuple[str, ...]:
        return ("fine", "crashes", "hangs", "lies")

    async def review(self, assignment: Assignment) -> RoleResult:
        match assignment.role:
            case "crashes":
                raise RuntimeError("a bug of ours")
            case "hangs":
                await asyncio.sleep(60)
            case "lies":
                return RoleResult(role="security")
        return RoleResult(role=assignment.role)


async def reviewed(
    valkey: Valkey,
    redis: ArqRedis,
    data: Path,
    repository: Repository,
    roles: tuple[str, ...],
    *,
    harness: str = "scripted",
    timeout_s: float = 20,
) -> ReviewRecord:
    settings = RunnerSettings(redis_url=valkey.url, box_data_dir=data)
    (data / "artifacts/sources").mkdir(parents=True)
    change = find_change(repository.path)
    with pack(change) as source:
        (data / "artifacts/sources" / source.sha256).write_bytes(source.archive.read_bytes())
        request = ReviewRequest(
            repository="x", source=source.sha256, base_sha=change.base_sha, head_sha=change.head_sha,
            roles=roles, harness=harness, timeout_s=timeout_s,
        )  # fmt: skip
    now = time.time()
    fields = {"request": request.model_dump_json(), "status": "queued", "created_at": now, "deadline_at": now + timeout_s}
    queued = {role_field(role): RoleReport(role=role, status=RoleStatus.QUEUED).model_dump_json() for role in roles}
    # No jobs: this is what a bot leaves that dies after writing the review. The runner's repair takes it up.
    await redis.hset(review_key(REVIEW), mapping={**fields, **queued})  # type: ignore[misc]
    await redis.zadd(ACTIVE, {REVIEW: now})
    async with open_host(settings, redis, {"scripted": Scripted()}) as host, working(host, redis), asyncio.timeout(40):
        while not (raw := await redis.hget(review_key(REVIEW), "record")):  # type: ignore[misc]  # noqa: ASYNC110 - Redis is what is waited for
            await asyncio.sleep(0.02)
        assert {box.state.value for box in host.driver.boxes()} <= {"paused"}
    return ReviewRecord.model_validate_json(raw)


async def test_reviewers_that_fail_are_named_and_the_review_is_partial(
    valkey: Valkey, redis: ArqRedis, data_dir: Path, repository: Callable[..., Repository]
) -> None:
    made = repository({"x": "1"}, {"a.py": BAD})
    record = await reviewed(valkey, redis, data_dir / "d", made, ("fine", "crashes", "hangs", "lies"), timeout_s=8)
    assert (record.status, record.conclusion) == ("partial", "neutral")
    assert {report.role: report.status.value for report in record.roles} == {
        "fine": "completed", "crashes": "failed", "hangs": "timed_out", "lies": "failed",
    }  # fmt: skip
    said = " ".join(record.not_covered)
    assert all(
        word in said for word in ("crashes was not reviewed", "hangs was not reviewed", "no result within 8 s", "lies was not reviewed")
    )
    assert all(report.box is not None for report in record.roles)


async def test_review_without_any_result_is_never_a_success(
    valkey: Valkey, redis: ArqRedis, data_dir: Path, repository: Callable[..., Repository]
) -> None:
    record = await reviewed(valkey, redis, data_dir / "d", repository({"x": "1"}, {"a.py": BAD}), ("crashes",))
    assert (record.status, record.conclusion) == ("failed", "neutral")


async def test_unknown_harness_on_the_host_fails_the_role_in_words(
    valkey: Valkey, redis: ArqRedis, data_dir: Path, repository: Callable[..., Repository]
) -> None:
    record = await reviewed(valkey, redis, data_dir / "d", repository({"x": "1"}, {"a.py": BAD}), ("fine",), harness="gone")
    assert "no harness 'gone'" in (record.roles[0].error or "")


async def test_analyzers_alone_are_no_green_check(
    valkey: Valkey, redis: ArqRedis, data_dir: Path, repository: Callable[..., Repository]
) -> None:
    record = await reviewed(valkey, redis, data_dir / "d", repository({"x": "1"}, {"a.py": "x = 1\n"}), ("security",), harness="static")
    assert (record.status, record.conclusion, record.findings) == ("completed", "neutral", ())
    assert "no model was asked" in record.summary
