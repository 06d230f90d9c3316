"""One thing at a time: tests and requests change the same state."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Held")


class Held(Protocol):
    """What belongs to a GitHub."""

    @property
    def github(self) -> Any:
        """The one with the lock."""


def locked(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method that holds the lock while it runs."""

    @functools.wraps(method)
    def held(self: S, *arguments: P.args, **named: P.kwargs) -> R:
        lock: threading.RLock = self.github.lock  # type: ignore[valid-type]
        with lock:
            return method(self, *arguments, **named)

    return held
