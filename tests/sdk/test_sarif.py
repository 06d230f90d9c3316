"""What code scanning gets is SARIF 2.1.0 and says what the record says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from box_review.finding import Severity
from box_review.report import render
from box_review.report.sarif import path_uri, repository_uri
from box_review.review import ReviewRecord
from jsonschema import Draft4Validator

from tests.sdk import records
from tests.sdk.test_report import EVERY_RECORD

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "sarif-2.1.0.json").read_text())


def run_of(record: ReviewRecord) -> dict:
    return json.loads(render(record, "sarif"))["runs"][0]


@pytest.mark.parametrize("make", EVERY_RECORD.values(), ids=EVERY_RECORD)
def test_every_record_is_valid_sarif(make):
    Draft4Validator(SCHEMA).validate(json.loads(render(make(), "sarif")))


def test_the_schema_can_say_no():
    log = json.loads(render(records.record(), "sarif"))
    log["runs"][0]["results"][0]["level"] = "dreadful"
    assert not Draft4Validator(SCHEMA).is_valid(log)


def test_each_topic_is_one_rule_and_results_point_at_theirs():
    run = run_of(records.record())
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert sorted(rules) == sorted({finding.topic for finding in records.record().findings})
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])


@pytest.mark.parametrize(("severity", "level"), [("critical", "error"), ("high", "error"), ("medium", "warning"), ("low", "note")])
def test_severity_becomes_level(severity, level):
    run = run_of(records.record(findings=(records.finding(severity=Severity(severity)),)))
    assert run["results"][0]["level"] == level


def test_only_security_findings_have_a_security_severity():
    results = run_of(records.record())["results"]
    assert {"security" in result["properties"]["roles"] for result in results if "security-severity" in result["properties"]} == {True}
    assert {"security" in result["properties"]["roles"] for result in results if "security-severity" not in result["properties"]} == {False}


def test_dropped_findings_are_no_results():
    assert len(run_of(records.record())["results"]) == len(records.record().findings)


def test_a_result_carries_place_roles_proof_and_fingerprint():
    result = run_of(records.record())["results"][0]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "shop/export.py", "uriBaseId": "SRCROOT"}
    assert place["region"] == {"startLine": 42, "endLine": 43}
    assert place["contextRegion"]["startLine"] == 39
    assert result["properties"]["roles"] == ["security", "quality"]
    assert result["properties"]["proof"] == "proven"
    assert result["partialFingerprints"] == {"boxReviewFingerprint/v1": records.finding().fingerprint}


def test_a_suggestion_replaces_whole_lines():
    replacement = run_of(records.record())["results"][0]["fixes"][0]["artifactChanges"][0]["replacements"][0]
    assert replacement["deletedRegion"] == {"startLine": 42, "endLine": 43}
    assert replacement["insertedContent"]["text"] == '    subprocess.run(["zip", "-r", order.filename, folder], check=True)'


def test_an_empty_suggestion_deletes_the_lines():
    result = run_of(records.record(findings=(records.finding(suggestion=""),)))["results"][0]
    deleted = {"startLine": 42, "startColumn": 1, "endLine": 44, "endColumn": 1}
    assert result["fixes"][0]["artifactChanges"][0]["replacements"] == [{"deletedRegion": deleted}]


def test_a_suggestion_with_unseen_characters_is_no_fix():
    result = run_of(records.record(findings=(records.finding(suggestion="if a\u202e == b:"),)))["results"][0]
    assert "fixes" not in result


def test_an_unfinished_review_is_no_successful_execution():
    assert run_of(records.record())["invocations"][0]["executionSuccessful"] is True
    invocation = run_of(records.partial_record())["invocations"][0]
    assert invocation["executionSuccessful"] is False
    said = [(notice["level"], notice["message"]["text"]) for notice in invocation["toolExecutionNotifications"]]
    assert ("error", "quality timed out: stopped after 900 s, its limit") in said
    assert ("warning", "web/app.min.js: 1.8 MB on one line") in said


def test_messages_hold_no_embedded_links():
    written = render(records.hostile_record(), "sarif")
    run = json.loads(written)["runs"][0]
    assert all("](" not in result["message"]["text"] for result in run["results"])


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ü.py", "a%20b/%C3%BC.py"),
        ("caf\\xe9.py", "caf%E9.py"),
        ("c:/x?y#z", "c%3A/x%3Fy%23z"),
        ("/etc/passwd", "%2Fetc/passwd"),
        ("50%.py", "50%25.py"),
    ],
)
def test_paths_become_relative_uris(path, uri):
    assert path_uri(path) == uri


def test_a_repository_is_named_by_an_absolute_uri():
    assert repository_uri("https://github.com/acme/shop") == "https://github.com/acme/shop"
    assert repository_uri("acme/my shop") == "urn:box-review:repository:acme/my%20shop"
    assert repository_uri("javascript:alert(1)").startswith("urn:")
