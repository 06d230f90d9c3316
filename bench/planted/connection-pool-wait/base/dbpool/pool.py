"""The pool."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any, Protocol


class Connection(Protocol):
    """What a connection can do."""

    def execute(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Run one statement."""


class PoolExhausted(Exception):
    """No connection became free in time."""


class Pool:
    """A fixed number of connections."""

    def __init__(self, connect: Callable[[], Connection], size: int = 4, timeout: float = 5.0) -> None:
        self.timeout = timeout
        self._free: queue.LifoQueue[Connection] = queue.LifoQueue()
        for _ in range(size):
            self._free.put(connect())

    @property
    def free(self) -> int:
        """How many connections are not in use."""
        return self._free.qsize()

    def acquire(self) -> Connection:
        """Take a connection, waiting for one where none is free."""
        try:
            return self._free.get(timeout=self.timeout)
        except queue.Empty:
            raise PoolExhausted(f"no connection within {self.timeout} s") from None

    def release(self, connection: Connection) -> None:
        """Give a connection back."""
        self._free.put(connection)

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement with a connection of the pool."""
        connection = self.acquire()
        try:
            return connection.execute(statement, values)
        finally:
            self.release(connection)
