"""The body of a model call: read, checked, and changed only where it must be."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h11

from sandbox.gateway.errors import BadHttp
from sandbox.gateway.provider import Endpoint
from sandbox.gateway.requests import Requests

_NETWORK_TOOLS = ("web_search", "web_fetch", "code_execution", "code_interpreter", "file_search", "mcp")
_NETWORK_FIELDS = ("mcp_servers", "web_search_options")
_SURCHARGED = (("service_tier", "priority"), ("speed", "fast"))
_CONTENT_FIELDS = ("system", "messages", "input", "instructions")
# What programs and models made up: no instruction to the provider, whatever it looks like.
_FREE_FIELDS = frozenset(("input_schema", "parameters", "schema", "arguments"))
_TOOL_CALLS = frozenset(("tool_use", "server_tool_use", "mcp_tool_use", "custom_tool_call"))


@dataclass(frozen=True, slots=True)
class Question:
    """A model call.

    Attributes:
        endpoint: where it was sent.
        model: that was asked for.
        raw: the body as it came, not compressed.
        body: the same, read.
    """

    endpoint: Endpoint
    model: str
    raw: bytes
    body: dict[str, Any]

    def for_model(self, model: str) -> bytes:
        """The body for a model: as it came, unless the model is another one or usage would be missing from a stream."""
        changed: dict[str, Any] = {} if model == self.model else {"model": model}
        if self.endpoint.path == "/chat/completions" and self.body.get("stream"):
            options = self.body.get("stream_options") or {}
            if isinstance(options, dict) and options.get("include_usage") is not True:
                changed["stream_options"] = options | {"include_usage": True}
        return json.dumps(self.body | changed).encode() if changed else self.raw

    def way_around(self) -> str | None:
        """What in it would let the provider reach hosts for the box; None if nothing does."""
        for field in _NETWORK_FIELDS:
            if self.body.get(field):
                return field
        for part in _objects(self.body.get("tools")):
            kind = part.get("type")
            if isinstance(kind, str) and kind.startswith(_NETWORK_TOOLS):
                return f"the tool {kind[:40]!a}"
        for part in _objects([self.body.get(field) for field in _CONTENT_FIELDS]):
            if any(_is_web(part.get(key)) for key in ("image_url", "file_url")) or (part.get("type") == "url" and _is_web(part.get("url"))):
                return "a URL the provider would fetch"
        return None

    def surcharge(self) -> str | None:
        """What in it costs more than the price table says; None if nothing does."""
        return next((f"{field} {value}" for field, value in _SURCHARGED if self.body.get(field) == value), None)


async def read_question(client: Requests, request: h11.Request, endpoint: Endpoint, limit: int) -> Question:
    """Read a call's body.

    Args:
        client: where it comes from.
        request: its head.
        endpoint: where it goes.
        limit: of the body in bytes, after decompression too.

    Raises:
        BadHttp: too long, compressed in an unknown way, or not a JSON object with a `model`.
    """
    raw = bytearray()
    async for data in client.body():
        raw += data
        if len(raw) > limit:
            raise BadHttp(f"the request's body takes more than {limit} bytes", 413)
    plain = _decoded(bytes(raw), request, limit)
    try:
        body = json.loads(plain.decode("utf-8"), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise BadHttp("the request's body is not JSON in UTF-8, or names a field twice") from error
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise BadHttp("the request's body names no model")
    if len({name.casefold() for name in body}) < len(body):
        raise BadHttp("the request's body names a field twice in different case, which some providers ignore")
    if body.get("background"):
        raise BadHttp("background answers are not counted and cannot be asked for")
    return Question(endpoint, body["model"], plain, body)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two fields with one name, we might read one and the provider the other."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is named twice")
    return fields


def _decoded(raw: bytes, request: h11.Request, limit: int) -> bytes:
    encodings = [value.lower() for name, value in request.headers if name == b"content-encoding"]
    if encodings in ([], [b"identity"]):
        return raw
    if encodings != [b"gzip"]:
        raise BadHttp("request bodies are taken plain or as gzip", 415)
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(raw, limit)
    except zlib.error as error:
        raise BadHttp("the request's body is not gzip, as it says") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise BadHttp(f"the request's body is cut, or takes more than {limit} bytes when unpacked", 413)
    return plain


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """Every JSON object within a value that means something to the provider."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            made_up = _FREE_FIELDS | {"input"} if part.get("type") in _TOOL_CALLS else _FREE_FIELDS
            waiting.extend(value for key, value in part.items() if key not in made_up)
        elif isinstance(part, list):
            waiting.extend(part)


def _is_web(value: object) -> bool:
    url = value.get("url") if isinstance(value, dict) else value
    return isinstance(url, str) and not url.lower().lstrip().startswith("data:")
