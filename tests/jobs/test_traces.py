"""Traces go with jobs from one process to the next; where none are wanted, nothing of OpenTelemetry is loaded."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.worker import func
from box_review.finding import ContractModel

from jobs import traces
from jobs.lease import LeaseWorker, Terms, end
from jobs.queue import Queue, enqueue
from tests.conftest import Valkey

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is not installed")

QUEUE = Queue("test:traces")


class Nothing(ContractModel):
    """A payload."""


@pytest.fixture
def spans() -> Iterator[Any]:
    """Where this process's spans go."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces.use(provider)
    yield exporter
    traces.use(None)


@contextlib.asynccontextmanager
async def working(valkey: Valkey, redis: ArqRedis, work: Any) -> AsyncIterator[None]:
    """A worker whose job is `work`."""
    terms, lost = Terms("here", 4, 5.0), asyncio.Event()

    async def on_lost(_: str) -> None:
        lost.set()

    worker = LeaseWorker([func(work, name="work")], queue=QUEUE, redis=redis, redis_url=valkey.url, terms=terms, on_lost=on_lost)
    main = asyncio.create_task(worker.main())
    try:
        yield
    finally:
        await worker.stop(main)
        await end(main)


async def test_job_is_done_within_the_trace_that_queued_it(valkey: Valkey, redis: ArqRedis, spans: Any) -> None:
    done = asyncio.Event()

    async def work(_: dict[str, Any], payload: dict[str, Any]) -> None:
        assert Nothing.model_validate(payload) == Nothing()
        with traces.span("inside", box_id="b1"):
            done.set()

    async with working(valkey, redis, work):
        with traces.span("delivery", delivery="a-b-c"):
            await enqueue(redis, QUEUE, "work", Nothing(), "job-1")
        async with asyncio.timeout(10):
            await done.wait()
    found = {span.name: span for span in spans.get_finished_spans()}
    assert len({span.context.trace_id for span in found.values()}) == 1
    assert found["job work"].parent.span_id == found["delivery"].context.span_id
    assert found["inside"].parent.span_id == found["job work"].context.span_id
    assert dict(found["job work"].attributes) == {"job_id": "job-1"}


def test_text_of_an_exception_does_not_get_into_a_trace(spans: Any) -> None:
    with contextlib.suppress(ValueError), traces.span("work"):
        raise ValueError("ghs_secret")
    (span,) = spans.get_finished_spans()
    assert (span.status.description, span.events) == ("ValueError", ())
    assert "ghs_secret" not in span.to_json()


async def test_without_tracing_payloads_are_as_they_were(redis: ArqRedis) -> None:
    with traces.span("delivery"):
        assert traces.current() == ""
        await enqueue(redis, QUEUE, "work", Nothing(), "job-2")
    assert b"traceparent" not in (await redis.get("arq:job:job-2") or b"")


@pytest.mark.parametrize("module", ["jobs.lease", "jobs.queue", "bot.github.state"])
def test_nothing_of_opentelemetry_is_loaded_where_it_is_not_wanted(module: str) -> None:
    code = f"import sys, {module}; from jobs import traces; traces.configure('', 'bot')\nwith traces.span('x'): traces.current()\n"
    code += "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_missing_extra_is_said_and_stops_nothing() -> None:
    code = "import sys; sys.modules['opentelemetry.sdk'] = None\nfrom jobs import traces; traces.configure('http://127.0.0.1:1', 'bot')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "install box-review[otel]" in done.stdout + done.stderr
