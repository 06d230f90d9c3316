"""The review as SARIF 2.1.0, as code scanning and editors read it.

Findings are results; what was dropped is not in here. Texts are plain: SARIF would make links of
`[text](target)` even in those.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from pydantic import JsonValue

import box_review
from box_review.finding import Finding, Severity
from box_review.report import wording
from box_review.report.code import context, suggested_lines
from box_review.review import ReviewRecord, ReviewStatus
from box_review.sanitize import for_json, for_terminal, visible

Node = dict[str, JsonValue]

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
SOURCE_ROOT = "SRCROOT"

_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
# What code scanning sorts security findings by: above 9 it says critical, above 7 high, above 4 medium.
_SECURITY_SEVERITY = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
_NOTIFICATIONS = {
    "reviewer-incomplete": "A reviewer did not come to its end.",
    "not-covered": "Something was not looked at.",
}


def render(record: ReviewRecord) -> str:
    """The record as one SARIF run."""
    log: Node = {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [_run(record)]}
    return for_json(json.dumps(log, indent=2, ensure_ascii=False)) + "\n"


def _run(record: ReviewRecord) -> Node:
    findings = wording.worst_first(record.findings)
    topics = list(dict.fromkeys(finding.topic for finding in findings))
    notifications: list[JsonValue] = [{"id": name, "shortDescription": _text(words)} for name, words in _NOTIFICATIONS.items()]
    driver: Node = {
        "name": "box-review",
        "version": box_review.__version__,
        "semanticVersion": box_review.__version__,
        "rules": [_rule(topic, [finding for finding in findings if finding.topic == topic]) for topic in topics],
        "notifications": notifications,
    }
    return {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"box-review/{record.review_id}"},
        "invocations": [_invocation(record)],
        "versionControlProvenance": [
            {
                "repositoryUri": repository_uri(record.repository),
                "revisionId": record.head_sha,
                "mappedTo": {"uriBaseId": SOURCE_ROOT},
            }
        ],
        "originalUriBaseIds": {SOURCE_ROOT: {"description": _text(f"The root of the repository at {record.head_sha}.")}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, topics.index(finding.topic)) for finding in findings],
        "properties": {"conclusion": record.conclusion, "status": record.status, "baseSha": record.base_sha},
    }


def _rule(topic: str, findings: list[Finding]) -> Node:
    """One kind of problem, as bad as the worst of its findings, which come worst first."""
    words = re.sub(r"[.-]+", " ", topic).strip().capitalize()
    properties: Node = {"tags": list(dict.fromkeys(role for finding in findings for role in finding.roles))}
    security = next((finding for finding in findings if "security" in finding.roles), None)
    if security is not None:
        properties["security-severity"] = _SECURITY_SEVERITY[security.severity]
    return {
        "id": topic,
        "shortDescription": _text(words),
        "fullDescription": _text(f"{words}, as reviewers found it in this change."),
        "help": _text("Each result says why it is a problem and how it fails."),
        "defaultConfiguration": {"level": _LEVELS[findings[0].severity]},
        "properties": properties,
    }


def _result(finding: Finding, rule_index: int) -> Node:
    result: Node = {
        "ruleId": finding.topic,
        "ruleIndex": rule_index,
        "kind": "fail",
        "level": _LEVELS[finding.severity],
        "rank": round(finding.confidence * 100, 1),
        "message": _text(f"{visible(finding.title)}\n\n{finding.why}\n\nHow it fails: {finding.scenario}"),
        "locations": [{"physicalLocation": _location(finding)}],
        "properties": _properties(finding),
    }
    if finding.fingerprint:
        result["partialFingerprints"] = {"boxReviewFingerprint/v1": visible(finding.fingerprint)}
    fix = _fix(finding)
    if fix is not None:
        result["fixes"] = [fix]
    return result


def _properties(finding: Finding) -> Node:
    properties: Node = {
        "id": visible(finding.id),
        "severity": finding.severity,
        "confidence": finding.confidence,
        "roles": list(finding.roles),
        "proof": finding.proof.state,
        "folded": finding.folded,
        "evidence": [
            {"tool": visible(seen.tool), "rule": visible(seen.rule), "message": visible(seen.message)} for seen in finding.evidence
        ],
    }
    if "security" in finding.roles:
        properties["security-severity"] = _SECURITY_SEVERITY[finding.severity]
    return properties


def _location(finding: Finding) -> Node:
    location: Node = {
        "artifactLocation": _artifact(finding),
        "region": {"startLine": finding.start_line, "endLine": finding.end_line},
    }
    lines = context(finding)
    # A context must hold the whole region, and more than it.
    if lines and lines[0].number <= finding.start_line and lines[-1].number >= finding.end_line and not all(line.meant for line in lines):
        snippet = "\n".join(visible(line.text, multiline=True) for line in lines)
        location["contextRegion"] = {"startLine": lines[0].number, "endLine": lines[-1].number, "snippet": {"text": snippet}}
    return location


def _fix(finding: Finding) -> Node | None:
    """The suggestion as a replacement of whole lines; None if there is none, or if it holds characters nobody would see."""
    if finding.suggestion is None or visible(finding.suggestion, multiline=True) != finding.suggestion:
        return None
    lines = suggested_lines(finding)
    if lines:
        replacement: Node = {
            "deletedRegion": {"startLine": finding.start_line, "endLine": finding.end_line},
            "insertedContent": {"text": "\n".join(lines)},
        }
    else:
        whole: Node = {"startLine": finding.start_line, "startColumn": 1, "endLine": finding.end_line + 1, "endColumn": 1}
        replacement = {"deletedRegion": whole}
    change: Node = {"artifactLocation": _artifact(finding), "replacements": [replacement]}
    return {"description": _text(f"Suggested for: {visible(finding.title)}"), "artifactChanges": [change]}


def _artifact(finding: Finding) -> Node:
    return {"uri": path_uri(finding.path), "uriBaseId": SOURCE_ROOT}


def path_uri(path: str) -> str:
    """A repository path as a relative URI; `\\xNN` in it stands for the byte it names."""
    raw = path.encode("utf-8", "replace")
    raw = re.sub(rb"\\x([89a-f][0-9a-f])", lambda match: bytes.fromhex(match[1].decode()), raw)
    uri = quote(raw, safe="/")
    return "%2F" + uri[1:] if uri.startswith("/") else uri


def repository_uri(repository: str) -> str:
    """The repository's name as an absolute URI: its own if it is one, else a URN that names it."""
    name = visible(repository)
    if re.fullmatch(r"https://[\w.-]+(:\d+)?(/[\w./-]*)?", name, re.ASCII):
        return name
    return "urn:box-review:repository:" + quote(name, safe="/")


def _invocation(record: ReviewRecord) -> Node:
    troubles = [_notification("reviewer-incomplete", "error", f"{who}: {why}") for who, why in wording.troubles(record)]
    gaps = [_notification("not-covered", "warning", gap) for gap in wording.not_covered(record)]
    invocation: Node = {
        "executionSuccessful": record.status is ReviewStatus.COMPLETED,
        "startTimeUtc": _utc(record.created_at),
        "toolExecutionNotifications": [*troubles, *gaps],
    }
    # A duration that is no sensible number has no end to tell.
    if 0 <= record.duration_s < timedelta(days=365).total_seconds():
        invocation["endTimeUtc"] = _utc(record.created_at + timedelta(seconds=record.duration_s))
    return invocation


def _notification(descriptor: str, level: str, words: str) -> Node:
    return {"descriptor": {"id": descriptor}, "level": level, "message": _text(words)}


def _text(words: str) -> Node:
    """A plain-text message in which nothing is read as an embedded link."""
    return {"text": for_terminal(words, multiline=True).replace("](", "] (")}


def _utc(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
