"""How much of the host a box may use, and by what means this host can enforce it.

Memory, processes and processor time are bounded for the whole box by control groups (v1 or v2) where
the server may make them; elsewhere `prlimit` bounds each process, which is weaker and said so.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

GIB = 1 << 30
_CGROUPS = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000
_PARENT = "box-review"
_KERNEL_MEMORY_BYTES = 512 << 20  # runsc, and room for what a program allocates before its excess is noticed


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one box.

    Args:
        memory_bytes: memory of all processes together (of each, where there is only prlimit).
        pids: processes and threads at one time.
        cpus: processors' worth of time, e.g. 0.5.
        disk_bytes: what the box may write; also the largest single file.
    """

    memory_bytes: int
    pids: int
    cpus: float
    disk_bytes: int

    def rlimits(self, controls: Collection[str]) -> list[str]:
        """The supervisor's arguments that bound each process, given what a control group bounds already."""
        words = ["RLIMIT_CORE=0", f"RLIMIT_FSIZE={self.disk_bytes}", "RLIMIT_NOFILE=8192"]
        if "pids" not in controls:
            words.append(f"RLIMIT_NPROC={self.pids}")
        if "memory" not in controls:
            # DATA, not AS: runtimes such as node reserve far more address space than they use.
            words.append(f"RLIMIT_DATA={self.memory_bytes}")
        return words

    def around_own_kernel(self) -> Limits:
        """Bounds on the host for a box with a kernel of its own, which needs memory and threads beside those of the programs."""
        return replace(self, memory_bytes=self.memory_bytes + _KERNEL_MEMORY_BYTES, pids=4 * self.pids + 1024)


SIZES: Mapping[str, Limits] = {
    "small": Limits(4 * GIB, 512, 2, 5 * GIB),
    "medium": Limits(8 * GIB, 1024, 4, 10 * GIB),
    "large": Limits(16 * GIB, 2048, 8, 20 * GIB),
}


class ControlGroup:
    """The control group of one box, in whichever hierarchies this host has; all of it may be absent."""

    def __init__(self, box_id: str, root: Path = _CGROUPS) -> None:
        self._folders = {name: folder / _PARENT / box_id for name, folder in _controllers(root).items()}
        self._unified = (root / "cgroup.controllers").exists()

    @classmethod
    def around(cls, pid: int, root: Path = _CGROUPS) -> ControlGroup:
        """The groups that another program has put a process into; for reading."""
        group = cls("", root)
        group._folders = {}
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii").splitlines():
                _, names, path = line.split(":", 2)
                for name in ("memory", "pids", "cpu"):
                    if name in names.split(",") or (not names and group._unified):
                        group._folders[name] = root / (path.lstrip("/") if group._unified else f"{name}{path}")
        return group

    @classmethod
    def controls_here(cls) -> frozenset[str]:
        """What a group would bound on this host."""
        probe = cls("bxprobe")
        probe.open(Limits(1 << 30, 64, 1, 1 << 30))
        controls = probe.controls
        probe.close()
        return controls

    @property
    def controls(self) -> frozenset[str]:
        """What the group really bounds: a subset of memory, pids, cpu."""
        return frozenset(self._folders)

    def open(self, limits: Limits) -> None:
        """Make the group with its bounds; a controller that refuses is left out of `controls`."""
        if self._unified and self._folders:
            _delegate(next(iter(self._folders.values())).parent)
        for name, folder in list(self._folders.items()):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._write_limits(name, folder, limits)
            except OSError:
                del self._folders[name]

    def add(self, pid: int) -> None:
        """Move a process, and so all it will start, into the group."""
        for folder in set(self._folders.values()):
            (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def hits(self) -> Mapping[str, int]:
        """How often each limit was hit so far: `memory` (kills) and `pids` (refused forks)."""
        sources = {
            "memory": ("memory.events" if self._unified else "memory.oom_control", "oom_kill"),
            "pids": ("pids.events", "max"),
        }
        found = {}
        for name, (file, key) in sources.items():
            if name in self._folders:
                found[name] = _counter(self._folders[name] / file, key)
        return found

    def close(self) -> bool:
        """Remove the group; False while processes are still in it."""
        for folder in set(self._folders.values()):
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True

    def _write_limits(self, name: str, folder: Path, limits: Limits) -> None:
        if name == "memory":
            file = "memory.max" if self._unified else "memory.limit_in_bytes"
            (folder / file).write_text(str(limits.memory_bytes), encoding="ascii")
        elif name == "pids":
            # One more for the supervisor itself.
            (folder / "pids.max").write_text(str(limits.pids + 1), encoding="ascii")
        elif self._unified:
            (folder / "cpu.max").write_text(f"{int(limits.cpus * _PERIOD_US)} {_PERIOD_US}", encoding="ascii")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US), encoding="ascii")
            (folder / "cpu.cfs_quota_us").write_text(str(int(limits.cpus * _PERIOD_US)), encoding="ascii")


def _delegate(parent: Path) -> None:
    """Let groups below `parent` have controllers of their own (control groups v2)."""
    with contextlib.suppress(OSError):  # what is not there is not enforced, and `controls` says so
        parent.mkdir(exist_ok=True)
        (parent / "cgroup.subtree_control").write_text("+memory +pids +cpu", encoding="ascii")


def remove_groups(box_ids: Collection[str], root: Path = _CGROUPS) -> None:
    """Remove groups that a crash has left of these boxes."""
    for folder in _controllers(root).values():
        for box_id in box_ids:
            with contextlib.suppress(OSError):
                (folder / _PARENT / box_id).rmdir()


def _controllers(root: Path) -> dict[str, Path]:
    """Hierarchies in which this process may make groups: controller -> folder."""
    if (root / "cgroup.controllers").exists():
        present = (root / "cgroup.subtree_control").read_text(encoding="ascii").split()
        found = {name: root for name in ("memory", "pids", "cpu") if name in present}
    else:
        found = {name: root / name for name in ("memory", "pids", "cpu") if (root / name / "cgroup.procs").exists()}
    return {name: folder for name, folder in found.items() if os.access(folder, os.W_OK)}


def _counter(file: Path, key: str) -> int:
    """The number behind `key` in a file of `key number` lines; 0 if it is not there."""
    with contextlib.suppress(OSError, ValueError):
        for line in file.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    return 0
