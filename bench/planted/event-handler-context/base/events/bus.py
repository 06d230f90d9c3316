"""Sending events to handlers."""

from __future__ import annotations

import logging

from events.base import Event, Handler

logger = logging.getLogger(__name__)


class Bus:
    """Knows all handlers; a handler that fails does not stop the others."""

    def __init__(self) -> None:
        self._handlers: list[Handler] = []

    def add(self, handler: Handler) -> None:
        """Add a handler."""
        self._handlers.append(handler)

    def send(self, event: Event) -> int:
        """Send an event to the handlers that want it and return how many handled it."""
        handled = 0
        for handler in self._handlers:
            if not handler.wants(event):
                continue
            try:
                handler.handle(event)
            except Exception:
                logger.exception("%s failed", type(handler).__name__)
            else:
                handled += 1
        return handled
