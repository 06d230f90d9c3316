"""What goes wrong on the way, when a test says so."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from tests.fakes.github.wire import DOCS, Answer, Request


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    Args:
        status: the answer is this error, and nothing was done.
        message: what it says.
        headers: of that answer.
        delay_s: before anything is done.
        cut_before: the connection breaks before anything is done.
        cut_after: what is asked for is done, and the connection breaks before the answer.
    """

    status: int | None = None
    message: str = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut_before: bool = False
    cut_after: bool = False

    CUT_BEFORE: ClassVar[Fault]
    CUT_AFTER_WRITE: ClassVar[Fault]

    @classmethod
    def answers(cls, status: int, message: str = "scripted", **headers: str) -> Self:
        """An error of any kind; underscores in names of headers are dashes."""
        return cls(status, message, {name.replace("_", "-"): value for name, value in headers.items()})

    @classmethod
    def slow(cls, seconds: float) -> Self:
        """The right answer, late."""
        return cls(delay_s=seconds)

    @classmethod
    def secondary_limit(cls, retry_after_s: int = 1, status: int = 403) -> Self:
        """Too much at once: wait as long as `retry-after` says."""
        return cls(
            status,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            {"retry-after": str(retry_after_s)},
        )

    @classmethod
    def primary_limit(cls, reset_in_s: int = 1, status: int = 403) -> Self:
        """Nothing left of this hour's requests: wait until `x-ratelimit-reset`."""
        headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0", "x-ratelimit-used": "5000", "x-ratelimit-resource": "core"}
        return cls(
            status, "API rate limit exceeded for installation ID 1.", {**headers, "x-ratelimit-reset": str(int(time.time()) + reset_in_s)}
        )

    @property
    def answer(self) -> Answer | None:
        """The error, or None if this is a fault of another kind."""
        if self.status is None:
            return None
        return Answer(self.status, {"message": self.message, "documentation_url": DOCS, "status": str(self.status)}, self.headers)


Fault.CUT_BEFORE = Fault(cut_before=True)
Fault.CUT_AFTER_WRITE = Fault(cut_after=True)


@dataclass
class _Planned:
    method: str
    path: re.Pattern[str]
    fault: Fault
    times: int
    skip: int


class Faults:
    """Those that are to come; `met` are the requests that got one."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []
        self.met: list[Request] = []

    def add(self, method: str, path: str, fault: Fault, *, times: int = 1, after: int = 0) -> None:
        """Let a request fail.

        Args:
            method: `GET`, …; `*` for any.
            path: a regular expression that is searched in the path, which begins with `/api/v3` for the API.
            fault: how.
            times: how many requests; a negative number never ends.
            after: how many such requests are let through first.
        """
        self._planned.append(_Planned(method, re.compile(path), fault, times, after))

    def clear(self) -> None:
        """Nothing more goes wrong."""
        self._planned.clear()

    def take(self, request: Request) -> Fault | None:
        """The fault of a request, or None."""
        for planned in self._planned:
            if planned.method not in ("*", request.method) or not planned.path.search(request.path) or planned.times == 0:
                continue
            if planned.skip:
                planned.skip -= 1
                continue
            planned.times -= 1
            self.met.append(request)
            return planned.fault
        return None
