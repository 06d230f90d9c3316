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
        """Return the connection, opening it where needed.

        The lock is only taken while there is none. Who then waited for it looks again, so that it is opened once.
        """
        connection = self._connection
        if connection is None:
            with self._lock:
                connection = self._connection
                if connection is None:
                    connection = self._connection = self._connect()
        return connection

    @property
    def is_open(self) -> bool:
        """Whether the connection was opened."""
        return self._connection is not None
