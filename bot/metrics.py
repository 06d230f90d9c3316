"""`GET /metrics` for Prometheus: what all processes have counted, and what stands in Redis now. It names nobody and nothing reviewed."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from arq.connections import ArqRedis
from box_review import __version__
from box_review.jobs import ACTIVE, HOSTS, RUNNER, HostReport
from fastapi import APIRouter, Header, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from pydantic import SecretStr
from redis.exceptions import RedisError

from bot.errors import Refused
from bot.github.state import GITHUB, OPEN, SLOW
from bot.reviews import HOST_ALIVE_S
from jobs.metrics import ABOUT, ALIVE_S, COUNTS, NOW, Teller

READ_S = 3.0
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Metrics:
    """What is shown, and to whom: with a token, only to who knows it."""

    redis: ArqRedis
    teller: Teller
    token: SecretStr | None

    async def text(self) -> bytes:
        """All of it, in Prometheus' format. Raises RedisError, OSError."""
        await self.teller.tell()
        async with self.redis.pipeline(transaction=False) as pipe:
            for key in (ABOUT, COUNTS, NOW):
                pipe.hgetall(key)
            pipe.hvals(HOSTS)
            for key in (RUNNER.name, GITHUB.name, SLOW.name, OPEN, ACTIVE):
                pipe.zcard(key)
            about, counts, now, hosts, *lengths = await pipe.execute()
        alive = {who.decode(): json.loads(said) for who, said in now.items()}
        if gone := [who for who, (seen_at, _) in alive.items() if time.time() - seen_at > ALIVE_S]:
            await self.redis.hdel(NOW, *gone)  # type: ignore[misc]
        present = {who: gauges for who, (_, gauges) in alive.items() if who not in gone}
        least: dict[str, float] = {}
        for gauges in present.values():
            for name, value in gauges.items():
                least[name] = min(value, least.get(name, value))
        told = [*least.items(), *((name.decode(), float(value)) for name, value in counts.items())]
        kinds = {name.decode(): json.loads(said) for name, said in about.items()}
        reports = [HostReport.model_validate_json(report) for report in hosts]
        families = [*_standing(present, [one for one in reports if time.time() - one.seen_at < HOST_ALIVE_S], lengths)]
        return generate_latest(_Known([*families, *_counted(kinds, told)]))


@router.get("/metrics")
async def show(request: Request, authorization: Annotated[str, Header()] = "") -> Response:
    """The metrics, 503 while the queue is away."""
    metrics: Metrics = request.app.state.metrics
    wanted = f"Bearer {metrics.token.get_secret_value()}" if metrics.token else ""
    if wanted and not hmac.compare_digest(wanted.encode(), authorization.encode("utf-8", "replace")):
        raise Refused("metrics are shown to who sends BOX_METRICS_TOKEN as `Authorization: Bearer …`", 401)
    try:
        async with asyncio.timeout(READ_S):
            return Response(await metrics.text(), media_type=CONTENT_TYPE_LATEST)
    except (RedisError, OSError, TimeoutError) as error:
        raise Refused("the queue cannot be reached, where the metrics are", 503) from error


def _standing(present: Iterable[str], hosts: list[HostReport], lengths: list[int]) -> Iterator[Metric]:
    """What is so at this moment."""
    runner, github, slow, open_pulls, active = lengths
    yield InfoMetricFamily("box_review", "Version of the bot that answers.", value={"version": __version__})
    queued = GaugeMetricFamily("box_review_queue_jobs", "Jobs on a queue, those that run included.", labels=["queue"])
    queued.add_metric(["runner"], runner)
    queued.add_metric(["github"], github)
    queued.add_metric(["github:slow"], slow)
    yield queued
    processes = GaugeMetricFamily("box_review_processes", "Processes that gave a sign of life, by kind.", labels=["kind"])
    for kind, count in Counter(who.partition(":")[0] for who in present).items():
        processes.add_metric([kind], count)
    yield processes
    yield GaugeMetricFamily("box_review_open_pulls", "Pull requests with something left to do.", value=open_pulls)
    yield GaugeMetricFamily("box_review_active_reviews", "Reviews without a verdict.", value=active)
    yield GaugeMetricFamily("box_review_hosts", "Runner hosts that are up.", value=len(hosts))
    capacity, held = sum(host.capacity for host in hosts), sum(host.held for host in hosts)
    yield GaugeMetricFamily("box_review_host_capacity", "Reviewers that all hosts work with at the same time.", value=capacity)
    yield GaugeMetricFamily("box_review_boxes", "Boxes that all hosts hold, frozen ones included.", value=held)


def _counted(kinds: dict[str, list[str]], told: Iterable[tuple[str, float]]) -> Iterator[Metric]:
    """What processes have told, put together to metrics again."""
    samples: list[tuple[str, dict[str, str], float]] = [(*json.loads(name), value) for name, value in told]
    for name, (kind, says) in sorted(kinds.items()):
        family = Metric(name, says, kind)
        for part, labels, value in sorted((one for one in samples if _family(one[0], kind) == name), key=_order):
            family.add_sample(part, labels, value)
        yield family


def _family(sample: str, kind: str) -> str:
    """The metric that a sample belongs to."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(kind, ())
    return next((sample.removesuffix(ending) for ending in endings if sample.endswith(ending)), sample)


def _order(sample: tuple[str, dict[str, str], float]) -> tuple[Any, ...]:
    """Series after series, and a histogram's buckets by size."""
    name, labels, _ = sample
    return (sorted(item for item in labels.items() if item[0] != "le"), name, float(labels.get("le", 0)))


class _Known(Collector):
    """Metrics that are there already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)
