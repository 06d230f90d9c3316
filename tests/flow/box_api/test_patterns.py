"""Programs as they are written for the hosted service."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.server import Server

EXAMPLE = Path(__file__).parents[3] / "examples" / "box_patterns.py"


def test_programs_for_the_hosted_service_run_here(served: Server) -> None:
    environment = {**os.environ, "UPSTASH_BOX_BASE_URL": served.url, "UPSTASH_BOX_API_KEY": "box_one", "PYTHONWARNINGS": "ignore"}
    ended = subprocess.run([sys.executable, EXAMPLE], env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert ended.stdout.splitlines() == [
        "ONE (WORKER) + TWO (WORKER) + THREE (WORKER) (worker)",
        "{'small': 'HELLO: SAME (small)', 'large': 'HELLO: SAME (large)'}",
        "[1, 2, 1, 3]",
    ], ended.stdout + ended.stderr
