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

OVERLAP = 512
"""Bytes beyond that which are looked at, so that a credential is not cut in two before it is seen."""

MAX_FIELDS = 20
MAX_FIELD = 200


class Beginning:
    """A body that passes by: as much of it as is looked at, and how long it was."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.size = 0

    def add(self, piece: bytes) -> bytes:
        """The next piece; returns it."""
        self.data += piece[: max(0, MAX_TEXT_BYTES + OVERLAP - len(self.data))]
        self.size += len(piece)
        return piece


Body = str | bytes | Beginning | Mapping[str, Any] | list[Any] | None


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
        text, size = _text(body, limit + OVERLAP)  # with what is cut off, which may be half of a credential
        text = scrub(visible(text, multiline=True)).text
        text = redact(text) if redact else text
        kept = text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
        return kept if kept == text and size <= limit + OVERLAP else f"{kept} [… of {size}]"

    fields = list(observation.metadata.items())[:MAX_FIELDS]
    return {
        "id": f"o-{secrets.token_hex(5)}",
        "at": observation.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "request": clean(observation.request, MAX_TEXT_BYTES),
        "response": clean(observation.response, MAX_TEXT_BYTES),
        "metadata": dict(_field(clean(str(name), MAX_FIELD), clean(str(value), MAX_FIELD)) for name, value in fields),
    }


def _field(name: str, value: str) -> tuple[str, str]:
    """A field of metadata, scrubbed by its name too."""
    return name, scrub(f"{name}={value}").text[len(name) + 1 :]


def _text(body: Body, limit: int) -> tuple[str, int]:
    """The beginning of a body as text, and the size of all of it; what is no text is only measured."""
    if body is None:
        return "", 0
    if isinstance(body, str):
        return body[:limit], len(body)
    if isinstance(body, Beginning):
        return _of_bytes(bytes(body.data), body.size)
    if isinstance(body, bytes | bytearray | memoryview):
        return _of_bytes(bytes(body[:limit]), len(body))
    text = json.dumps(body, ensure_ascii=False, default=str)
    return text[:limit], len(text)


def _of_bytes(beginning: bytes, size: int) -> tuple[str, int]:
    try:  # a letter that is cut in two at the end is no sign of anything
        text = codecs.getincrementaldecoder("utf-8")().decode(beginning, final=len(beginning) == size)
    except UnicodeDecodeError:
        text = "\0"
    return (f"[{size} bytes that are no text]", 0) if "\0" in text else (text, size)
