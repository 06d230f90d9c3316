"""The body of a model call: read, checked, and changed only where it must be."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import h11

from sandbox.gateway.errors import BadHttp
from sandbox.gateway.provider import Endpoint
from sandbox.gateway.requests import Requests
from sandbox.gateway.tools import unseen, way_around

_MAX_PARTS = 300_000
_SURCHARGED = (("service_tier", "priority"), ("speed", "fast"))
_BOUNDS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_MOST_OUTPUT = 128_000
_MOST_ANSWERS = 128


@dataclass(frozen=True, slots=True)
class Question:
    """A model call. Of the body only what is needed is kept, since it takes many times its size once it is read.

    Attributes:
        endpoint: where it was sent.
        model: that was asked for.
        size: of the body in bytes, not compressed.
        bodies: the models to ask with the body for each: as it came, unless the model is another one or usage would be missing.
        around: what in it would let the provider reach hosts for the box; None if nothing does.
        surcharge: what in it costs more than the price table says; None if nothing does.
        goes_on: it goes on from an answer that the provider kept, so its size says nothing.
        max_output: tokens that it asks for at most; where it does not say, what models can give.
    """

    endpoint: Endpoint
    model: str
    size: int
    bodies: tuple[tuple[str, bytes], ...]
    around: str | None
    surcharge: str | None
    goes_on: bool
    max_output: int


async def receive(client: Requests, limit: int) -> bytes:
    """Read a call's body as it comes. Raises BadHttp: it takes more bytes than `limit`, or broke off."""
    raw = bytearray()
    async for data in client.body():
        raw += data
        if len(raw) > limit:
            raise BadHttp(f"the request's body takes more than {limit} bytes", 413)
    return bytes(raw)


def read_question(raw: bytes, request: h11.Request, endpoint: Endpoint, limit: int, fallbacks: Sequence[str] = ()) -> Question:
    """What a call's body says. Takes long for big ones: made for a thread.

    Args:
        raw: the body as it came.
        request: its head.
        endpoint: where it goes.
        limit: of the body in bytes after decompression.
        fallbacks: models to ask after the one that it names.

    Raises:
        BadHttp: too long, compressed in an unknown way, or not a JSON object that can be checked.
    """
    plain = _decoded(raw, request, limit)
    if sum(plain.count(sign) for sign in (b"{", b"[", b",")) > _MAX_PARTS:
        raise BadHttp(f"the request's body has more than {_MAX_PARTS} parts", 413)
    body = _read(plain)
    model = body["model"]
    others = [name for name in fallbacks if name != model]
    return Question(
        endpoint,
        model,
        len(plain),
        tuple((name, _for_model(name, plain, body, endpoint)) for name in (model, *others)),
        way_around(body),
        next((f"{field} {value}" for field, value in _SURCHARGED if body.get(field) == value), None),
        bool(body.get("previous_response_id")),
        _max_output(body),
    )


def _read(plain: bytes) -> dict[str, Any]:
    try:
        body = json.loads(plain.decode("utf-8"), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise BadHttp("the request's body is not JSON in UTF-8, or names a field twice") from error
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise BadHttp("the request's body names no model")
    if any(name != name.casefold() for name in body):
        raise BadHttp("the request's body has a field that is not in lower case, which some providers ignore")
    if body.get("background"):
        raise BadHttp("background answers are not counted and cannot be asked for")
    field = unseen(body)
    if field is not None:
        raise BadHttp(f"{field} leads to what cannot be checked here and cannot be asked for")
    return body


def _for_model(model: str, plain: bytes, body: dict[str, Any], endpoint: Endpoint) -> bytes:
    changed: dict[str, Any] = {} if model == body["model"] else {"model": model}
    if endpoint.path == "/chat/completions" and body.get("stream"):
        options = body.get("stream_options") or {}
        if isinstance(options, dict) and options.get("include_usage") is not True:
            changed["stream_options"] = options | {"include_usage": True}
    return json.dumps(body | changed).encode() if changed else plain


def _max_output(body: dict[str, Any]) -> int:
    asked = [value for value in map(body.get, _BOUNDS) if isinstance(value, int) and value > 0]
    answers = body.get("n")
    times = min(max(answers, 1), _MOST_ANSWERS) if isinstance(answers, int) else 1
    return min(max(asked, default=_MOST_OUTPUT), _MOST_OUTPUT) * times


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
