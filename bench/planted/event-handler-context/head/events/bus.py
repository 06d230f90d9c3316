"""Sending events to handlers."""

from __future__ import annotations

import logging

from events.base import Context, Event, Handler

logger = logging.getLogger(__name__)


class Bus:
    """Knows all handlers; a handler that fails does not stop the others."""

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._sent = 0

    def add(self, handler: Handler) -> None:
        """Add a handler."""
        self._handlers.append(handler)

    def send(self, event: Event) -> int:
        """Send an event to the handlers that want it and return how many handled it."""
        handled = 0
        self._sent += 1
        context = Context(self._sent)
        for handler in self._handlers:
            if not handler.wants(event):
                continue
            try:
                handler.process(event, context)
            except Exception:
                logger.exception("%s failed", type(handler).__name__)
            else:
                handled += 1
        return handled
