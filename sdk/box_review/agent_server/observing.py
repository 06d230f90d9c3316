"""Observing without slowing what is observed: a bounded queue, and a thread that brings it into the outbox."""

from __future__ import annotations

import atexit
import os
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from box_review.agent_server.observation import Beginning, Body, Observation, told
from box_review.agent_server.outbox import MOST_OF_TENANT, Deliver, Outbox

MOST_WAITING = 10_000
MOST_BYTES = 64 << 20
EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of observations: `waiting` ones are in this process yet; `dropped` had no room, `skipped` were not in the sample."""

    taken: int
    delivered: int
    waiting: int
    dropped: int
    skipped: int
    last_error: str = ""


class Observer:
    """Takes observations of any number of tenants. `observe` neither waits nor raises; the rest happens in threads of its own.

    Args:
        deliver: called in threads of the outbox, for one tenant in one at a time.
        sample: which share of observations is taken.
        redact: see `observation.told`.
    """

    def __init__(self, deliver: Deliver, *, sample: float = 1.0, redact: Callable[[str], str] | None = None) -> None:
        self._deliver, self._sample, self._redact = deliver, sample, redact
        self._begin()

    def _begin(self) -> None:
        """Nothing is there yet: at the beginning, and in a process that was forked from one which has the thread."""
        self._process = os.getpid()
        self._waiting: deque[tuple[str, Observation, int]] = deque()
        self._of: Counter[str] = Counter()  # how many wait of each tenant
        self._counting, self._starting = threading.Lock(), threading.Lock()
        self._wanted, self._rested = threading.Event(), threading.Event()
        self._outbox = Outbox(self._deliver, self._news)
        self._bytes = self._taken = self._dropped = self._skipped = 0
        self._error = ""
        self._closed = False
        self._thread: threading.Thread | None = None

    def _news(self) -> None:
        self._wanted.set()
        self._rested.set()

    def observe(self, tenant: str, request: Body, response: Body = None, metadata: Mapping[str, Any] | None = None) -> bool:
        """Take an observation; False if it was not. Objects are read later: don't change them afterwards."""
        try:
            return self._take(tenant, request, response, metadata)
        except Exception as error:
            self._error = f"{type(error).__name__}: {error}"
            self._dropped += 1
            return False

    def _take(self, tenant: str, request: Body, response: Body, metadata: Mapping[str, Any] | None) -> bool:
        if self._process != os.getpid():
            self._begin()
        if self._closed or (self._sample < 1.0 and random.random() >= self._sample):  # noqa: S311 - sampling
            self._skipped += 1
            return False
        size = _size(request) + _size(response)
        with self._counting:
            room = len(self._waiting) < MOST_WAITING and self._bytes + size <= MOST_BYTES and self._of[tenant] < MOST_OF_TENANT
            if not room:
                self._dropped += 1
                return False
            self._bytes += size
            self._taken += 1
            self._of[tenant] += 1
            self._waiting.append((tenant, Observation(request, response, metadata or {}), size))
        if self._thread is None:
            self._start()
        return True

    @property
    def counts(self) -> Counts:
        """What became of all observations so far."""
        out = self._outbox
        waiting = len(self._waiting) + out.waiting
        return Counts(self._taken, out.delivered, waiting, self._dropped + out.dropped, self._skipped, out.last_error or self._error)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Deliver what waits; False if some of it could not be within `timeout_s`. It then waits on."""
        if self._process != os.getpid():
            return True
        ends = time.monotonic() + timeout_s
        while not self._settled() and (left := ends - time.monotonic()) > 0:
            self._outbox.try_all_now()
            self._rested.clear()
            self._wanted.set()
            self._rested.wait(min(left, 0.2))
        return self._settled()

    def close(self, timeout_s: float = 10.0) -> bool:
        """Deliver what waits and end; False if some of it was lost."""
        delivered = self.flush(timeout_s)
        self._closed = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(1)
            atexit.unregister(self.close)
        return delivered

    def _settled(self) -> bool:
        return not self._waiting and not self._outbox.waiting

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="box-review-observer", daemon=True)
                self._thread.start()
                atexit.register(self.close)

    def _work(self) -> None:
        while not self._closed:
            self._wanted.wait(EVERY_S)
            self._wanted.clear()
            while self._waiting and not self._closed and self._put_out():
                time.sleep(0)  # who is observed goes first
            self._outbox.carry()
            self._rested.set()

    def _put_out(self) -> bool:
        """Bring the oldest that waits into the outbox; False if there is no room."""
        tenant, observation, size = self._waiting[0]
        if not self._outbox.has_room():
            return False
        try:
            self._outbox.add(tenant, told(observation, self._redact))
        except Exception as error:  # a body that cannot be read, or the caller's own redaction
            self._error = f"an observation could not be read: {type(error).__name__}: {error}"
            self._dropped += 1
        with self._counting:
            self._waiting.popleft()
            self._bytes -= size
            self._of[tenant] -= 1
            if not self._of[tenant]:
                del self._of[tenant]
        return True


def _size(body: Body) -> int:
    if isinstance(body, str | bytes | bytearray):
        return len(body)
    if isinstance(body, Beginning):
        return len(body.data)
    return 1000 if body is not None else 0
