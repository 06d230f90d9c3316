"""What is known of the `runsc` program on this host, and how it is told what a box looks like."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.box import HOME
from sandbox.errors import HostUnfit

INSTALL = "apt install -t bookworm-backports runsc (Debian 12), or https://gvisor.dev/docs/user_guide/install/"
_DEADLINE_S = 20.0
_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_SETPCAP")  # of the first process alone
_SHM_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Runsc:
    """One installed runsc.

    Attributes:
        version: as it tells, e.g. `0.0~20240729.0`.
        checkpoint: the options that make it write memory as it is: faster, and never larger by much.
    """

    path: Path
    version: str
    checkpoint: tuple[str, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """The program and the options of every call, as seen in the keeper's namespaces."""
        return (
            "/box/runsc",
            "--root=/box/state",
            "--network=none",
            "--overlay2=none",
            "--ignore-cgroups",
            "--platform=systrap",
            "--cgroupfs",
        )


def find_runsc() -> Runsc:
    """The runsc on PATH. Raises HostUnfit if there is none that can be used."""
    found = shutil.which("runsc", path="/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin")
    if found is None:
        raise HostUnfit(f"runsc is not installed: {INSTALL}")
    version = _ask(found, "--version").splitlines()[0].removeprefix("runsc version ")
    options = _ask(found, "help", "checkpoint") + _ask(found, "flags")
    for needed in ("-overlay2", "-cgroupfs", "-directfs", "-leave-running"):
        if needed not in options:
            raise HostUnfit(f"runsc {version} is too old ({needed} is missing; 2023 or newer is needed): {INSTALL}")
    checkpoint = [f"--{name}" for name in ("exclude-committed-zero-pages",) if name in options]
    if "-compression" in options:
        checkpoint.append("--compression=none")
    return Runsc(Path(found).resolve(), version, tuple(checkpoint))


def _ask(program: str, *words: str) -> str:
    try:
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise HostUnfit(f"{program} cannot be run: {error}") from error
    return done.stdout + done.stderr


def bundle(root: str, argv: Sequence[str], binds: Sequence[tuple[str, str]], rlimits: Sequence[str]) -> dict[str, Any]:
    """The OCI description of a box.

    Args:
        root: its files, as the keeper sees them.
        argv: its first process.
        binds: (source as the keeper sees it, target), all read-only.
        rlimits: `RLIMIT_X=value` of every process.
    """
    pairs = [word.split("=") for word in rlimits]
    mounts: list[dict[str, Any]] = [
        {"destination": "/proc", "type": "proc"},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"},
        {"destination": "/tmp", "type": "bind", "source": f"{root}/tmp"},  # noqa: S108  (runsc would put a tmpfs there)
        {"destination": "/dev", "type": "tmpfs"},
        {"destination": "/dev/shm", "type": "tmpfs", "options": ["nosuid", "nodev", f"size={_SHM_BYTES}"]},  # noqa: S108  (in the box)
    ]
    mounts += [{"destination": target, "type": "bind", "source": source, "options": ["ro", "nosuid", "nodev"]} for source, target in binds]
    return {
        "ociVersion": "1.0.2",
        "hostname": "box",
        "root": {"path": root},
        "process": {
            "args": list(argv),
            "cwd": HOME,
            "env": ["PATH=/usr/bin:/bin"],
            "user": {"uid": 0, "gid": 0},
            "capabilities": {kind: list(_CAPABILITIES) for kind in ("bounding", "effective", "permitted")},
            "noNewPrivileges": True,
            "rlimits": [{"type": name, "soft": int(value), "hard": int(value)} for name, value in pairs],
        },
        "mounts": mounts,
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
    }
