"""Results into findings: words for all of them, or a reason."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from box_review.finding import Severity
from pydantic import ValidationError

from runner.evidence.errors import UnknownRole
from runner.evidence.inbox.ruff import IGNORE, SELECT
from runner.evidence.report import Report, Result
from runner.evidence.wording import ROLES, findings_for
from runner.evidence.words import Words, words_by_role


def report_of(*results: Mapping[str, object]) -> Report:
    place = {"path": "app.py", "start_line": 3, "end_line": 3, "message": "it is wrong"}
    return Report.model_validate(
        {"version": 1, "changed_files": (), "tools": (), "results": [{**place, **result} for result in results]},
    )


def test_the_roles_are_those_with_words() -> None:
    assert ROLES == ("architecture", "quality", "security")


def test_a_role_without_words_is_refused_by_name() -> None:
    with pytest.raises(UnknownRole, match="'poetry'; there are architecture, quality, security"):
        findings_for("poetry", report_of())


@pytest.mark.parametrize("role", ROLES)
def test_all_words_can_be_said_of_a_hostile_result(role: str) -> None:
    hostile = "`{rule}`\x1b[2J\u202e\n" + "x" * 300
    extra = {"name": hostile, "function": hostile[:200], "feature": hostile, "importer": hostile, "imported": hostile}
    for words in words_by_role()[role]:
        rules = [pattern.rstrip("*") + "0" if pattern.endswith("*") else pattern for pattern in words.rules]
        findings, dropped = findings_for(
            role, report_of(*({"tool": words.tool, "rule": rule, "message": hostile, "extra": extra} for rule in rules))
        )
        assert len(findings) + len(dropped) == len(rules)
        for finding in (*findings, *dropped):
            text = finding.title + finding.why + finding.scenario
            assert not any(char in text for char in "\x1b\u202e\n")
            assert "{" not in finding.title.replace("{rule}", "")


@pytest.mark.parametrize("role", sorted(SELECT))
def test_every_rule_ruff_is_asked_for_has_words(role: str) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    argv = [str(ruff), "check", "--isolated", "--show-settings", "--select", SELECT[role], "--ignore", IGNORE[role], __file__]
    settings = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    enabled = settings.split("linter.rules.enabled = [", 1)[1].split("]", 1)[0]
    rules = [line.rsplit("(", 1)[1].rstrip("),") for line in enabled.split("\n") if "(" in line]
    assert len(rules) > 40
    _, dropped = findings_for(role, report_of(*({"tool": "ruff", "rule": rule} for rule in rules)))
    assert [finding.topic for finding in dropped if finding.reason.startswith("No words")] == []


def test_a_result_without_words_is_dropped_with_the_reason() -> None:
    findings, dropped = findings_for("security", report_of({"tool": "lizard", "rule": "complexity"}))
    assert findings == ()
    assert dropped[0].reason == "No words say how lizard complexity fails, and a finding needs a failure scenario."
    assert (dropped[0].path, dropped[0].start_line, dropped[0].why) == ("app.py", 3, "it is wrong")


def test_a_shell_that_runs_fixed_text_is_dropped() -> None:
    message = "`subprocess` call with `shell=True` seems safe, but may be changed in the future; consider rewriting without `shell`"
    findings, dropped = findings_for("security", report_of({"tool": "ruff", "rule": "S602", "message": message}))
    assert findings == ()
    assert dropped[0].reason.startswith("The command is a fixed text")


@pytest.mark.parametrize(
    "one, other",
    [
        (("ruff", "S602"), ("shellcheck", "SC2294")),
        (("ruff", "S105"), ("detect-secrets", "KeywordDetector")),
        (("ruff", "PLE2502"), ("hidden-text", "bidirectional-control")),
    ],
    ids=["command injection", "secret", "hidden text"],
)
def test_two_tools_that_see_the_same_name_the_same_topic(one: tuple[str, str], other: tuple[str, str]) -> None:
    findings, _ = findings_for("security", report_of(*({"tool": tool, "rule": rule} for tool, rule in (one, other))))
    assert findings[0].topic == findings[1].topic


def test_two_roles_name_the_same_problem_alike() -> None:
    result = {"tool": "shellcheck", "rule": "SC2086"}
    assert findings_for("security", report_of(result))[0][0].topic == findings_for("quality", report_of(result))[0][0].topic


@pytest.mark.parametrize("rule", ["S602", "S608", "S301", "S307", "S105"])
def test_what_gives_an_attacker_the_machine_or_the_data_is_high(rule: str) -> None:
    findings, _ = findings_for("security", report_of({"tool": "ruff", "rule": rule}))
    assert findings[0].severity is Severity.HIGH


def test_an_unquoted_value_is_worse_where_things_are_deleted() -> None:
    def severity(line: str) -> Severity:
        excerpt = {"start_line": 2, "lines": ["rm -rf x", line, "rm -rf x"]}
        return findings_for("quality", report_of({"tool": "shellcheck", "rule": "SC2086", "excerpt": excerpt}))[0][0].severity

    assert severity("rm -rf $old") is Severity.HIGH
    assert severity("echo $old") is Severity.MEDIUM


@pytest.mark.parametrize("path", ["tests/app.py", "pkg/test_app.py", "src/app.spec.ts"])
def test_a_secret_in_a_test_is_low(path: str) -> None:
    for tool, rule in (("ruff", "S105"), ("detect-secrets", "KeywordDetector")):
        findings, _ = findings_for("security", report_of({"tool": tool, "rule": rule, "path": path}))
        assert (findings[0].severity, findings[0].topic) == (Severity.LOW, "hard-coded-secret")


def test_the_tool_may_say_how_bad_it_is() -> None:
    extra = {"severity": "medium", "confidence": "low"}
    findings, _ = findings_for("security", report_of({"tool": "zizmor", "rule": "dangerous-triggers", "extra": extra}))
    assert (findings[0].severity, findings[0].confidence) == (Severity.MEDIUM, 0.4)


def test_the_closest_rule_speaks() -> None:
    near = Words(tool="ruff", rules=("S1*",), drop="near")
    exact = Words(tool="ruff", rules=("S10*", "S102"), drop="exact")
    result = Result(tool="ruff", rule="S102", path="a", start_line=1, end_line=1)
    assert exact.closeness(result) > near.closeness(result) > Words(tool="ruff", rules=("*",), drop="far").closeness(result) > 0
    assert Words(tool="zizmor", rules=("*",), drop="other").closeness(result) == 0


def test_half_finished_words_are_a_mistake() -> None:
    with pytest.raises(ValidationError, match="need topic, title, why and scenario, or only drop"):
        Words(tool="ruff", rules=("S102",), topic="code-injection", title="x", why="x")
