"""The pipelines of `examples/pipelines`, as somebody runs them who has a model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step, answer
from tests.flow.test_agents import CLAIMS
from tests.server import Ended

Run = Callable[..., Ended]
EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "pipelines"


def script(asked: Asked) -> Step:
    if "How would you mend" in asked.said:
        return Step(text="    return sum(prices)")
    if "You are the jury" in asked.said:
        ids = sorted(set(re.findall(r"F-[0-9a-f]{8}", asked.said)))
        votes = [{"id": ident, "vote": "keep", "severity": None, "into": None, "reason": "Yes."} for ident in ids]
        return answer({"votes": votes, "summary": "The total is wrong."})
    return answer({"findings": CLAIMS[:1], "evidence": [], "not_covered": []})


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


@pytest.fixture
def run(models: ModelServer, data_dir: Path, shop: Path) -> Run:
    def run(name: str, *arguments: str) -> Ended:
        environment = {**os.environ, **models.environment, "BOX_MODEL": "openai/scripted", "BOX_DATA_DIR": str(data_dir / "d")}
        argv = [sys.executable, EXAMPLES / f"{name}.py", shop, *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=50, check=False, env=environment)
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


def test_role_of_ones_own_finds_and_proves(run: Run, models: ModelServer) -> None:
    done = run("own_role")
    assert (done.code, "The first price is left out" in done.out, "proven" in done.out) == (1, True, True), done.err
    assert any("Find where money is lost" in asked.said for asked in models.asked)


def test_second_opinion_tells_what_both_claim(run: Run, models: ModelServer) -> None:
    done = run("second_opinion", "openai/one", "anthropic/two")
    assert done.code == 0, done.err
    assert "cart.py:2 proven: The first price is left out (by first and second)" in done.out
    assert {"one", "two"} <= {asked.model for asked in models.asked}


def test_staged_review_asks_how_to_mend(run: Run) -> None:
    done = run("staged")
    assert done.code == 1, done.err
    assert "cart.py:2:     return sum(prices)" in done.out
