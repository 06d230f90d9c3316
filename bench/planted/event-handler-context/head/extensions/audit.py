"""The audit trail: who was signed in, deleted or given rights."""

from __future__ import annotations

from events.base import Event, Handler


class AuditHandler(Handler):
    """Keeps the events that matter for security."""

    kinds = frozenset({"signed-in", "deleted", "rights-changed"})

    def __init__(self) -> None:
        self.trail: list[str] = []

    def handle(self, event: Event) -> None:
        """Keep an event."""
        self.trail.append(f"{event.kind}: {event.subject}")
