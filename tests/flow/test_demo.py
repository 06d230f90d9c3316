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

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def demo(short_tmp: Path) -> Path:
    """What the demo leaves, made in a folder of its own."""
    command = [sys.executable, ROOT / "examples" / "demo.py"]
    environment = {**os.environ, "BOX_DATA_DIR": str(short_tmp / "d")}
    ended = subprocess.run(command, cwd=short_tmp, env=environment, capture_output=True, text=True, check=False, timeout=50)
    assert ended.returncode == 0, ended
    assert ended.stdout.count("cold: files") == 4
    return short_tmp / "demo"


def test_demo_finds_what_the_example_holds_for_every_role(demo: Path) -> None:
    ended = subprocess.run([sys.executable, ROOT / "examples" / "check_demo.py", demo], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_demo_leaves_a_record_valid_by_its_schema(demo: Path) -> None:
    schema = json.loads((ROOT / "docs" / "review-record.schema.json").read_text())
    jsonschema.validate(json.loads((demo / "review.json").read_text()), schema)


def test_demo_leaves_valid_sarif(demo: Path) -> None:
    schema = json.loads((ROOT / "tests" / "data" / "sarif-2.1.0.json").read_text())
    jsonschema.validate(json.loads((demo / "review.sarif").read_text()), schema)


def test_innocent_changes_of_the_example_are_left_alone(demo: Path) -> None:
    record = ReviewRecord.model_validate_json((demo / "review.json").read_bytes())
    found = {finding.path for finding in record.findings}
    innocent = {file.path for file in record.changed_files if file.path.startswith(("docs/", "tests/")) or file.path == "README.md"}
    assert innocent
    assert not found & innocent
