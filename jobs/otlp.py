"""Sends traces by OTLP over HTTP: the one module that needs `box-review[otel]`."""
# pyright: reportMissingImports=false

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def sender(process: str) -> TracerProvider:
    """Makes spans of a process and sends them, the last ones when it ends; where to is told by OpenTelemetry's own variables."""
    provider = TracerProvider(resource=Resource.create({"service.name": "box-review", "service.instance.id": process}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
