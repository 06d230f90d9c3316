"""Keeping the answers of methods for a while."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Protocol


class Keeper(Protocol):
    """An object that keeps answers: until when, and the answer."""

    clock: Callable[[], float]
    kept: dict[Hashable, tuple[float, Any]]


def cached(lifetime: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Keep what a method answers for the lifetime, in seconds."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def answer(self: Keeper, *args: Any, **kwargs: Any) -> Any:
            key = (function.__name__, args)
            now = self.clock()
            kept = self.kept.get(key)
            if kept is not None and kept[0] > now:
                return kept[1]
            value = function(self, *args, **kwargs)
            self.kept[key] = (now + lifetime, value)
            return value

        return answer

    return decorate
