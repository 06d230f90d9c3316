"""Output that must fit a schema."""

from __future__ import annotations

import json
import time

import pytest

from runner.harness.output import DoesNotFit, check_schema, fit

COUNT = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"], "additionalProperties": False}


@pytest.mark.parametrize("output", ['{"count": 1}', ' {"count":1}\n', 'Here:\n```json\n{"count": 1}\n```\ndone', '```\n{"count": 1}\n```'])
def test_json_is_found_alone_or_in_a_fence(output: str) -> None:
    assert json.loads(fit(output, COUNT)) == {"count": 1}


@pytest.mark.parametrize("output", ["", "none", '{"count": "1"}', "{}", '{"count": 1, "more": 2}', "[" * 100_000])
def test_what_does_not_fit_is_refused_in_words(output: str) -> None:
    with pytest.raises(DoesNotFit):
        fit(output, COUNT)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^(a+)+$"},
        {"type": "array", "uniqueItems": True},
        {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"$ref": "http://127.0.0.1:1/schema"},
        {"$ref": "file:///etc/passwd"},
    ],
)
def test_schema_cannot_keep_the_server_busy_or_fetch_anything(schema: dict[str, object]) -> None:
    started = time.monotonic()
    for output in (json.dumps("a" * 40 + "!"), json.dumps([{"x": n} for n in range(3000)])):
        try:
            fit(output, schema)
        except DoesNotFit:
            continue
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"properties": 3}])
def test_schema_that_is_none_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="json_schema"):
        check_schema(schema)
