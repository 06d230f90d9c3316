"""How many tokens a call took, read from the answer while it passes by.

Three wire formats say it in different ways: Anthropic messages (`message_start`, then `message_delta`), OpenAI chat
(the last chunk) and OpenAI responses (`response.completed`). The answer itself is not touched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

_MAX_LINE_BYTES = 1 << 24
_BYTES_PER_TOKEN = 4
_LAST = ("message_delta", "response.completed", "response.incomplete", "response.failed")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one or more calls.

    Attributes:
        input: neither read from nor put into the provider's cache.
        cached_input: read from it.
        cache_write: put into it.
        output: reasoning included.
        cache_write_1h: how many of `cache_write` are for an hour, which costs more.
    """

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    cache_write_1h: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input + other.input,
            self.cached_input + other.cached_input,
            self.cache_write + other.cache_write,
            self.output + other.output,
            self.cache_write_1h + other.cache_write_1h,
        )

    @property
    def total(self) -> int:
        """All of them, each once."""
        return self.input + self.cached_input + self.cache_write + self.output


@dataclass(frozen=True, slots=True)
class Count:
    """What an answer said.

    Attributes:
        tokens: as said; where nothing was said, by the size of request and answer.
        estimated: the latter.
    """

    tokens: Tokens
    estimated: bool


class UsageReader:
    """Reads one answer.

    Args:
        stream: it comes as server-sent events.
        request_bytes: size of the question, for the estimate.
    """

    def __init__(self, stream: bool, request_bytes: int) -> None:
        self._stream, self._request_bytes = stream, request_bytes
        self.unseen_output = 0
        """Tokens that the answer may have had at most, where its rest could not be read; the estimate takes them."""
        self._rest = bytearray()
        self._usage: dict[str, Any] = {}
        self._final = False
        self._events = self._bytes = 0

    def feed(self, data: bytes) -> None:
        """The next piece of the body, cut anywhere."""
        self._bytes += len(data)
        if len(self._rest) + len(data) > _MAX_LINE_BYTES:
            self._rest.clear()  # not what any provider sends; the estimate remains
            return
        self._rest += data
        if self._stream and b"\n" in data:
            *lines, rest = self._rest.split(b"\n")
            self._rest = bytearray(rest)
            for line in lines:
                self._read_line(bytes(line))

    def result(self) -> Count:
        """What is known once the answer has ended, whole or not."""
        if self._stream:
            self._read_line(bytes(self._rest))
        else:
            self._read(bytes(self._rest))
            self._final = bool(self._usage)
        self._rest.clear()
        said = _tokens(self._usage)
        return Count(said, estimated=False) if self._final else Count(self._estimate(said), estimated=True)

    def _read_line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        self._events += 1
        if b'"usage"' in line:
            self._read(line[5:])

    def _read(self, text: bytes) -> None:
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(event, dict):
            return
        for place in (event, event.get("message"), event.get("response")):
            usage = place.get("usage") if isinstance(place, dict) else None
            if isinstance(usage, dict):
                self._usage |= {key: value for key, value in usage.items() if value is not None}
                self._final = event.get("type") in _LAST or "prompt_tokens" in usage

    def _estimate(self, said: Tokens) -> Tokens:
        """At least what was said; else four bytes a token, or one event a token as providers stream them."""
        output = self._events if self._stream else self._bytes // _BYTES_PER_TOKEN
        asked = said.input + said.cached_input + said.cache_write
        unsaid = 0 if asked else self._request_bytes // _BYTES_PER_TOKEN
        return replace(said, input=said.input + unsaid, output=max(said.output, output, self.unseen_output))


def _tokens(usage: dict[str, Any]) -> Tokens:
    """What is said as a whole or, where that is more, for each step of the answer: the whole may leave out compaction and advice."""
    steps = usage.get("iterations")
    each = sum((_plain_tokens(step) for step in steps if isinstance(step, dict)), Tokens()) if isinstance(steps, list) else Tokens()
    whole = _plain_tokens(usage)
    return Tokens(
        max(whole.input, each.input),
        max(whole.cached_input, each.cached_input),
        max(whole.cache_write, each.cache_write),
        max(whole.output, each.output),
        max(whole.cache_write_1h, each.cache_write_1h),
    )


def _plain_tokens(usage: dict[str, Any]) -> Tokens:
    if "prompt_tokens" in usage:
        return _openai(usage, "prompt_tokens", "completion_tokens")
    if "input_tokens_details" in usage or "total_tokens" in usage:
        return _openai(usage, "input_tokens", "output_tokens")
    return Tokens(
        _number(usage, "input_tokens"),
        _number(usage, "cache_read_input_tokens"),
        _number(usage, "cache_creation_input_tokens"),
        _number(usage, "output_tokens"),
        min(_number(usage.get("cache_creation"), "ephemeral_1h_input_tokens"), _number(usage, "cache_creation_input_tokens")),
    )


def _openai(usage: dict[str, Any], asked: str, answered: str) -> Tokens:
    """OpenAI counts cached tokens among the input; here they are apart."""
    details, whole = usage.get(f"{asked}_details"), _number(usage, asked)
    cached = min(_number(details, "cached_tokens"), whole)
    written = min(_number(details, "cache_write_tokens"), whole - cached)
    return Tokens(whole - cached - written, cached, written, _number(usage, answered))


def _number(place: object, key: str) -> int:
    value = place.get(key) if isinstance(place, dict) else None
    return max(value, 0) if isinstance(value, int) else 0
