"""The pool."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


class Connection(Protocol):
    """What a connection can do."""

    def execute(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Run one statement."""


class PoolExhausted(Exception):
    """No connection became free in time."""


@dataclass
class Times:
    """How long queries took, in seconds."""

    queries: int = 0
    waiting: float = 0.0
    running: float = 0.0

    def add(self, waiting: float, running: float) -> None:
        """Count one query."""
        self.queries += 1
        self.waiting += waiting
        self.running += running


class Pool:
    """A fixed number of connections."""

    def __init__(self, connect: Callable[[], Connection], size: int = 4, timeout: float = 5.0) -> None:
        self.timeout = timeout
        self.times = Times()
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
        asked = time.monotonic()
        connection = self.acquire()
        started = time.monotonic()
        result = connection.execute(statement, values)
        self.release(connection)
        self.times.add(started - asked, time.monotonic() - started)
        return result
