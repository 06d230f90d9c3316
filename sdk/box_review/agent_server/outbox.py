"""What is on its way to the tenants' boxes, in batches that are tried until they arrive. Used by one thread."""

from __future__ import annotations

import secrets
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
    """One tenant's batches, oldest first."""

    batches: list[_Batch] = field(default_factory=list)
    failures: int = 0
    not_before: float = 0.0

    @property
    def size(self) -> int:
        return sum(len(batch.observations) for batch in self.batches)


class Outbox:
    """A lane for each tenant: one whose box cannot be reached holds up no other, and takes a bounded part of the room."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._lanes: dict[str, _Lane] = {}
        self.waiting = self.delivered = self.dropped = 0
        self.last_error = ""

    @property
    def full(self) -> bool:
        """No more may be added before some of it is carried."""
        return self.waiting >= MOST

    def add(self, tenant: str, observation: Mapping[str, Any]) -> None:
        """One more; it is dropped if too much of this tenant waits already."""
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

    def try_all_now(self) -> None:
        """Whoever failed is tried without waiting longer."""
        for lane in list(self._lanes.values()):
            lane.not_before = 0.0

    def carry(self, stop: Callable[[], bool]) -> None:
        """Deliver what is due, until nothing is or `stop` says so: a batch of each tenant in turn."""
        due = True
        while due and not stop():
            due = False
            for tenant, lane in list(self._lanes.items()):
                if lane.batches and lane.not_before <= time.monotonic() and not stop():
                    self._try(tenant, lane)
                    due = True
                if not lane.batches:
                    self._lanes.pop(tenant)

    def _try(self, tenant: str, lane: _Lane) -> None:
        batch = lane.batches[0]
        batch.id = batch.id or f"{time.time_ns():020d}-{secrets.token_hex(4)}"  # sorts by time: what was observed first is digested first
        try:
            self._deliver(tenant, batch.id, batch.observations)
        except (InputError, MemoryFull) as error:
            self.last_error = str(error)
            self.dropped += len(batch.observations)
        except Exception as error:
            self.last_error = f"{type(error).__name__}: {error}"
            lane.not_before = time.monotonic() + _RETRY_S[min(lane.failures, len(_RETRY_S) - 1)]
            lane.failures += 1
            return
        else:
            self.delivered += len(batch.observations)
        lane.batches.pop(0)
        lane.failures = 0
        self.waiting -= len(batch.observations)
