"""What is on its way to the tenants' boxes, in batches that are tried until they arrive."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from box_review.agent_server.tenant_box import MemoryFull
from box_review.errors import InputError

MOST_IN_BATCH = 200
MOST_BATCH_BYTES = 48 << 10
MOST_OF_TENANT = 2000
MOST = 5000
AT_ONCE = 4
_RETRY_S = (1.0, 2.0, 5.0, 15.0, 30.0)

Deliver = Callable[[str, str, Sequence[Mapping[str, Any]]], None]
"""Carries a batch to a tenant: (tenant, batch id, observations). Raises InputError or MemoryFull if it is never taken; after
any other error it comes again."""


@dataclass
class _Batch:
    """Named and closed when it is tried first: what arrived without our knowing is then known there by its id."""

    observations: list[Mapping[str, Any]] = field(default_factory=list)
    size: int = 0
    id: str = ""


@dataclass
class _Lane:
    """One tenant's batches, oldest first; one is under way at a time."""

    batches: list[_Batch] = field(default_factory=list)
    failures: int = 0
    not_before: float = 0.0
    under_way: bool = False

    @property
    def size(self) -> int:
        return sum(len(batch.observations) for batch in self.batches)


class Outbox:
    """A lane for each tenant: one whose box hangs or cannot be reached holds up no other, and gives way where room is short.

    Args:
        news: called when a batch has come to its end, for there may be more to carry.
    """

    def __init__(self, deliver: Deliver, news: Callable[[], None]) -> None:
        self._deliver, self._news = deliver, news
        self._lanes: dict[str, _Lane] = {}
        self._changing = threading.Lock()
        self._threads = threading.Semaphore(AT_ONCE)
        self.waiting = self.delivered = self.dropped = 0
        self.last_error = ""

    def has_room(self) -> bool:
        """Whether one more may be added; who fails gives way for it."""
        with self._changing:
            return self.waiting < MOST or self._give_way()

    def add(self, tenant: str, observation: Mapping[str, Any]) -> None:
        """One more; it is dropped if too much of this tenant waits already."""
        with self._changing:
            lane = self._lanes.setdefault(tenant, _Lane())
            if lane.size >= MOST_OF_TENANT:
                self.dropped += 1
                return
            last = lane.batches[-1] if lane.batches else None
            size = len(observation["request"]) + len(observation["response"])
            if last is None or last.id or len(last.observations) >= MOST_IN_BATCH or last.size + size > MOST_BATCH_BYTES:
                lane.batches.append(last := _Batch())
            last.observations.append(observation)
            last.size += size
            self.waiting += 1

    def _give_way(self) -> bool:
        """Drop the newest batch of the fullest lane that fails; False if none does."""
        failing = [lane for lane in self._lanes.values() if lane.failures and len(lane.batches) > 1]
        if not failing:
            return False
        gone = len(max(failing, key=lambda lane: lane.size).batches.pop().observations)
        self.waiting -= gone
        self.dropped += gone
        return True

    def try_all_now(self) -> None:
        """Whoever failed is tried without waiting longer."""
        with self._changing:
            for lane in self._lanes.values():
                lane.not_before = 0.0

    def carry(self) -> None:
        """Begin to deliver what is due: a batch of each tenant, `AT_ONCE` in all. Returns at once."""
        with self._changing:
            now = time.monotonic()
            due = [(tenant, lane) for tenant, lane in self._lanes.items() if lane.batches and not lane.under_way and lane.not_before <= now]
            for tenant, lane in due:
                if not self._threads.acquire(blocking=False):
                    return
                lane.under_way = True
                self._lanes[tenant] = self._lanes.pop(tenant)  # the others come first the next time
                threading.Thread(target=self._try, args=(tenant, lane), name="box-review-outbox", daemon=True).start()

    def _try(self, tenant: str, lane: _Lane) -> None:
        batch, error = lane.batches[0], None
        batch.id = batch.id or f"{time.time_ns():020d}-{secrets.token_hex(4)}"  # sorts by time: what was observed first is digested first
        try:
            self._deliver(tenant, batch.id, batch.observations)
        except Exception as problem:
            error = problem
        finally:
            self._threads.release()
        self._came_to(tenant, lane, batch, error)
        self._news()

    def _came_to(self, tenant: str, lane: _Lane, batch: _Batch, error: Exception | None) -> None:
        refused = isinstance(error, InputError | MemoryFull)
        with self._changing:
            lane.under_way = False
            if error is not None:
                self.last_error = str(error) if refused else f"{type(error).__name__}: {error}"
            if error is not None and not refused:  # a boundary: the server may be away, and is asked again
                lane.not_before = time.monotonic() + _RETRY_S[min(lane.failures, len(_RETRY_S) - 1)]
                lane.failures += 1
                return
            count = len(batch.observations)
            self.dropped, self.delivered = self.dropped + refused * count, self.delivered + (not refused) * count
            lane.batches.pop(0)
            lane.failures = 0
            self.waiting -= count
            if not lane.batches:
                self._lanes.pop(tenant, None)
