"""Starts the first process of a bubblewrap box: namespaces, overlay, filter, supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.box import HOME, Mount
from sandbox.errors import BoxDead, HostUnfit, SandboxError
from sandbox.limits import ControlGroup
from sandbox.link import Callbacks, SupervisorLink
from sandbox.rootfs import Rootfs
from sandbox.running import FirstProcess, Running

_OVERLAY_OPTIONS_BYTES = 3900  # the kernel cuts mount options at one page
_SHM_BYTES = 64 << 20
LINK_BUFFER_BYTES = 1 << 20
_ISOLATION = (
    *("--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--new-session", "--die-with-parent", "--as-pid-1"),
    *("--uid", "1000", "--gid", "1000", "--hostname", "box", "--clearenv"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides how a box is started.

    Attributes:
        lower: layer folders, lowest first, without the skeleton.
        folder: the box's folder, holding `upper` and `work`.
        uid: host uid to start as; None keeps the server's.
        arguments: the supervisor's, see `sandbox.inbox.start.main`.
    """

    rootfs: Rootfs
    lower: tuple[Path, ...]
    folder: Path
    uid: int | None
    mounts: tuple[Mount, ...]
    arguments: tuple[str, ...]

    def argv(self, filter_fd: int, info_fd: int) -> list[str]:
        """The whole command line of bwrap."""
        view = [*self.rootfs.binds, "--ro-bind", str(self.rootfs.runtime), "/.box", "--proc", "/proc", "--dev", "/dev"]
        view += ["--ro-bind-try", "/dev/null", "/proc/keys"]  # key rings are not divided by namespaces: these would be the user's
        view += ["--size", str(_SHM_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108  (in the box)
        for mount in self.mounts:
            view += ["--ro-bind", str(mount.source), mount.target]
        channels = ["--seccomp", str(filter_fd), "--info-fd", str(info_fd)]
        supervisor = [*self.rootfs.supervisor, *self.arguments]
        root = overlay_binds(self.rootfs.skeleton, self.lower, self.folder, "/")
        return [str(self.rootfs.bwrap), *_ISOLATION, *root, *view, *channels, "--chdir", HOME, "--", *supervisor]


def overlay_binds(skeleton: Path, lower: Sequence[Path], folder: Path, target: str) -> list[str]:
    """bwrap arguments that show a box's files at `target`: its upper layer in `folder` over the others, lowest first."""
    sources = [skeleton, *lower]
    length = sum(len(str(path)) + 10 for path in sources) + 2 * len(str(folder)) + 200
    if length > _OVERLAY_OPTIONS_BYTES:
        raise SandboxError(f"{len(sources)} layers below {folder} do not fit into one mount; use a shorter BOX_DATA_DIR")
    words = [word for path in sources for word in ("--overlay-src", str(path))]
    return [*words, "--overlay", str(folder / "upper"), str(folder / "work"), target]


@dataclass(slots=True)
class BubblewrapRunning(Running):
    """A started box: its supervisor's connection, the outer process, and the box's first process."""

    link: SupervisorLink
    process: asyncio.subprocess.Process
    first: FirstProcess

    async def stop(self) -> None:
        self.link.close()
        await self.first.end()
        await self.process.wait()


async def launch(box_id: str, plan: Plan, callbacks: Callbacks, group: ControlGroup) -> BubblewrapRunning:
    """Start the box, wait until its supervisor answers, and bound it by the control group.

    Raises:
        HostUnfit: the host refused a namespace or the overlay; the text says what would help.
        BoxDead: the supervisor did not come up.
    """
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LINK_BUFFER_BYTES)
    info_r, info_w = os.pipe2(os.O_CLOEXEC)
    filter_fd = os.open(plan.rootfs.runtime / "seccomp.bpf", os.O_RDONLY | os.O_CLOEXEC)
    log = plan.folder / "bwrap.log"
    log_fd = open_log(log)
    link = SupervisorLink(box_id, callbacks)
    link.attach(*[ours.detach()] * 2)
    try:
        process = await asyncio.create_subprocess_exec(
            *plan.argv(filter_fd, info_w),
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=log_fd,
            pass_fds=(filter_fd, info_w),
            **as_user(plan.uid),
        )
    except BaseException:
        link.close()
        os.close(info_r)
        raise
    finally:
        theirs.close()
        for fd in (info_w, filter_fd, log_fd):
            os.close(fd)
    try:
        await link.wait_ready()
        pid = child_pid(os.read(info_r, 4096))
        first = FirstProcess(pid)
        group.add(pid)
    except BaseException as error:
        link.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # --die-with-parent takes the first process along
        await process.wait()
        if isinstance(error, (BoxDead, TimeoutError)):
            raise explain(log.read_text("utf-8", "replace")[:2000], plan.folder) from error
        raise
    finally:
        os.close(info_r)
    return BubblewrapRunning(link, process, first)


def open_log(path: Path) -> int:
    """Where a box's outer processes write their complaints, as a descriptor the caller owns."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def as_user(uid: int | None) -> dict[str, Any]:
    """Arguments that start a process as a box's user."""
    return {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}


def child_pid(info: bytes) -> int:
    """bwrap's own report of the pid of its child."""
    match = re.search(rb'"child-pid":\s*(\d+)', info)
    if match is None:
        raise SandboxError("bubblewrap did not report its child's pid")
    return int(match[1])


def explain(words: str, folder: Path) -> SandboxError:
    """Turn what bwrap wrote before it gave up into an error that says what would help."""
    if "uid map" in words or "new namespace" in words or "CLONE_NEWUSER" in words or "loopback" in words:
        return HostUnfit(
            f"this system does not let box-review make user namespaces ({words.strip()}); {_namespace_advice()}, "
            "or use a host with Docker or gVisor"
        )
    if "overlay" in words:
        return HostUnfit(
            f"the file system of {folder} cannot carry overlay layers ({words.strip()}); boxes need Linux 5.11 or newer "
            "and a data directory on ext4, xfs, btrfs or tmpfs (not on another overlay): set BOX_DATA_DIR"
        )
    if "No space left" in words:
        return HostUnfit(f"no space left for {folder}: {words.strip()}")
    return BoxDead(f"the box did not start: {words.strip() or 'its supervisor gave no answer'}")


def _namespace_advice() -> str:
    """The command that allows user namespaces, as far as the system shows what forbids them."""
    for path, bad, advice in (
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
        ("/proc/sys/user/max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces=15000"),
    ):
        with contextlib.suppress(OSError):
            if Path(path).read_text(encoding="ascii").strip() == bad:
                return f"run: {advice}"
    return "in a container, start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
