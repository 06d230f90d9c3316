"""A box that is up: what drivers have in common once its first process answers."""

from __future__ import annotations

import abc

from sandbox.link import SupervisorLink


class Running(abc.ABC):
    """The processes of one box.

    Attributes:
        link: the way to its supervisor.
    """

    link: SupervisorLink

    async def pause(self) -> int:
        """Stop every program where it stands; returns how many there are."""
        return await self.link.ask("stop")

    async def unpause(self) -> None:
        """Let them go on."""
        await self.link.ask("cont")

    @abc.abstractmethod
    async def stop(self) -> None:
        """End every process of the box and wait until they are gone."""
