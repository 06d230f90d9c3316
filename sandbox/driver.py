"""The contract of drivers: what makes and keeps boxes on a host, whatever it isolates them with."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sandbox.box import Box, BoxSpec

if TYPE_CHECKING:
    from sandbox.gateway.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver can do on this host, in words a user can read.

    Attributes:
        isolation: what stands between a box and the host.
        limits: bounds that hold for a whole box, e.g. {"memory", "pids", "cpu", "disk"}.
        notices: what is weaker here than it could be, one sentence each.
        freezes_memory: a cold freeze keeps processes.
        own_kernel: a box has a kernel of its own; what looks like one in /proc and /dev is not the host's.
    """

    isolation: str
    limits: frozenset[str]
    notices: tuple[str, ...]
    freezes_memory: bool
    own_kernel: bool = False


class Driver(abc.ABC):
    """Makes and keeps boxes under one data directory. An async context: entering sweeps leftovers, leaving stops what runs."""

    name: str

    @abc.abstractmethod
    async def __aenter__(self) -> Self: ...

    @abc.abstractmethod
    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    @property
    @abc.abstractmethod
    def capabilities(self) -> Capabilities:
        """What it can do on this host."""

    @property
    @abc.abstractmethod
    def gateway(self) -> Gateway:
        """The way out of its boxes: decisions, model grants and their usage."""

    @abc.abstractmethod
    async def create(self, spec: BoxSpec) -> Box:
        """Make a box and start it: constant time, whatever the snapshot's size.

        Raises:
            BoxNotFound: no such snapshot.
            HostUnfit: the host cannot isolate boxes.
            DiskFull: there is no room.
        """

    @abc.abstractmethod
    def keep_ready(self, count: int) -> None:
        """Keep that many empty boxes of the default size ready for `create`; none at first. They are in nobody's list."""

    @abc.abstractmethod
    def get(self, box_id: str) -> Box:
        """The box with this id. Raises BoxNotFound."""

    @abc.abstractmethod
    def boxes(self) -> list[Box]:
        """All boxes, oldest first."""

    @abc.abstractmethod
    async def fork(self, box: Box, spec: BoxSpec | None = None) -> Box:
        """A new box that starts from the files `box` has now; from one frozen with memory, and without `spec`, with its processes too.

        Processes that went on in two boxes share what they believe random: reseed in `after_resume`.
        """

    @abc.abstractmethod
    async def carry_out(self, box_id: str, folder: Path) -> None:
        """Write a box that is frozen cold, with all it rests on, to a new folder; it stays here too.

        Raises:
            BoxBusy: it is not frozen cold.
        """

    @abc.abstractmethod
    async def carry_in(self, folder: Path) -> Box:
        """Take in a box that another driver of this kind has carried out, frozen and under its id.

        Raises:
            BoxBusy: a box with this id is here.
            ImageCorrupt: the folder is not as it was written.
        """

    @abc.abstractmethod
    async def freeze_idle(self, warm_after_s: float, cold_after_s: float) -> None:
        """Freeze boxes that were not used for so long, warm and then cold; none that would lose a process."""

    @abc.abstractmethod
    async def snapshot_bytes(self, snapshot_id: str) -> int:
        """What a snapshot itself takes on disk, beside those it rests on. Raises BoxNotFound."""

    @abc.abstractmethod
    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Forget a snapshot; its files go once no box rests on them. Raises BoxNotFound."""

    @abc.abstractmethod
    async def sweep(self) -> None:
        """Delete boxes past their time and files that nothing rests on."""
