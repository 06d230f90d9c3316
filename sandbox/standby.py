"""Boxes made ahead: empty ones that wait for whoever asks next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from sandbox.box import BoxSpec
from sandbox.errors import SandboxError
from sandbox.linked import LinkedBox

log = structlog.get_logger()

SPARE = BoxSpec(ttl_s=3600, labels={"made": "ahead"})
"""What waits, in nobody's list. A server that dies leaves them as boxes that the sweep of a later one removes."""
_REST_S = 0.5  # between being asked and making the next: first the box that was handed out has its turn
_PATIENCE_S = 30.0  # after one could not be made
_B = TypeVar("_B", bound=LinkedBox)


class Standby(Generic[_B]):
    """Keeps some boxes ready, frozen so that they use no processor.

    Args:
        make: makes an empty box that nobody else can find, frozen warm.
    """

    def __init__(self, make: Callable[[], Awaitable[_B]]) -> None:
        self._make = make
        self._ready: list[_B] = []
        self._count = 0
        self._filling: asyncio.Task[None] | None = None

    def keep(self, count: int) -> None:
        """Keep that many from now on."""
        self._count = count
        self._fill()

    async def take(self, spec: BoxSpec) -> _B | None:
        """One that does for `spec`, awake; None if there is none."""
        if spec.snapshot or spec.mounts or spec.limits != SPARE.limits:
            return None
        while self._ready:
            box = self._ready.pop(0)
            self._fill()
            try:
                await box.resume()
            except SandboxError as error:
                log.warning("a box that was made ahead has died", box=box.id, error=str(error))
                await box.delete()
            else:
                return box
        return None

    async def close(self) -> None:
        """Delete those that still wait."""
        self._count = 0
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        await asyncio.gather(*(box.delete() for box in self._ready), return_exceptions=True)
        self._ready.clear()

    def _fill(self) -> None:
        if self._filling is None or self._filling.done():
            self._filling = asyncio.ensure_future(self._make_missing())

    async def _make_missing(self) -> None:
        while len(self._ready) < self._count:
            await asyncio.sleep(_REST_S)
            try:
                self._ready.append(await self._make())
            except (SandboxError, OSError) as error:
                log.warning("no box could be made ahead; it is tried again", error=str(error))
                await asyncio.sleep(_PATIENCE_S)
