"""Traces, where OTEL_EXPORTER_OTLP_ENDPOINT says where they go (extra `box-review[otel]`); elsewhere nothing is loaded, nothing happens.

A trace begins with a delivery or with what asks for a review, and goes on in every job that is queued within it: its payload carries
the trace as `traceparent` (W3C). So does a review's hash, for what comes after the verdict.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider

log = structlog.get_logger()

FIELD = "traceparent"
_tracer: Tracer | None = None


def configure(endpoint: str, process: str) -> None:
    """Send traces of this process to an OTLP endpoint; the exporter's other settings are OpenTelemetry's own variables."""
    if not endpoint:
        return
    try:
        from jobs.otlp import sender  # noqa: PLC0415
    except ImportError as error:
        log.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set, but no traces are sent: install box-review[otel]", missing=error.name)
        return
    use(sender(process))


def use(provider: TracerProvider | None) -> None:
    """Make spans of this process with a provider, which stays ours alone: no library begins to trace because of it. None: no more."""
    global _tracer  # noqa: PLW0603 - a process traces or does not
    _tracer = None if provider is None else provider.get_tracer("box-review")


@contextlib.contextmanager
def span(name: str, parent: str = "", **about: str | int) -> Iterator[None]:
    """A span around what happens in the context, below `parent` (a traceparent) or the current one."""
    if _tracer is None:
        yield
        return
    from opentelemetry.trace import StatusCode  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    context = TraceContextTextMapPropagator().extract({FIELD: parent}) if parent else None
    with _tracer.start_as_current_span(name, context, attributes=about, record_exception=False, set_status_on_exception=False) as current:
        try:
            yield
        except BaseException as error:
            current.set_status(StatusCode.ERROR, type(error).__name__)  # not its text, in which a credential might stand
            raise


def current() -> str:
    """The trace as a traceparent; empty where nothing is traced."""
    if _tracer is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(FIELD, "")
