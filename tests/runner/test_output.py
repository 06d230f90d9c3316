"""Output that must fit a schema."""

from __future__ import annotations

import json
import time

import pytest

from runner.harness.output import PATIENCE_S, DoesNotFit, check_schema, fit

COUNT = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"], "additionalProperties": False}


@pytest.mark.parametrize("output", ['{"count": 1}', ' {"count":1}\n', 'Here:\n```json\n{"count": 1}\n```\ndone', '```\n{"count": 1}\n```'])
async def test_json_is_found_alone_or_in_a_fence(output: str) -> None:
    assert json.loads(await fit(output, COUNT)) == {"count": 1}


@pytest.mark.parametrize(
    "output", ["", "none", '{"count": "1"}', "{}", '{"count": 1, "more": 2}', "[" * 100_000, "```" + "\n" * 50_000, "```\n" * 10_000]
)
async def test_what_does_not_fit_is_refused_in_words(output: str) -> None:
    with pytest.raises(DoesNotFit):
        await fit(output, COUNT)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^(a+)+$"},
        {"type": "array", "uniqueItems": True},
        {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"$defs": {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)} | {"a40": {}}, "$ref": "#/$defs/a0"},
        {"$ref": "http://127.0.0.1:1/schema"},
        {"$ref": "file:///etc/passwd"},
    ],
)
async def test_schema_cannot_keep_the_server_busy_or_fetch_anything(schema: dict[str, object]) -> None:
    started = time.monotonic()
    for output in (json.dumps("a" * 40 + "!"), json.dumps([{"x": n} for n in range(3000)])):
        try:
            await fit(output, schema)
        except DoesNotFit:
            continue
    assert time.monotonic() - started < 3 * PATIENCE_S


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"properties": 3}, {"$schema": []}, {"description": "x" * 70_000}])
async def test_schema_that_is_none_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(DoesNotFit, match="json_schema"):
        await check_schema(schema)
