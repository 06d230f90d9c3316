"""One process at a time changes the store: `flock`, which all bots of one machine honour, and no other machine does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bot.errors import Refused

WAIT_S = 20.0
_LOOK_S = 0.01
_SHARED_BY_MACHINES = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "ceph",
    "glusterfs",
    "lustre",
    "afs",
    "gpfs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.s3fs",
)


class Lock:
    """Held by one thread of one process; a process that dies lets go of it, once what it started has ended too."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._threads = threading.Lock()

    @contextlib.contextmanager
    def held(self) -> Iterator[int]:
        """The lock, as the descriptor that holds it. Raises Refused (503) if others do not let go in time."""
        if not self._threads.acquire(timeout=WAIT_S):
            raise _busy()
        try:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _taken(descriptor)
                yield descriptor
            finally:
                os.close(descriptor)
        finally:
            self._threads.release()


def check_place(folder: Path) -> None:
    """Raises Refused (503) for a folder that several machines may share, since the lock would not keep them apart."""
    kind = file_system(folder)
    if kind in _SHARED_BY_MACHINES:
        raise Refused(
            f"shared knowledge lies on a network file system ({kind}), where several machines would spoil it; the operator must set "
            "BOX_KNOWLEDGE_DIR to a folder of the bot's own machine",
            503,
        )


def file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of file system that a folder lies on; empty where the system does not tell."""
    place = folder.resolve()
    kind, longest = "", -1
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = Path(before.split(" ")[4].replace("\\040", " "))
        if place.is_relative_to(point) and len(point.parts) >= longest:  # of two at one place the later one is seen
            kind, longest = after.split(" ")[0], len(point.parts)
    return kind


def _taken(descriptor: int) -> None:
    ends = time.monotonic() + WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                raise _busy() from None
            time.sleep(_LOOK_S)
        else:
            return


def _busy() -> Refused:
    return Refused(f"shared knowledge is being changed by others and was not free within {WAIT_S:.0f} s; try again", 503)
