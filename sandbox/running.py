"""A box that is up: what drivers have in common once its first process answers."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import os
import signal

from sandbox.link import SupervisorLink


class FirstProcess:
    """The first process of a pid namespace, held so that its number cannot come to mean another."""

    def __init__(self, pid: int) -> None:
        self._fd = os.pidfd_open(pid)

    async def end(self) -> None:
        """Kill it, and with it all of its namespace, and wait until they are gone; no error if they are."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        try:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, signal.SIGKILL)
            # The kernel tells of its end after that of all others. bubblewrap's outer process does not wait as long.
            loop.add_reader(fd, gone.set)
            await gone.wait()
        finally:
            loop.remove_reader(fd)
            os.close(fd)


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
