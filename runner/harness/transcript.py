"""What an agent did, kept for those who want to know how it came to its answer. Bounded, and all of it from the box."""

from __future__ import annotations

import json

import structlog

from runner.artifacts import Artifacts
from runner.harness.agent import AgentEvent

log = structlog.get_logger()

_ALL = 8 << 20
_EACH = 20_000


class Transcript:
    """Lines of JSON, one an event."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def add(self, event: AgentEvent) -> None:
        """Keep an event, cut to a bearable length; too many are counted no more."""
        line = json.dumps({"kind": event.kind, **{name: _cut(value) for name, value in event.data.items()}})
        self._size += len(line)
        if self._size <= _ALL:
            self._lines.append(line)

    async def save(self, artifacts: Artifacts, review_id: str, lane: str) -> None:
        """Keep it beside the review. One that cannot be kept is no reason to lose a verdict."""
        try:
            await artifacts.write(f"reviews/{review_id}/transcripts/{lane}.jsonl", self.as_bytes())
        except OSError as error:
            log.warning("a transcript could not be kept", review_id=review_id, lane=lane, error=str(error))

    def as_bytes(self) -> bytes:
        """All of it."""
        return "\n".join(self._lines).encode("utf-8", "replace") + b"\n"


def _cut(value: object) -> object:
    if isinstance(value, str):
        return value[:_EACH]
    text = json.dumps(value, default=str)
    return value if len(text) <= _EACH else text[:_EACH]
