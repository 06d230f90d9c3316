"""Limits that the box's own kernel enforces: gVisor counts processes and memory of a box in control groups of its own."""

from __future__ import annotations

from .processes import resident_bytes

_ROOT = "/sys/fs/cgroup"


class Bounds:
    """The control group that this box is, if its kernel has one."""

    def __init__(self) -> None:
        self._pids = 0

    def limit_pids(self, count: int) -> None:
        """Allow that many processes beside this one."""
        self._pids = count + 1
        with open(_ROOT + "/pids/pids.max", "w") as file:
            file.write("%d" % self._pids)

    @property
    def full(self) -> bool:
        """True if there is no room for another process, or was none before the one that has ended just now made some."""
        return bool(self._pids) and _number("/pids/pids.current") >= self._pids - 1

    def memory_used(self) -> int:
        """Bytes that all processes hold."""
        return _number("/memory/memory.usage_in_bytes") if self._pids else resident_bytes()


def _number(name: str) -> int:
    with open(_ROOT + name) as file:
        return int(file.read())
