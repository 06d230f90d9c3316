"""The examples of comparisons run, and come to what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from box_review.comparison import Comparison, compare
from box_review.comparison.result import NOT_DISTINGUISHABLE

from tests.flow.comparison.made import run
from tests.server import Server

EXAMPLE = Path(__file__).parents[3] / "examples" / "compare"


def test_example_tells_two_careful_models_from_a_hasty_one(served: Server, tmp_path: Path) -> None:
    done = run(served, EXAMPLE / "endpoints.yml", "--out", tmp_path, "--format", "json", "--quiet")
    assert done.code == 0, done.err
    found = Comparison.model_validate_json(done.out)
    assert [found.score(name, "hallucination_pct").value for name in ("careful", "steady")] == [0.0, 0.0]
    assert found.score("hasty", "hallucination_pct").value == pytest.approx(40.28, abs=0.01)
    for score in ("claim_f1", "hallucination_pct", "json_match"):
        verdicts = [pair.verdict for pair in found.pairs if pair.score == score]
        assert verdicts == [NOT_DISTINGUISHABLE, "careful better", "steady better"]
    made_up = {claim for cell in found.cells for claim in cell.marks["hallucination_pct"].unsupported}
    assert len(made_up) == 12
    assert all(claim.endswith("/all") for claim in made_up)


def test_example_with_the_official_client_alone_comes_to_the_same(served: Server) -> None:
    environment = {"UPSTASH_BOX_BASE_URL": served.url, "UPSTASH_BOX_API_KEY": served.address.api_key, "PYTHONWARNINGS": "ignore"}
    argv = [sys.executable, EXAMPLE / "with_upstash_box.py"]
    ended = subprocess.run(argv, env={**os.environ, **environment}, capture_output=True, text=True, timeout=50, check=False)
    lines = ended.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["careful", "steady", "hasty"], ended.stderr
    assert [line.rpartition("hallucinations ")[2] for line in lines[:2]] == ["0.0 %", "0.0 %"]
    assert lines[2].endswith("hallucinations 37.5 %")


def test_compare_is_a_function_of_the_package() -> None:
    import box_review

    assert box_review.compare is compare
    assert "compare" in box_review.__all__
    with pytest.raises(AttributeError, match="no attribute 'comprae'"):
        box_review.comprae  # noqa: B018
