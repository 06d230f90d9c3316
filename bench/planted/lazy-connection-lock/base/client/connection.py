"""The connection that all threads share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol


class Connection(Protocol):
    """What a connection can do."""

    def ask(self, question: str) -> str:
        """Return the answer to a question."""


class Shared:
    """Opens the connection when it is first needed."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def get(self) -> Connection:
        """Return the connection, opening it where needed."""
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection
