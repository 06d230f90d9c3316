"""`make demo` does what the README says: four boxes, right findings for every role, four valid files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from box_review import ReviewRecord

from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step, answer

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def demo(short_tmp: Path) -> Path:
    """What the demo leaves, made in a folder of its own."""
    return run(short_tmp)


def run(folder: Path, **environment: str) -> Path:
    """Run the demo there; returns where its files are."""
    command = [sys.executable, ROOT / "examples" / "demo.py"]
    settings = {**os.environ, "BOX_DATA_DIR": str(folder / "d"), **environment}
    ended = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False, timeout=50)
    assert ended.returncode == 0, ended
    assert ended.stdout.count("cold: files") == 4
    return folder / "demo"


def test_demo_finds_what_the_example_holds_for_every_role(demo: Path) -> None:
    ended = subprocess.run([sys.executable, ROOT / "examples" / "check_demo.py", demo], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_demo_leaves_a_record_valid_by_its_schema(demo: Path) -> None:
    schema = json.loads((ROOT / "docs" / "review-record.schema.json").read_text())
    jsonschema.validate(json.loads((demo / "review.json").read_text()), schema)


def test_demo_leaves_valid_sarif(demo: Path) -> None:
    schema = json.loads((ROOT / "tests" / "data" / "sarif-2.1.0.json").read_text())
    jsonschema.validate(json.loads((demo / "review.sarif").read_text()), schema)


def test_demo_with_a_model_carries_what_it_proved_beside_what_analyzers_found(data_dir: Path) -> None:
    path = "parcels/service/labels.py"
    claim = {
        "path": path, "start_line": 1, "end_line": 1, "severity": "high", "confidence": 0.9, "topic": "wrong-label", "suggestion": None,
        "title": "Labels are made", "why": "They were not.", "scenario": "A parcel gets one.",
        "reproducer": {"kind": "regression", "script": f"test ! -e {path}", "expects": "no labels"},
    }  # fmt: skip

    def script(asked: Asked) -> Step:
        if "You are the jury" in asked.said:
            return answer({"votes": [], "summary": "See the labels."})
        return answer({"findings": [claim] if "for quality" in asked.said else [], "evidence": [], "not_covered": []})

    with ModelServer(script) as models:
        folder = run(data_dir, **models.environment, BOX_MODEL="openai/scripted")
    record = ReviewRecord.model_validate_json((folder / "review.json").read_bytes())
    proofs = {finding.title: finding.proof.state.value for finding in record.findings}
    assert proofs["Labels are made"] == "proven"
    assert any(finding.evidence for finding in record.findings)
    assert "Labels are made" in (folder / "review.md").read_text()


def test_innocent_changes_of_the_example_are_left_alone(demo: Path) -> None:
    record = ReviewRecord.model_validate_json((demo / "review.json").read_bytes())
    found = {finding.path for finding in record.findings}
    innocent = {file.path for file in record.changed_files if file.path.startswith(("docs/", "tests/")) or file.path == "README.md"}
    assert innocent
    assert not found & innocent
