"""What agents hand over is read as far as it makes sense, and no further."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from runner.harness.output import DoesNotFit
from runner.harness.submission import SCHEMA, read_submission

CLAIM: dict[str, Any] = {
    "path": "a.py", "start_line": 3, "end_line": 2, "severity": "high", "confidence": 7, "topic": "Off By One!", "title": "t" * 500,
    "why": "w", "scenario": "s", "suggestion": None, "reproducer": {"kind": "regression", "script": "true", "expects": "e"},
}  # fmt: skip


def given(*claims: dict[str, Any], **more: Any) -> str:
    return json.dumps({"findings": list(claims), "evidence": [], "not_covered": [], **more})


async def test_small_mistakes_are_put_right() -> None:
    [claim] = (await read_submission(given(CLAIM))).findings
    finding = claim.finding("quality")
    assert finding is not None
    assert (finding.end_line, finding.confidence, finding.topic, len(finding.title)) == (3, 1.0, "off-by-one", 200)


async def test_fenced_answer_is_read() -> None:
    assert (await read_submission(f"Here it is:\n```json\n{given(CLAIM)}\n```\n")).findings


async def test_claim_without_a_scenario_is_no_finding() -> None:
    [claim] = (await read_submission(given({**CLAIM, "scenario": " "}))).findings
    assert claim.finding("quality") is None


async def test_too_many_claims_are_cut() -> None:
    assert len((await read_submission(given(*[CLAIM] * 500))).findings) == 50


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("no JSON at all", "no JSON"),
        ("[]", "not of type 'object'"),
        ("{}", "findings: Field required"),
        (given({**CLAIM, "severity": "terrible"}), "severity"),
        (given({**CLAIM, "start_line": 0}), "start_line"),
        (given({**CLAIM, "path": ""}), "path"),
    ],
)
async def test_what_cannot_be_read_is_told_in_words(output: str, said: str) -> None:
    with pytest.raises(DoesNotFit, match=said):
        await read_submission(output)


async def test_characters_that_hide_are_made_visible() -> None:
    [claim] = (await read_submission(given({**CLAIM, "title": "a\u202eb\x1b[31m"}))).findings
    assert "\u202e" not in claim.title
    assert "\x1b" not in claim.title


def test_schema_is_strict_as_providers_want_it() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def check(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("type") == "object":
                assert part["additionalProperties"] is False
                assert part["required"] == list(part["properties"])
            for value in part.values():
                check(value)
        elif isinstance(part, list):
            for value in part:
                check(value)

    check(SCHEMA)
