"""What routes work with: the caller's tenant, and the box a path names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header
from fastapi.requests import HTTPConnection

from runner.api.agent_runs import AgentRuns
from runner.api.book import Book
from runner.api.boxes import Boxes
from runner.api.clock import Clock
from runner.api.entries import BoxEntry
from runner.api.webhooks import Webhooks
from sandbox.box import Box


async def _boxes(connection: HTTPConnection) -> Boxes:
    boxes: Boxes = connection.app.state.boxes
    return boxes


async def _agent_runs(connection: HTTPConnection) -> AgentRuns:
    agent_runs: AgentRuns = connection.app.state.agent_runs
    return agent_runs


async def _clock(connection: HTTPConnection) -> Clock:
    clock: Clock = connection.app.state.clock
    return clock


async def _webhooks(connection: HTTPConnection) -> Webhooks:
    webhooks: Webhooks = connection.app.state.webhooks
    return webhooks


async def _tenant(x_box_tenant: Annotated[str, Header(include_in_schema=False)]) -> str:
    """Who calls, as the front found by the key; only the front can reach this server."""
    return x_box_tenant


AllBoxes = Annotated[Boxes, Depends(_boxes)]
AllAgentRuns = Annotated[AgentRuns, Depends(_agent_runs)]
AllWebhooks = Annotated[Webhooks, Depends(_webhooks)]
TheClock = Annotated[Clock, Depends(_clock)]
Tenant = Annotated[str, Depends(_tenant)]


@dataclass(frozen=True, slots=True)
class Named:
    """The box that a path names."""

    boxes: Boxes
    entry: BoxEntry
    box: Box

    @property
    def now(self) -> BoxEntry:
        """What is known of it at this moment; `entry` is from when the request began. Raises Missing."""
        return self.book.box_of_anyone(self.entry.id)

    @property
    def book(self) -> Book:
        """Where its settings, runs and logs are kept."""
        return self.boxes.book


async def _named(box_id: str, boxes: AllBoxes, tenant: Tenant) -> Named:
    return Named(boxes, *boxes.find(tenant, box_id))


async def _used(box_id: str, boxes: AllBoxes, tenant: Tenant) -> Named:
    return Named(boxes, *boxes.use(tenant, box_id))


NamedBox = Annotated[Named, Depends(_named)]
UsedBox = Annotated[Named, Depends(_used)]
"""The same for work in the box, which counts as activity."""
