"""`/metrics`: what all processes counted, in one place, for whoever may see it; it names nobody and costs next to nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from arq.connections import ArqRedis
from box_review.jobs import ACTIVE, HOSTS, RUNNER, HostReport
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from bot.app import create_app
from bot.github import metrics as of_github
from bot.settings import BotSettings
from jobs import metrics
from jobs.metrics import Teller
from tests.conftest import Valkey
from tests.server import Server

TOKEN = "a token of at least sixteen"


@contextlib.asynccontextmanager
async def front(valkey: Valkey, data_dir: Path, token: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """A bot that runs while the context lasts."""
    secret = SecretStr(token) if token else None
    settings = BotSettings(redis_url=valkey.url, box_data_dir=data_dir, box_audit_log="off", box_metrics_token=secret)
    app = create_app(settings)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot") as client:
        yield client


def read(text: str) -> dict[tuple[str, str], float]:
    """Samples by name and labels, as Prometheus reads them."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, ",".join(sample.labels[name] for name in sorted(sample.labels))): sample.value for sample in samples}


async def shown(client: httpx.AsyncClient) -> dict[tuple[str, str], float]:
    """What a bot shows now."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return read(answer.text)


async def test_two_processes_add_up_and_outlive_themselves(valkey: Valkey, redis: ArqRedis, data_dir: Path) -> None:
    one, other = Teller(redis, "runner"), Teller(redis, "github")
    await one.tell()
    async with front(valkey, data_dir) as client:
        before = (await shown(client)).get(("box_review_reviews_total", "success"), 0)
        metrics.reviews.labels("success").inc(2)
        for teller in (one, one, other):  # the other is as another process: it has told nothing yet
            await teller.tell()
        after = await shown(client)
    own = metrics.reviews.labels("success")._value.get()
    told = 3 * own  # by `one`, `other` and the bot, which all count the same here
    assert after["box_review_reviews_total", "success"] == told
    assert before < told
    async with front(valkey, data_dir) as client:
        again = await shown(client)
    assert again["box_review_reviews_total", "success"] == told + own  # of a new process, as it seems


async def test_what_stands_in_redis_is_shown(valkey: Valkey, redis: ArqRedis, data_dir: Path) -> None:
    await redis.zadd(RUNNER.name, {"review:rv-a:security": 1, "review:rv-a:quality": 1})
    await redis.zadd("box:github", {"github:tend:1": 1})
    await redis.zadd("box:github:open", {"1:1": 1, "1:2": 1, "2:1": 1})
    await redis.zadd(ACTIVE, {"rv-a": 1})
    for ident, seen_at in (("h1", time.time()), ("h2", time.time()), ("gone", time.time() - 100)):
        report = HostReport(
            id=ident, version="1", capacity=4, drivers=(), harnesses=(), roles=(), held=3, seen_at=seen_at,
        )  # fmt: skip
        await redis.hset(HOSTS, ident, report.model_dump_json())  # type: ignore[misc]
    await redis.hset(metrics.NOW, "runner:gone:7", json.dumps([time.time() - 100, {}]))  # type: ignore[misc]
    async with front(valkey, data_dir) as client:
        found = await shown(client)
        assert b"runner:gone:7" not in await redis.hkeys(metrics.NOW)  # type: ignore[misc]
    assert found["box_review_queue_jobs", "runner"] == 2
    assert found["box_review_queue_jobs", "github"] == 1
    assert (found["box_review_open_pulls", ""], found["box_review_active_reviews", ""]) == (3, 1)
    assert (found["box_review_hosts", ""], found["box_review_host_capacity", ""], found["box_review_boxes", ""]) == (2, 8, 6)
    assert found["box_review_processes", "bot"] == 1
    assert ("box_review_processes", "runner") not in found


async def test_fewest_calls_left_of_all_installations_and_processes_are_shown(valkey: Valkey, redis: ArqRedis, data_dir: Path) -> None:
    much, little, past = Installation(), Installation(), Installation()
    for whose, count, ends_in in ((much, 4000, 60), (little, 12, 60), (past, 1, -60)):
        headers = {"x-ratelimit-remaining": str(count), "x-ratelimit-reset": str(int(time.time()) + ends_in)}
        of_github.note_left(whose, headers)
    of_github.note_left(little, {"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1", "x-ratelimit-resource": "search"})
    elsewhere = json.dumps([time.time(), {metrics.field("box_review_github_calls_left", {}): 40.0}])
    await redis.hset(metrics.NOW, "github:elsewhere:1", elsewhere)  # type: ignore[misc]
    async with front(valkey, data_dir) as client:
        assert (await shown(client))["box_review_github_calls_left", ""] == 12
        of_github.note_left(little, {"x-ratelimit-remaining": "5000", "x-ratelimit-reset": str(int(time.time()) + 60)})
        assert (await shown(client))["box_review_github_calls_left", ""] == 40


class Installation:
    """What limits are remembered by."""


async def test_with_a_token_only_who_knows_it_sees_them(valkey: Valkey, data_dir: Path) -> None:
    async with front(valkey, data_dir, TOKEN) as client:
        for said in ({}, {"authorization": TOKEN}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
            answer = await client.get("/metrics", headers=said)
            assert (answer.status_code, "box_review_" in answer.text) == (401, False)
        assert (await client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})).status_code == 200


async def test_queue_that_is_away_is_a_503_and_not_a_number(valkey: Valkey, data_dir: Path) -> None:
    async with front(valkey, data_dir) as client:
        await shown(client)
        valkey.stop()
        began = time.monotonic()
        assert (await client.get("/metrics")).status_code == 503
        assert time.monotonic() - began < 5
        metrics.reviews.labels("failure").inc()
        valkey.start()
        assert (await shown(client))["box_review_reviews_total", "failure"] >= 1  # nothing was lost


async def test_scrape_of_a_thousand_reviews_takes_milliseconds(valkey: Valkey, redis: ArqRedis, data_dir: Path) -> None:
    async with redis.pipeline() as pipe:
        for number in range(1000):
            pipe.zadd(ACTIVE, {f"rv-{number}": number})
            pipe.zadd(RUNNER.name, {f"review:rv-{number}:security": number})
            pipe.hset(f"box:review:rv-{number}", mapping={"request": "x" * 2000, "status": "running"})
        await pipe.execute()
    for event in ("pull_request", "issue_comment", "check_run", "check_suite", "ping", "installation", "other"):
        for outcome in ("accepted", "known", "ignored", "refused"):
            of_github.deliveries.labels(event, outcome).inc(0)
    for job in ("tend", "prepare", "ask", "uninstalled", "review_role", "judge"):
        metrics.job_seconds.labels(job).observe(1)
        metrics.job_wait.labels(job).observe(1)
    took = []
    async with front(valkey, data_dir) as client:
        for _ in range(20):
            began = time.perf_counter()
            await client.get("/metrics")
            took.append(time.perf_counter() - began)
    assert statistics.median(took) < 0.020


async def test_server_shows_its_processes_and_names_nothing(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        async with asyncio.timeout(20):
            while True:
                text = (await client.get("/metrics")).text
                found = read(text)
                if {kind for name, kind in found if name == "box_review_processes"} == {"bot", "runner"}:
                    break
                await asyncio.sleep(0.2)
    assert found["box_review_hosts", ""] == 1
    labels = {name for family in text_string_to_metric_families(text) for sample in family.samples for name in sample.labels}
    assert labels <= {"queue", "kind", "job", "le", "event", "outcome", "method", "status", "conclusion", "version"}
