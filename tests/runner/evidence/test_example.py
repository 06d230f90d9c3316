"""The example pull request: what must be found in it, and how fast."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.evidence.wording import ROLES, findings_for
from tests.runner.evidence.conftest import EXAMPLE, Change, git

INNOCENT = ("parcels/service/formatting.py", "tests/test_shipments.py", "docs/operations.md", "parcels/api/tracking.py")
EXPECTED = json.loads((EXAMPLE / "expected.json").read_text())


@pytest.mark.parametrize("role", ROLES)
def test_everything_expected_of_a_role_is_found_and_nothing_innocent(example: Change, role: str) -> None:
    findings, _ = findings_for(role, example.collect(role))
    found = {(finding.path, finding.topic) for finding in findings}
    assert found >= {(item["path"], item["topic"]) for item in EXPECTED if item["role"] == role}
    assert not {path for path, _ in found} & set(INNOCENT)


def test_every_role_is_expected_to_find_something() -> None:
    assert {item["role"] for item in EXPECTED} == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_evidence_takes_well_below_three_seconds(example: Change, role: str) -> None:
    began = time.monotonic()
    report = example.collect(role)
    assert time.monotonic() - began < 3
    assert {tool.status for tool in report.tools} == {"ok"}
    assert report.not_covered == ()


def test_findings_carry_excerpt_evidence_and_a_fix_where_the_tool_has_one(example: Change) -> None:
    findings, _ = findings_for("security", example.collect("security"))
    deletion = next(finding for finding in findings if finding.topic == "unquoted-expansion")
    assert deletion.suggestion == '    rm -rf /srv/parcels/"$old"/'
    assert [(item.tool, item.rule) for item in deletion.evidence] == [("shellcheck", "SC2086")]
    assert deletion.excerpt is not None
    assert deletion.excerpt.lines[deletion.start_line - deletion.excerpt.start_line].strip() == "rm -rf /srv/parcels/$old/"


def test_the_password_of_the_example_is_shown_to_nobody(example: Change) -> None:
    for role in ROLES:
        assert b"kV7q2ZpXw9Lr4TsB" not in example.run(role).stdout


def test_only_paths_limits_results_and_files(example: Change) -> None:
    report = example.collect("security", only_paths=["deploy/release.sh"])
    assert {result.path for result in report.results} == {file.path for file in report.changed_files} == {"deploy/release.sh"}


def test_tools_can_be_named_instead_of_a_role(example: Change) -> None:
    report = example.collect("security", tools=["ruff"])
    assert [tool.tool for tool in report.tools] == ["ruff"]
    assert {"S602", "B006"} <= {result.rule for result in report.results}, "named tools work for all roles"


def test_the_example_is_the_same_everywhere(example: Change, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(EXAMPLE / "build.py"), str(tmp_path / "again")], check=True, env={"PATH": "/usr/bin:/bin"})
    assert git(tmp_path / "again", "rev-parse", "main", "pull-request") == f"{example.base}\n{example.head}"
    assert git(tmp_path / "again", "status", "--porcelain") == ""


def test_a_target_that_is_not_empty_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    done = subprocess.run([sys.executable, str(EXAMPLE / "build.py"), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path} is not an empty folder; name one that is empty or does not exist yet.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
