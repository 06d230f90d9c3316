"""What a handler is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    kind: str
    subject: str


@dataclass(frozen=True)
class Context:
    """What a handler may need to know about the delivery of an event."""

    number: int
    attempt: int = 1


class Handler:
    """Handles events; subclasses override what they need."""

    kinds: frozenset[str] | None = None

    def wants(self, event: Event) -> bool:
        """Tell whether the handler is meant for an event."""
        return self.kinds is None or event.kind in self.kinds

    def process(self, event: Event, context: Context) -> None:
        """Handle an event."""
