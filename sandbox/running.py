"""A box that is up: what drivers have in common once its first process answers."""

from __future__ import annotations

import abc
import contextlib
import os
import signal

from sandbox.link import SupervisorLink


class FirstProcess:
    """The first process of a pid namespace, held so that its number cannot come to mean another."""

    def __init__(self, pid: int) -> None:
        self._fd = os.pidfd_open(pid)

    def kill(self) -> None:
        """Kill it, and with it all of its namespace; no error if it is gone."""
        if self._fd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, signal.SIGKILL)
            os.close(self._fd)
            self._fd = -1


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
