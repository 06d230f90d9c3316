"""What is observed: a request to a service, its response, and what is known of both."""

from __future__ import annotations

import codecs
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from box_review.sanitize import visible
from box_review.scrub import scrub

MAX_TEXT_BYTES = 8 << 10
"""How much of a request or response is kept."""

MAX_FIELDS = 20
MAX_FIELD = 200
Body = str | bytes | Mapping[str, Any] | list[Any] | None


@dataclass(frozen=True, slots=True)
class Observation:
    """One request and its response, as they were given: nothing is copied, read or checked until `told`."""

    request: Body
    response: Body
    metadata: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def told(observation: Observation, redact: Callable[[str], str] | None = None) -> dict[str, Any]:
    """An observation as a tenant's box keeps it: bounded, without what acts or hides, and without credentials and addresses of people.

    Args:
        redact: a look of the caller's own, after ours.
    """

    def clean(body: Body, limit: int) -> str:
        text = scrub(visible(_text(body, limit), multiline=True)).text
        return redact(text) if redact else text

    fields = list(observation.metadata.items())[:MAX_FIELDS]
    return {
        "id": f"o-{secrets.token_hex(5)}",
        "at": observation.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "request": clean(observation.request, MAX_TEXT_BYTES),
        "response": clean(observation.response, MAX_TEXT_BYTES),
        "metadata": {clean(str(name), MAX_FIELD): clean(str(value), MAX_FIELD) for name, value in fields},
    }


def _text(body: Body, limit: int) -> str:
    """A body as text, cut to `limit` bytes; what is no text is only measured."""
    if body is None:
        return ""
    if isinstance(body, str):
        return _cut(body, limit)
    if isinstance(body, bytes | bytearray | memoryview):
        try:  # a letter that is cut in two at the end is no sign of anything
            text = codecs.getincrementaldecoder("utf-8")().decode(bytes(body[:limit]), final=len(body) <= limit)
        except UnicodeDecodeError:
            text = "\0"
        return f"[{len(body)} bytes that are no text]" if "\0" in text else _cut(text, limit, len(body))
    return _cut(json.dumps(body, ensure_ascii=False, default=str)[: limit * 2], limit)


def _cut(text: str, limit: int, size: int | None = None) -> str:
    kept = text[:limit]
    encoded = kept.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
    whole = size if size is not None else len(text)
    return encoded if len(encoded) >= whole else f"{encoded} [… of {whole}]"
