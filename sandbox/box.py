"""The contract of boxes: what every box gives, whatever it isolates with.

A box is a computer for one agent: its own files and processes, no network, limits, and a state
that can be frozen and resumed. `sandbox.conformance` turns each promise made here into a check.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Literal

from sandbox.gateway.connection import Connection
from sandbox.gateway.policy import NetworkPolicy
from sandbox.limits import SIZES, Limits

HOME = "/workspace/home"
DEFAULT_OUTPUT_BYTES = 1 << 20
DENY_ALL = NetworkPolicy(mode="deny-all")
Stream = Literal["stdout", "stderr"]


class BoxState(StrEnum):
    """Where a box stands; the words of the wire."""

    CREATING = "creating"
    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    ERROR = "error"
    DELETED = "deleted"


class Freeze(StrEnum):
    """How a paused box is kept: processes stopped in memory, or all of it on disk."""

    WARM = "warm"
    COLD = "cold"


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of the host that a box sees read-only at `target`."""

    source: Path
    target: str


@dataclass(frozen=True, slots=True)
class BoxSpec:
    """What a new box shall be.

    Args:
        snapshot: id of the snapshot to start from; None starts empty.
        limits: bounds; see `sandbox.limits.SIZES`.
        env: environment of every command, beside PATH, HOME and the like. Never put a secret here.
        mounts: read-only pieces of the host.
        labels: free words to find the box again.
        ttl_s: seconds after which the sweep deletes the box; None keeps it.
        keep_alive: it never freezes by itself.
        network: what it may reach through the gateway; nothing by default.
        attach_headers: by host pattern and name, put into its HTTPS requests on their way out. The values are secrets
            that never enter the box.
        init: shell command that is started in the background whenever the box's processes begin anew: when it is made, and when
            it is resumed from its files alone. What it writes goes to `/tmp/init.log` in the box.
        before_freeze, after_resume: shell commands to run in the box then, ten seconds at most; the second
            finds `BOX_AWAY_S` (seconds) and `BOX_RESTORED` (`memory` or `files`) in its environment.
    """

    snapshot: str | None = None
    limits: Limits = SIZES["small"]
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    ttl_s: float | None = None
    keep_alive: bool = False
    init: str = ""
    before_freeze: str = ""
    after_resume: str = ""
    network: NetworkPolicy = DENY_ALL
    attach_headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start in a box, without a shell unless `argv` names one.

    Args:
        argv: program and arguments; str or bytes, no NUL.
        cwd: working folder, absolute or relative to `/workspace/home`.
        env: added to the box's environment.
        tty: (rows, columns) gives the program a terminal of that size; stdout and stderr are then one.
    """

    argv: Sequence[str | bytes]
    cwd: str = HOME
    env: Mapping[str, str] = field(default_factory=dict)
    tty: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ExecResult:
    """How a command ended. A failing command is a result, not an error.

    Attributes:
        exit_code: 0-255; 128 + n if signal n ended it; 127 no such program, 126 it cannot be run.
        signal: the signal that ended it, or None.
        stdout, stderr: what it wrote, up to the cap.
        dropped_bytes: how much more it wrote.
        timed_out: its deadline passed and it was killed.
        limit: the limit that was hit while it ran (`memory`, `pids`, `disk`), or None.
        duration_s: wall time.
    """

    exit_code: int
    signal: int | None
    stdout: bytes
    stderr: bytes
    dropped_bytes: int
    timed_out: bool
    limit: str | None
    duration_s: float


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One entry of a box's file system.

    Attributes:
        name: bytes that are not UTF-8 are surrogate-escaped.
        kind: file, dir, link or other.
        modified_ns: of the last change, since 1970.
    """

    name: str
    kind: str
    mode: int
    size: int
    modified_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class FreezeReport:
    """What freezing did.

    Attributes:
        kind: warm or cold.
        memory: whether processes will come back.
        processes: how many were stopped, or ended where memory is not kept.
        image_bytes: size on disk of a cold image.
        duration_s: wall time.
        note: why processes will not come back although this driver can keep them.
    """

    kind: Freeze
    memory: bool
    processes: int
    image_bytes: int = 0
    duration_s: float = 0.0
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ResumeReport:
    """What resuming did.

    Attributes:
        memory: whether processes came back.
        away_s: how long the box was frozen.
        note: why processes that were frozen did not come back.
    """

    kind: Freeze
    memory: bool
    away_s: float
    duration_s: float
    note: str | None = None


class Process(abc.ABC):
    """A live program in a box. It dies when the context it was started in ends."""

    @abc.abstractmethod
    def output(self) -> AsyncIterator[tuple[Stream, bytes]]:
        """What it writes, as it comes; ends when both streams are closed or it has ended."""

    @abc.abstractmethod
    async def write(self, data: bytes) -> None:
        """Write to its stdin or terminal; waits while it does not read."""

    @abc.abstractmethod
    async def close_stdin(self) -> None:
        """Let it read end-of-file."""

    @abc.abstractmethod
    def resize(self, rows: int, columns: int) -> None:
        """Change the size of its terminal."""

    @abc.abstractmethod
    async def pid(self) -> int:
        """Its number within the box; 0 if it could not be started."""

    @abc.abstractmethod
    async def signal(self, number: int) -> None:
        """Signal it and everything it started."""

    @abc.abstractmethod
    async def kill(self) -> None:
        """Kill it and everything it started."""

    @abc.abstractmethod
    async def wait(self) -> int:
        """Its exit code; negative: minus the signal that ended it."""


class Session(abc.ABC):
    """`async with box.start(command) as process`: the process is killed on the way out."""

    @abc.abstractmethod
    async def __aenter__(self) -> Process: ...

    @abc.abstractmethod
    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class Box(abc.ABC):
    """One box. All methods raise `BoxDead` when it is gone. Programs and file operations resume a frozen box first."""

    id: str
    driver: str

    @property
    @abc.abstractmethod
    def state(self) -> BoxState:
        """Where it stands now."""

    @property
    @abc.abstractmethod
    def frozen(self) -> Freeze | None:
        """How it is frozen, None while it is live."""

    @property
    @abc.abstractmethod
    def labels(self) -> Mapping[str, str]:
        """The words given at creation."""

    @property
    @abc.abstractmethod
    def created_at(self) -> datetime:
        """When it was made (UTC)."""

    @abc.abstractmethod
    def start(self, command: Command) -> Session:
        """Start a program with live stdin and output."""

    @abc.abstractmethod
    async def exec(
        self,
        command: Command,
        *,
        timeout_s: float,
        stdin: bytes | IO[bytes] | None = None,
        max_output_bytes: int = DEFAULT_OUTPUT_BYTES,
        on_output: Callable[[Stream, bytes], None] | None = None,
    ) -> ExecResult:
        """Run a program to its end.

        Args:
            timeout_s: seconds until it is killed, with its session and all that descends from it. A daemon that has left
                both lives as long as the box.
            stdin: bytes, or an open file of the host; None is empty.
            max_output_bytes: cap of stdout and of stderr; what is beyond is counted and thrown away.
            on_output: called with each piece as it comes, before the cap.

        Returns:
            The result, also for a failing, killed or missing program.

        Raises:
            BadRequest: the command cannot be sent (NUL in an argument, over 200 KB of arguments).
            BoxDead: the box died meanwhile.
        """

    @abc.abstractmethod
    async def read_file(self, path: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a regular file, `length` at most from `offset`. Raises BoxFileError."""

    @abc.abstractmethod
    async def write_file(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """Replace a file in one step; folders are made. Raises BoxFileError."""

    @abc.abstractmethod
    async def list_dir(self, path: str) -> list[FileInfo]:
        """Entries of a folder, by name. Raises BoxFileError."""

    @abc.abstractmethod
    async def stat(self, path: str, *, follow: bool = False) -> FileInfo:
        """One path; a link is described itself, or with `follow` what it leads to. Raises BoxFileError."""

    @abc.abstractmethod
    async def mkdir(self, path: str, *, parents: bool = True) -> None:
        """Make a folder: with `parents` those above it too, and none that is there is an error. Raises BoxFileError."""

    @abc.abstractmethod
    async def rename(self, old: str, new: str) -> None:
        """Move within the box. Raises BoxFileError."""

    @abc.abstractmethod
    async def remove(self, path: str, *, recursive: bool = True) -> None:
        """Remove a file or link, with `recursive` a whole folder. Raises BoxFileError."""

    @abc.abstractmethod
    async def connect(self, port: int) -> Connection:
        """Open a connection to a port of the box's loopback. A freeze cuts it.

        Raises:
            BadRequest: no such port.
            NothingListens: no program answers there.
        """

    @property
    @abc.abstractmethod
    def init(self) -> str:
        """Its `init` command, empty for none."""

    @abc.abstractmethod
    def set_init(self, command: str) -> None:
        """Replace its `init` command, for the next time; empty for none. What runs goes on."""

    @property
    @abc.abstractmethod
    def network(self) -> NetworkPolicy:
        """What it may reach now."""

    @abc.abstractmethod
    def set_network(self, policy: NetworkPolicy) -> None:
        """Change what it may reach, at once: connections that are open and no longer allowed are cut."""

    @abc.abstractmethod
    def attach_headers(self, headers: Mapping[str, Mapping[str, str]]) -> None:
        """Put these too into its HTTPS requests, by host pattern and name, from the next connection on. Raises BadHeaders."""

    @abc.abstractmethod
    async def snapshot(self) -> str:
        """Keep the file system as it is now; returns the snapshot's id. The box goes on; its processes are not part of it."""

    @abc.abstractmethod
    async def freeze(self, kind: Freeze) -> FreezeReport:
        """Stop the box so that `resume` continues it. A warm box may be frozen cold.

        Deadlines stand still while a box is frozen. Connections to the gateway and to ports of the box are cut.

        Raises:
            BoxBusy: it is frozen so already; or a cold freeze without memory while an exec or session runs.
            DiskFull: there is no room for the image; the box goes on.
        """

    @abc.abstractmethod
    async def resume(self, *, memory: bool = True) -> ResumeReport:
        """Continue a frozen box.

        Args:
            memory: False gives up frozen processes and takes the files alone.

        Raises:
            ImageCorrupt: the image does not match its manifest; the box stays frozen and the image as it is.
        """

    @abc.abstractmethod
    async def delete(self) -> None:
        """End its processes and remove its files. Deleting twice is no error."""
