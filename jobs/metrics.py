"""What processes count. Each tells Redis every few seconds, where it adds up over processes and restarts; any bot shows all of it.

So there is one place to look at, whatever runs where, and no process needs a port for it. What a process counted in the seconds before
it was killed is lost.

Keys:
    box:metrics          hash: sample and labels (JSON) -> sum over all processes since the hash was begun
    box:metrics:about    hash: metric -> its kind and what it says (JSON)
    box:metrics:now      hash: `kind:machine:pid` of a process -> its last sign of life (Unix seconds) and its gauges (JSON)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping

from arq.connections import ArqRedis
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric
from redis.exceptions import RedisError

COUNTS, ABOUT, NOW = "box:metrics", "box:metrics:about", "box:metrics:now"
TELL_S = 5.0
STOP_S = 2.0
ALIVE_S = 30.0
"""A process that was silent for longer is gone."""
REGISTRY = CollectorRegistry()
"""Metrics that are told. Their labels are few and fixed: no repository, no tenant, nothing that somebody outside chooses."""

_SECONDS = (0.05, 0.25, 1, 5, 15, 60, 300, 900, 3600)
job_seconds = Histogram("box_review_job_seconds", "Time that jobs take, by what they do.", ["job"], registry=REGISTRY, buckets=_SECONDS)
job_wait = Histogram(
    "box_review_job_wait_seconds", "Time from queueing a job to its first start.", ["job"], registry=REGISTRY, buckets=_SECONDS
)
lost_leases = Counter("box_review_lost_leases", "Jobs that stopped because their lease was gone, by queue.", ["queue"], registry=REGISTRY)
lost_jobs = Counter("box_review_lost_jobs", "Jobs given up after too many starts, by queue.", ["queue"], registry=REGISTRY)
reviews = Counter("box_review_reviews", "Reviews that came to an end, by conclusion.", ["conclusion"], registry=REGISTRY)


class Teller:
    """Tells Redis what this process has counted since it last did. Args: a client; what the process is: bot, github or runner."""

    def __init__(self, redis: ArqRedis, kind: str) -> None:
        self._redis = redis
        self._who = f"{kind}:{socket.gethostname()}:{os.getpid()}"
        self._told: dict[str, float] = {}
        self._lock = asyncio.Lock()

    async def tell(self) -> None:
        """Do it now. Raises RedisError or OSError; the next time tells it then."""
        async with self._lock:
            families = list(REGISTRY.collect())
            counts = _samples([family for family in families if family.type != "gauge"])
            gauges = _samples([family for family in families if family.type == "gauge"])
            async with self._redis.pipeline(transaction=True) as pipe:
                for field, value in counts.items():
                    if self._told.get(field) != value:
                        pipe.hincrbyfloat(COUNTS, field, value - self._told.get(field, 0.0))
                if not self._told:
                    pipe.hset(ABOUT, mapping={family.name: json.dumps([family.type, family.documentation]) for family in families})
                pipe.hset(NOW, self._who, json.dumps([time.time(), gauges]))
                await pipe.execute()
            self._told = counts

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Do it now and then for as long as the context lasts, and once more at its end."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._keep_telling(stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait({task}, timeout=STOP_S)  # not cut short: what is told half-way would be counted twice
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep_telling(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(RedisError, OSError):  # whoever works with the queue says that it is away
                await self.tell()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TELL_S):
                    await stop.wait()
        with contextlib.suppress(RedisError, OSError):
            await self.tell()
            await self._redis.hdel(NOW, self._who)  # type: ignore[misc]


def field(name: str, labels: Mapping[str, str]) -> str:
    """A sample's name in Redis."""
    return json.dumps([name, dict(sorted(labels.items()))])


def _samples(families: list[Metric]) -> dict[str, float]:
    """What they stand at now; a gauge that knows nothing says NaN."""
    samples = [sample for family in families for sample in family.samples if not sample.name.endswith("_created")]
    return {field(sample.name, sample.labels): sample.value for sample in samples if not math.isnan(sample.value)}
