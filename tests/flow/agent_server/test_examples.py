"""The examples of agent servers run, and do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.server import Server

EXAMPLES = Path(__file__).parents[3] / "examples" / "agent_server"


def run(name: str, **environment: str) -> str:
    ended = subprocess.run(
        [sys.executable, EXAMPLES / name], capture_output=True, text=True, check=False, timeout=50, env={**os.environ, **environment}
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_service_observes_its_customers_and_their_agents_know_it(served: Server) -> None:
    said = run("service.py", BOX_REVIEW_URL=served.url, BOX_REVIEW_API_KEY="box_one")
    ada, bert = said.split("\n\n")[0:2]
    assert "My delivery day is now Wednesday. (f-" in ada
    assert "Always answer in French." in ada
    assert "Friday" not in ada
    assert "My delivery day is Friday." in bert
    assert "French" not in bert
    assert "observed: 5 requests, dropped: 0" in said


def test_same_idea_runs_on_the_official_client(served: Server) -> None:
    said = run("with_upstash_box.py", UPSTASH_BOX_BASE_URL=served.url, UPSTASH_BOX_API_KEY="box_one")
    assert said.splitlines() == ["ada-shop: I was told: deliveries on Wednesday", "bert-books: I was told: deliveries on Friday"]
