"""The process that keeps one gVisor box: namespaces in which its files are mounted and runsc is called.

bubblewrap makes them and starts a shell that does one line after the other as the host tells it. Two
uids are mapped: the box's own is its user (1000), and one beside it is root, which runsc wants to be.
All processes of the box descend from the keeper; when it goes, they go.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import BoxDead, SandboxError
from sandbox.launch import as_user, child_pid, explain
from sandbox.running import FirstProcess
from sandbox.users import Pair

CALL_S = 60.0
_LOOP = 'exec 3<&0; while IFS= read -r line <&2; do eval "$line"; done'
_NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--uid", "0", "--gid", "0")
_BECOME_ROOT = ("/usr/bin/setpriv", "--reuid=0", "--regid=0", "--clear-groups")


@dataclass(frozen=True, slots=True)
class View:
    """What the keeper sees.

    Attributes:
        bwrap: the bubblewrap program.
        binds: bwrap arguments that mount the box's files, its log folder at /box/log and what else calls need.
        folder: where the host looks for the log.
        users: the uids mapped.
    """

    bwrap: Path
    binds: Sequence[str]
    folder: Path
    users: Pair


class Keeper:
    """One running keeper. `box_in` and `box_out` are the host's ends of the pipes that the box's first process gets."""

    def __init__(self, view: View, process: asyncio.subprocess.Process, control: socket.socket, pipes: tuple[int, int]) -> None:
        self._view, self._process, self._control = view, process, control
        self.first: FirstProcess | None = None
        self._calls, self._heard = 0, b""
        self.box_in, self.box_out = pipes

    def start_box(self, words: Sequence[str]) -> None:
        """Start the box itself on the pipes. When it ends the keeper does, and with it the last who holds the pipes."""
        self._tell(f"(setsid {' '.join(words)} <&3 >&1 2>/box/log/box; kill -KILL $$) & exec </dev/null 3<&- >/dev/null")

    def signal_all(self, name: str) -> None:
        """Signal everything that keeps the box running."""
        self._tell(f"kill -{name} -1")

    async def call(self, words: Sequence[str], *, stdin: str = "/dev/null", stdout: str = "/box/log/out") -> tuple[int, str]:
        """Run a command to its end; returns its exit code and what it complained about. Raises BoxDead after a minute."""
        self._calls += 1
        # runsc cannot wait for a file: it gets its stdin through a pipe.
        self._tell(f'cat {stdin} | {" ".join(words)} >{stdout} 2>/box/log/err; echo "{self._calls} $?" >&2')
        try:
            async with asyncio.timeout(CALL_S):
                code = await self._answer(self._calls)
        except TimeoutError as error:
            raise BoxDead(f"`{words[-1]}` took more than {CALL_S:.0f} s") from error
        return code, self.complaint("err")

    async def _answer(self, number: int) -> int:
        """The exit code of a call; answers to calls that nobody waits for any more are passed over."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                while b"\n" not in self._heard:
                    self._heard += await loop.sock_recv(self._control, 64) or b"the end\n"
                line, _, self._heard = self._heard.partition(b"\n")
                answered, code = line.split()
                if int(answered) == number:
                    return int(code)
            except (OSError, ValueError) as error:
                raise BoxDead("the box's keeper has ended") from error

    def complaint(self, name: str) -> str:
        """The end of what a command wrote to its log."""
        with contextlib.suppress(OSError):
            return (self._view.folder / name).read_text("utf-8", "replace")[-2000:].strip()
        return ""

    def explain(self, doing: str) -> SandboxError:
        """Why the box ended."""
        words = _first_words(self._control)
        if words:  # bubblewrap's own: it could not make the keeper
            return explain(words, self._view.folder.parent)
        return BoxDead(f"runsc did not {doing} the box: {self.complaint('box') or 'it gave no reason'}")

    async def stop(self) -> None:
        """End it and everything under it."""
        self._control.close()
        if self.first is not None:
            await self.first.end()
        else:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()

    def _tell(self, line: str) -> None:
        try:
            self._control.sendall(line.encode() + b"\n")
        except OSError as error:
            raise BoxDead("the box's keeper has ended") from error


async def start_keeper(view: View, born: Callable[[int], None]) -> Keeper:
    """Start a keeper; `born` gets its pid on the host before anything runs under it.

    Raises:
        HostUnfit: the host refused a namespace, the overlay or the uids; the text says what would help.
    """
    ours, theirs = socket.socketpair()
    (in_r, in_w), (out_r, out_w) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    (info_r, info_w), (go_r, go_w) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    channels = ["--info-fd", str(info_w), "--userns-block-fd", str(go_r)]
    argv = [str(view.bwrap), *_NAMESPACES, "--cap-add", "ALL", "--die-with-parent", *channels, *view.binds]
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, "--", *_BECOME_ROOT, "/bin/sh", "-c", _LOOP,
            stdin=in_r, stdout=out_w, stderr=theirs.fileno(), pass_fds=(info_w, go_r), **as_user(view.users.uid),
        )  # fmt: skip
    except BaseException:
        ours.close()
        for fd in (in_w, out_r, info_r, go_w):
            os.close(fd)
        raise
    finally:
        theirs.close()
        for fd in (in_r, out_w, info_w, go_r):
            os.close(fd)
    keeper = Keeper(view, process, ours, (in_w, out_r))
    try:
        keeper.first = await asyncio.to_thread(_admit, info_r, go_w, view.users, born)
    except BaseException as error:
        words = _first_words(ours)
        await keeper.stop()
        for fd in (in_w, out_r):
            os.close(fd)
        if isinstance(error, SandboxError) and words:
            raise explain(words, view.folder.parent) from error
        raise
    finally:
        os.close(info_r)
        os.close(go_w)
    ours.setblocking(False)
    return keeper


def _admit(info_r: int, go_w: int, users: Pair, born: Callable[[int], None]) -> FirstProcess:
    """Wait for the new user namespace, map the uids, let it run; returns its first process."""
    pid = child_pid(_read_json(info_r))
    first = FirstProcess(pid)
    born(pid)
    users.map_into(pid)
    os.write(go_w, b"1")
    return first


def _read_json(fd: int) -> bytes:
    """What bwrap tells: one object, or nothing when it gave up."""
    info = b""
    while not info.rstrip().endswith(b"}"):
        piece = os.read(fd, 4096)
        if not piece:
            break
        info += piece
    return info


def _first_words(control: socket.socket) -> str:
    """What bwrap wrote before it gave up."""
    control.settimeout(1.0)
    with contextlib.suppress(OSError):
        return control.recv(4096).decode("utf-8", "replace")
    return ""
