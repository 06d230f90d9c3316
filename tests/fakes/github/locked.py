"""One thing at a time: tests and requests change the same state."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

M = TypeVar("M", bound=Callable[..., Any])


def locked(method: M) -> M:
    """A method of what belongs to a GitHub that holds its lock while it runs."""

    @functools.wraps(method)
    def held(self: Any, *arguments: Any, **named: Any) -> Any:
        with self.github.lock:
            return method(self, *arguments, **named)

    return cast("M", held)
