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

    def sleep(self) -> None:  # noqa: B027  (most drivers have nothing left that uses the processor)
        """All programs are stopped: stop what runs them too."""

    def wake_up(self) -> None:  # noqa: B027
        """Undo `sleep`."""

    @abc.abstractmethod
    async def stop(self) -> None:
        """End every process of the box and wait until they are gone."""
