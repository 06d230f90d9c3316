"""What routes work with: the caller's tenant, and the box a path names."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header
from fastapi.requests import HTTPConnection

from runner.api.agent_runs import AgentRuns
from runner.api.book import Book
from runner.api.boxes import Boxes
from runner.api.clock import Clock
from runner.api.entries import BoxEntry
from runner.api.runs import OpenRun
from runner.api.webhooks import Webhooks
from runner.api.work import spoken
from sandbox.box import Box, Command


def _kept(name: str) -> Any:
    """What the application keeps under a name."""

    async def get(connection: HTTPConnection) -> Any:
        return getattr(connection.app.state, name)

    return Depends(get)


async def _tenant(x_box_tenant: Annotated[str, Header(include_in_schema=False)]) -> str:
    """Who calls, as the front found by the key; only the front can reach this server."""
    return x_box_tenant


AllBoxes = Annotated[Boxes, _kept("boxes")]
AllAgentRuns = Annotated[AgentRuns, _kept("agent_runs")]
AllWebhooks = Annotated[Webhooks, _kept("webhooks")]
TheClock = Annotated[Clock, _kept("clock")]
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

    def run(self, command: Command) -> AbstractContextManager[OpenRun]:
        """Keep account of a command in it."""
        return self.boxes.runs.keep(self.entry, "shell", spoken(command))

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
