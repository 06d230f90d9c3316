"""The event language `box-sse-v1` that agents of the user's own speak on their output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from runner.harness.agent import AgentEvent

MAX_LINE_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Parser:
    """Takes an agent's output in pieces of any size and gives the events in it. What is no event is left out, as the clients do."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._name = self._data = ""
        self._too_long = False

    def feed(self, piece: bytes) -> Iterator[AgentEvent]:
        """The events that are complete now."""
        *ends, rest = piece.split(b"\n")
        for end in ends:
            line = bytes(self._rest + end)
            self._rest.clear()
            if self._too_long:
                self._too_long = False
                self._name = self._data = ""
            else:
                yield from self._line(line.rstrip(b"\r").decode("utf-8", "replace"))
        self._rest += rest
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest.clear()
            self._too_long = True

    def end(self) -> Iterator[AgentEvent]:
        """What was said last, also without the blank line that should follow it."""
        yield from self.feed(b"\n\n")

    def _line(self, line: str) -> Iterator[AgentEvent]:
        if line.startswith("event: "):
            self._name = line.removeprefix("event: ").strip()
        elif line.startswith("data: "):
            self._data = line.removeprefix("data: ")
        elif not line:
            name, data, self._name, self._data = self._name, self._data, "", ""
            if _NAME.fullmatch(name) and data:
                yield from _event(name, data)


def _event(name: str, data: str) -> Iterator[AgentEvent]:
    try:
        payload = json.loads(data)
        json.dumps(payload)  # what cannot be passed on, such as what is nested too deeply, is no event
    except (ValueError, RecursionError):
        return
    yield AgentEvent(name, payload if isinstance(payload, dict) else {})


def packed(event: AgentEvent) -> bytes:
    """An event as the clients read it: one line of JSON in which nothing but letters is left as it is."""
    return f"event: {event.kind}\ndata: {json.dumps(event.data)}\n\n".encode()
