"""The planted bugs are what they say, and the benchmark over them counts rightly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.planting import cases

ROOT = Path(__file__).parent.parent.parent
SOME = ["order-search-words", "catalogue-pager", "price-list-separators", "queue-documentation", "retry-jitter"]


def test_every_hidden_test_passes_at_base_and_fails_at_head_where_there_is_a_bug() -> None:
    done = subprocess.run([sys.executable, "bench/planted/check.py"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert sum(case.bug is not None for case in cases()) >= 20
    assert sum(case.bug is None for case in cases()) >= 10


@pytest.mark.timeout(150)
@pytest.mark.parametrize("harness", ["static", "scripted"])
def test_benchmark_prints_what_was_found(harness: str) -> None:
    words = [word for name in SOME for word in ("--case", name)]
    argv = [sys.executable, "-m", "bench.planting", "--harness", harness, "--json", *words]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=140, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["planted"], found["clean"], found["incomplete"]) == (3, 2, 0)
    if harness == "scripted":  # it finds every second bug, proves it, and makes one false claim each time, which is refuted
        each = {case["name"]: case["found"] for case in found["cases"] if case["planted"]}
        assert (each["catalogue-pager"], each["price-list-separators"]) == (True, True)
        assert (found["proof_rate"] > 0, found["false_alarms"], found["dropped"] >= 5) == (True, 0, True)


def test_case_that_is_not_there_is_told() -> None:
    argv = [sys.executable, "-m", "bench.planting", "--case", "no-such-case"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "no-such-case" in done.stderr, "Traceback" in done.stderr) == (2, True, False)
