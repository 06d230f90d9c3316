"""Output that must fit a JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from jsonschema.validators import extend, validator_for  # type: ignore[import-untyped]
from referencing import Registry
from referencing.exceptions import Unresolvable

MAX_OUTPUT = 4 << 20
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n\s*```", re.DOTALL)
_UNCHECKED = ("pattern", "patternProperties", "uniqueItems")
"""Keywords with which a schema could keep this process busy for hours; the clients check them once more anyhow."""


class DoesNotFit(ValueError):
    """The output is no JSON, or not what the schema describes."""


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises ValueError if it is no JSON Schema."""
    try:
        validator_for(schema, jsonschema.Draft202012Validator).check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        raise ValueError(f"json_schema: {error.message}") from error
    except RecursionError as error:
        raise ValueError("json_schema: it is nested too deeply") from error


def fit(output: str, schema: Mapping[str, Any]) -> str:
    """The JSON in an agent's output, alone or in a fenced block, as text. Raises DoesNotFit."""
    if len(output) > MAX_OUTPUT:
        raise DoesNotFit(f"the output has {len(output)} characters; {MAX_OUTPUT} can be checked")
    try:
        value = _parsed(output)
        _validator(schema).validate(value)
    except jsonschema.ValidationError as error:
        raise DoesNotFit(f"the output does not fit json_schema: {error.json_path}: {error.message[:500]}") from error
    except (RecursionError, Unresolvable) as error:  # references that lead nowhere, or in a circle
        raise DoesNotFit(f"the output cannot be checked against json_schema: {type(error).__name__}") from error
    return json.dumps(value)


def _parsed(output: str) -> Any:
    for text in (output, *(match[1] for match in _FENCE.finditer(output))):
        try:
            return json.loads(text)
        except ValueError:
            continue
    raise DoesNotFit(f"the output is no JSON: {output[:300]!r}")


def _validator(schema: Mapping[str, Any]) -> Any:
    kind = validator_for(schema, jsonschema.Draft202012Validator)
    return extend(kind, dict.fromkeys(_UNCHECKED, lambda *_: None))(schema, registry=Registry())  # which fetches nothing from anywhere
