"""One trace from the delivery to the posted review, through all three processes, as a collector gets it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import short_folder
from tests.fakes.github import GitHub
from tests.fakes.loopback import Handler, Loopback
from tests.flow.github.conftest import Installed, reviewed, settings
from tests.server import Server

pb = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2", reason="the exporter of box-review[otel] is missing")


@contextmanager
def collector(spans: list[tuple[str, Any]]) -> Iterator[str]:
    """Takes spans with the process they are of, as OTLP over HTTP has them; gives its address."""

    class Takes(Handler):
        def do_POST(self) -> None:
            request = pb.ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
            for resource in request.resource_spans:
                about = {one.key: one.value.string_value for one in resource.resource.attributes}
                spans.extend((about["service.instance.id"], span) for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with Loopback(Takes) as loopback:
        yield loopback.url


def test_trace_goes_from_the_delivery_to_the_posted_review(tmp_path: Path) -> None:
    spans: list[tuple[str, Any]] = []
    for folder in short_folder():
        with collector(spans) as url, GitHub(tmp_path / "github") as github:
            github.user("ada")
            with Server(folder / "data", OTEL_EXPORTER_OTLP_ENDPOINT=url, **settings(github)) as server:
                github.app.webhook_url = f"{server.url}/api/github/webhooks"
                installed = Installed(github, server)
                reviewed(installed.opened(installed.repository()))
    traces = {span.trace_id for process, span in spans if span.name == "job judge"}
    assert len(traces) == 1
    (ours,) = traces
    found = {(process, span.name) for process, span in spans if span.trace_id == ours}
    assert found >= {
        ("bot", "delivery"),
        ("github", "job tend"),
        ("github", "job prepare"),
        ("github", "review asked for"),
        ("runner", "job review_role"),
        ("runner", "job judge"),
        ("github", "verdict"),
    }
    by_id = {span.span_id: span.name for _, span in spans}
    after = [by_id.get(span.parent_span_id) for _, span in spans if span.trace_id == ours and span.name == "job tend"]
    assert "delivery" in after and "verdict" in after
