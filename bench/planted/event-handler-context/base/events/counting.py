"""Counts events."""

from __future__ import annotations

from collections import Counter

from events.base import Event, Handler


class CountingHandler(Handler):
    """How many events of each kind there were."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def handle(self, event: Event) -> None:
        """Count an event."""
        self.counts[event.kind] += 1
