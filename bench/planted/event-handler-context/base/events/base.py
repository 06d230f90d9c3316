"""What a handler is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    kind: str
    subject: str


class Handler:
    """Handles events; subclasses override what they need."""

    kinds: frozenset[str] | None = None

    def wants(self, event: Event) -> bool:
        """Tell whether the handler is meant for an event."""
        return self.kinds is None or event.kind in self.kinds

    def handle(self, event: Event) -> None:
        """Handle an event."""
