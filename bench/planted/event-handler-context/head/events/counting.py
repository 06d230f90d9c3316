"""Counts events."""

from __future__ import annotations

from collections import Counter

from events.base import Context, Event, Handler


class CountingHandler(Handler):
    """How many events of each kind there were."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def process(self, event: Event, context: Context) -> None:
        """Count an event."""
        self.counts[event.kind] += 1
