"""Which uid on the host a box runs as.

A server that runs as root gives every lineage of boxes (a box, its snapshots and their forks, which share
file layers and hence ownership) an unprivileged uid of its own. An ordinary user's server cannot
change uids and needs none: its boxes are mapped to that user.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import HostUnfit

# Above every range that distributions and systemd hand out (systemd ends at 0x6FFFFFFF).
FIRST_UID = 1_900_000_000
UID_COUNT = 65_536


def pick_uid(taken: Collection[int]) -> int | None:
    """A uid for a new lineage, not in `taken`; None where the server is an ordinary user.

    Raises:
        HostUnfit: the server is host root and no unprivileged uid is mapped for it.
    """
    if os.geteuid() != 0:
        return None
    mapped = _mapped_range(Path("/proc/self/uid_map").read_text(encoding="ascii"))
    for _ in range(1000):
        uid = mapped.start + 2 * secrets.randbelow(len(mapped) // 2)  # the one above it is its `Pair.root`
        if uid not in taken:
            return uid
    raise HostUnfit(f"all {len(mapped)} uids for boxes are in use; delete old boxes")


@dataclass(frozen=True, slots=True)
class Pair:
    """The two uids of a box that needs a root within: on the host both are without rights.

    Attributes:
        uid: host uid to start as, None for the server's own; uid 1000 in the box.
        root: uid 0 in the box.
    """

    uid: int | None
    root: int

    def map_into(self, pid: int) -> None:
        """Write the maps of a new user namespace. Raises HostUnfit if the system refuses."""
        for kind, own_id in (("uid", os.getuid()), ("gid", os.getgid())):
            rows = f"0 {self.root} 1\n1000 {own_id if self.uid is None else self.uid} 1\n"
            if self.uid is not None:
                Path(f"/proc/{pid}/{kind}_map").write_text(rows, encoding="ascii")
            else:
                _ask_for_map(kind, pid, rows.split())


def pair(uid: int | None) -> Pair:
    """The pair of a box. Raises HostUnfit where an ordinary user has been given no second uid."""
    return Pair(uid, uid + 1 if uid is not None else _first_subordinate_uid())


def _ask_for_map(kind: str, pid: int, words: list[str]) -> None:
    done = subprocess.run([f"new{kind}map", str(pid), *words], capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise HostUnfit(f"new{kind}map refused: {done.stderr.strip()}; {_SUBUID_ADVICE}")


def _first_subordinate_uid() -> int:
    """The first id of this user that both `/etc/subuid` and `/etc/subgid` grant."""
    user = pwd.getpwuid(os.getuid())
    starts = []
    for path in ("/etc/subuid", "/etc/subgid"):
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise HostUnfit(f"{path} cannot be read: {error.strerror}; {_SUBUID_ADVICE}") from error
        rows = [line.split(":") for line in lines if line.count(":") == 2]
        starts.append({int(start) for owner, start, count in rows if owner in (user.pw_name, str(user.pw_uid)) and int(count) > 0})
    if shutil.which("newuidmap") is None or not starts[0] & starts[1]:
        raise HostUnfit(f"user {user.pw_name} has no subordinate uids, which gVisor boxes need; {_SUBUID_ADVICE}")
    return min(starts[0] & starts[1])


_SUBUID_ADVICE = "run: sudo apt install uidmap && sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER"


def _mapped_range(uid_map: str) -> range:
    """The uids that may be used, given the text of `/proc/self/uid_map`."""
    rows = [tuple(int(number) for number in line.split()) for line in uid_map.splitlines()]
    for inside, _, count in rows:
        if inside <= FIRST_UID and inside + count >= FIRST_UID + UID_COUNT:
            return range(FIRST_UID, FIRST_UID + UID_COUNT)
    inside, _, count = max(rows, key=lambda row: row[2])
    if count < 1000:
        raise HostUnfit(
            "the server runs as root in a container that maps no unprivileged uids, and boxes must not run as uid 0; "
            "start it as an ordinary user or map at least 1000 uids"
        )
    # The upper half: the lower one holds the container's own users.
    return range(inside + count // 2, inside + count)


def own(path: Path, uid: int | None) -> None:
    """Give a folder to a box's user."""
    if uid is not None:
        os.chown(path, uid, uid)
