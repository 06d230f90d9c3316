"""GitHub's own description of its API: which operation a request is, and what breaks the description on either side.

The file is what `tests/data/github/cut.py` made of it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from tests.fakes.github.wire import JSON

FILE = Path(__file__).parents[2] / "data" / "github" / "api.json"
ANYWHERE = {304, 401, 403, 404, 422, 429}
"""Statuses that any operation may have, though the description lists them only here and there; as all of 500 and above."""

NULL_AT_TIMES = {
    "review-comment": ("line", "original_line", "position", "original_position"),
    "pull-request-review-comment": ("line", "original_line", "position", "original_position"),
}
"""Where the description forbids the null that GitHub sends: a comment whose line is gone, and the repository of a deleted fork."""


@dataclass(frozen=True)
class Operation:
    """One of the description's."""

    id: str
    method: str
    template: str
    place: str
    """A JSON pointer to it."""
    route: re.Pattern[str]
    parameters: tuple[JSON, ...]
    has_body: bool
    statuses: frozenset[int]

    @property
    def success(self) -> int:
        """The status of what went well."""
        return min(status for status in self.statuses if 200 <= status < 300)


class Description:
    """Finds operations and validates what is sent for them."""

    def __init__(self) -> None:
        document = _amended(json.loads(FILE.read_text()))
        self._document = _converted(document)
        self._registry = jsonschema_rs.Registry([("urn:github", self._document)], draft=jsonschema_rs.Draft202012)
        found = [_operation(self._document, path, method) for path, methods in self._document["paths"].items() for method in methods]
        # What is written out goes before what only a parameter of many segments would take.
        self.operations = sorted(found, key=lambda operation: -len(re.sub(r"\{.*?\}", "", operation.template)))

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation and the values in its path, or None."""
        for operation in self.operations:
            if operation.method == method and (found := operation.route.fullmatch(path)):
                return operation, {name: unquote(value or "") for name, value in found.groupdict().items()}
        return None

    def request_problems(self, operation: Operation, values: Mapping[str, str], query: Mapping[str, str], body: Any) -> list[str]:
        """What a request breaks; `body` is None if there is none."""
        problems = []
        for parameter in operation.parameters:
            given = (values if parameter["in"] == "path" else query).get(parameter["name"])
            if given is None:
                problems += [f"{parameter['name']}: is missing"] if parameter.get("required") and parameter["in"] == "query" else []
                continue
            problems += [f"{parameter['name']}: {text}" for text in _broken(_plain(parameter["schema"]), given)]
        if operation.has_body and (body is not None or self._at(f"{operation.place}/requestBody").get("required")):
            problems += self._problems(f"{operation.place}/requestBody", body)
        return problems

    def unknown_words(self, operation: Operation, query: Mapping[str, str], body: Any) -> list[str]:
        """What GitHub would pass over in silence: most likely it is misspelt."""
        known = {parameter["name"] for parameter in operation.parameters if parameter["in"] == "query"}
        content = self._at(f"{operation.place}/requestBody").get("content", {}) if operation.has_body else {}
        schema: JSON = next((kind["schema"] for name, kind in content.items() if "json" in name), {})
        return sorted(query.keys() - known) + self._unknown(schema, body, "")

    def _unknown(self, schema: JSON, body: Any, place: str) -> list[str]:
        schema = self._at(schema["$ref"][1:]) if "$ref" in schema else schema
        if isinstance(body, list):
            return [name for item in body for name in self._unknown(schema.get("items", {}), item, place)]
        if not isinstance(body, dict) or "properties" not in schema or {"anyOf", "allOf", "additionalProperties"} & schema.keys():
            return []
        properties = schema["properties"]
        below = [self._unknown(properties[name], value, f"{place}{name}/") for name, value in body.items() if name in properties]
        return [f"{place}{name}" for name in body if name not in properties] + [name for names in below for name in names]

    def answer_problems(self, operation: Operation, status: int, body: Any) -> list[str]:
        """What an answer breaks; `body` is what its JSON says, None if it is no JSON."""
        if status not in operation.statuses:
            return [] if status in ANYWHERE or status >= 500 else [f"status {status} is not in the description"]
        return [] if body is None else self._problems(f"{operation.place}/responses/{status}", body)

    def _at(self, place: str) -> JSON:
        value: Any = self._document
        for key in place.strip("/").split("/"):
            value = value[key.replace("~1", "/").replace("~0", "~")]
        return self._at(value["$ref"][1:]) if "$ref" in value else value

    def _problems(self, place: str, body: Any) -> list[str]:
        validator = self._validator(place)
        return (
            [] if validator is None else [f"{'/'.join(map(str, e.instance_path))}: {e.message[:300]}" for e in validator.iter_errors(body)]
        )

    @functools.cache  # noqa: B019 - there is one description
    def _validator(self, place: str) -> jsonschema_rs.Validator | None:
        content = self._at(place).get("content", {})
        kind = next((kind for kind in content if "json" in kind), None)
        if kind is None:
            return None
        schema = _anchored(content[kind]["schema"])
        formats = {"uri": lambda _: True}  # names of bots have brackets, templates have braces
        return jsonschema_rs.Draft202012Validator(schema, registry=self._registry, validate_formats=True, formats=formats)


@functools.cache
def description() -> Description:
    """The one there is."""
    return Description()


def _operation(document: JSON, path: str, method: str) -> Operation:
    here = document["paths"][path][method]
    parameters = tuple(_followed(document, parameter) for parameter in here.get("parameters", ()))
    wide = {parameter["name"] for parameter in parameters if parameter.get("x-multi-segment")}
    route = ""
    for piece in re.split(r"(/?\{.*?\})", path):
        name = piece.strip("/{}")
        if not piece.endswith("}"):
            route += re.escape(piece)
        elif name == "path":
            route += "(?:/(?P<path>.*))?"  # without one it is the root of a repository
        else:
            route += f"{'/' if piece[0] == '/' else ''}(?P<{name}>{'.+' if name in wide else '[^/]+'})"
    return Operation(
        here["operationId"], method.upper(), path, f"/paths/{path.replace('/', '~1')}/{method}", re.compile(route),
        tuple(p for p in parameters if p["in"] in ("path", "query")), "requestBody" in here, frozenset(map(int, here["responses"])),
    )  # fmt: skip


def _followed(document: JSON, value: JSON) -> JSON:
    return document["components"]["parameters"][value["$ref"].split("/")[-1]] if "$ref" in value else value


def _amended(document: JSON) -> JSON:
    schemas = document["components"]["schemas"]
    for name, properties in NULL_AT_TIMES.items():
        for key in properties:
            schemas[name]["properties"][key]["nullable"] = True
    for name in ("pull-request", "pull-request-simple"):
        schemas[name]["properties"]["head"]["properties"]["repo"] = {"$ref": "#/components/schemas/nullable-repository"}
    # The description wants each account to be a user and an enterprise at once here; elsewhere it is either, as GitHub sends it.
    listed = document["paths"]["/app/installations"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    listed["items"] = {"$ref": "#/components/schemas/installation"}
    return document


def _converted(value: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: its `nullable` is a type there."""
    if isinstance(value, list):
        return [_converted(item) for item in value]
    if not isinstance(value, dict):
        return value
    # Alternatives that overlap are told apart nowhere, so that what fits two of them is no mistake.
    made = {"anyOf" if key == "oneOf" else key: _converted(item) for key, item in value.items()}
    if made.pop("nullable", False) is not True:
        return made
    if isinstance(made.get("type"), str) and not {"anyOf", "allOf"} & made.keys():
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
        return made
    return {"anyOf": [made, {"type": "null"}]}


def _anchored(value: Any) -> Any:
    if isinstance(value, list):
        return [_anchored(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: f"urn:github{item}" if key == "$ref" else _anchored(item) for key, item in value.items()}


def _plain(schema: JSON) -> str:
    return json.dumps(schema, sort_keys=True)


def _broken(schema: str, given: str) -> list[str]:
    """What a value in a path or query breaks, which comes as text."""
    kinds = json.loads(schema)
    if kinds.get("type") == "integer":
        return [] if re.fullmatch(r"-?\d+", given) else [f"{given!r} is no number"]
    if "enum" in kinds and given not in kinds["enum"]:
        return [f"{given!r} is none of {kinds['enum']}"]
    return []
