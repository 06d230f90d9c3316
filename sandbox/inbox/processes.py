"""The processes of a box, as its first process sees and signals them."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Processes:
    """Looks at /proc; remembers what had stopped by itself before everything was stopped."""

    def __init__(self) -> None:
        self._stopped_before: set[int] = set()

    def stop_all(self) -> int:
        """Stop every process where it stands; returns how many there are."""
        self._stopped_before = {pid for pid, (_, _, state) in processes().items() if state in "Tt"}
        for _ in range(1000):
            moving = [pid for pid, (_, _, state) in processes().items() if state not in "TtZX"]
            if not moving:
                break
            for pid in moving:
                send(pid, _signal.SIGSTOP)
            os.sched_yield()
        return len(processes())

    def continue_all(self) -> int:
        """Let everything go on that `stop_all` stopped."""
        for pid in processes():
            if pid not in self._stopped_before:
                send(pid, _signal.SIGCONT)
        return len(processes())

    def kill_all(self) -> int:
        """Kill every process of the box but this one."""
        count = len(processes())
        send(-1, _signal.SIGKILL)
        return count


def count_living() -> int:
    """How many processes live, this one not counted."""
    return sum(1 for _, _, state in processes().values() if state not in "ZX")


def count_deleted_files() -> int:
    """How many open or mapped files have been deleted, those in memory not counted."""
    found: set[bytes] = set()
    for pid in processes():
        folder = b"/proc/%d/fd/" % pid
        try:
            links = [os.readlink(folder + name) for name in os.listdir(folder)]
            with open(b"/proc/%d/maps" % pid, "rb") as maps:
                links += [line.rstrip(b"\n").partition(b"/")[2] for line in maps if line.endswith(b" (deleted)\n")]
        except OSError:
            continue
        found.update(link.lstrip(b"/") for link in links if link.endswith(b" (deleted)"))
    return len([link for link in found if not link.startswith((b"memfd:", b"dev/", b"SYSV"))])


def resident_bytes() -> int:
    """What all processes hold; memory that they share counts for each."""
    return sum(_sizes().values()) * os.sysconf("SC_PAGE_SIZE")


def _sizes() -> dict[int, int]:
    """Resident pages of each process."""
    sizes = {}
    for pid in processes():
        try:
            with open("/proc/%d/statm" % pid, "rb") as statm:
                sizes[pid] = int(statm.read().split()[1])
        except OSError:
            continue  # ended meanwhile
    return sizes


def kill_largest() -> int:
    """Kill the process that holds most memory; returns its pid, 0 if there is none."""
    sizes = _sizes()
    if not sizes:
        return 0
    largest = max(sizes, key=lambda pid: sizes[pid])
    send(largest, _signal.SIGKILL)
    return largest


def kill_tree(roots: set[int]) -> None:
    """Kill processes with their sessions and everything descended from them."""
    for pid in _tree(roots, lambda pid: send(pid, _signal.SIGSTOP)):
        send(pid, _signal.SIGKILL)


def signal_tree(roots: set[int], number: int) -> None:
    """Signal processes, their sessions and everything descended from them."""
    for pid in _tree(roots, lambda _: None):
        send(pid, number)


def _tree(roots: set[int], meet: Callable[[int], None]) -> set[int]:
    """Processes, their sessions and everything descended from them; `meet` is called with each that is found."""
    found, before = set(roots), -1
    while len(found) != before:  # until a pass over /proc finds nobody new
        before = len(found)
        for pid, (parent, session, _) in processes().items():
            if parent in found or session in roots:
                found.add(pid)
                meet(pid)
    return found


def processes() -> dict[int, tuple[int, int, str]]:
    """All processes of the box but this one: pid -> (parent, session, state letter)."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            fields = _fields(int(name))
            if fields[0] != b"X":
                found[int(name)] = (int(fields[1]), int(fields[3]), fields[0].decode())
    return found


def _fields(pid: int) -> list[bytes]:
    """State letter, parent, group, session of a process; state X if it has ended meanwhile."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stat:
            return stat.read().rpartition(b")")[2].split()
    except OSError:
        return [b"X", b"0", b"0", b"0"]


def newest_group(session: int) -> int:
    """The process group that was started last in a session: what a shell has in the foreground, unless it was put in the background."""
    groups = [_fields(pid)[2] for pid, (_, owner, _) in processes().items() if owner == session]
    return max((int(group) for group in groups), default=session)


def send(pid: int, number: int, group: bool = False) -> None:
    """Signal a process that may be gone already."""
    try:
        (os.killpg if group else os.kill)(pid, number)
    except ProcessLookupError:
        pass
