"""Which uid on the host a box runs as.

A server that runs as root gives every lineage of boxes (a box, its snapshots and their forks, which share
file layers and hence ownership) an unprivileged uid of its own. An ordinary user's server cannot
change uids and needs none: its boxes are mapped to that user.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
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
        uid = mapped.start + secrets.randbelow(len(mapped))
        if uid not in taken:
            return uid
    raise HostUnfit(f"all {len(mapped)} uids for boxes are in use; delete old boxes")


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
