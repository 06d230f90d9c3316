"""Starting programs: deadline, output cap, own process group, an environment that holds nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MEGABYTE = 1_000_000
STDERR_KEPT = 256_000


@dataclass(frozen=True)
class Completed:
    """What a program left: bytes of stdout up to the cap, the end of stderr, and how it ended."""

    returncode: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    truncated: bool


class Deadline:
    """A point in time for all the work, from which every program gets its share."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def share(self, at_most_s: float) -> float:
        """Seconds a program may take: what is left, at most `at_most_s`, never less than 0.1."""
        return max(0.1, min(at_most_s, self._ends - time.monotonic()))


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    cwd: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    max_output: int = 64 * MEGABYTE,
) -> Completed:
    """Run `argv` to its end, its deadline (seconds) or its output cap (bytes); the whole group dies with it.

    Raises:
        OSError: the program cannot be started.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            argv, stdin=given, stdout=subprocess.PIPE, stderr=errors, cwd=cwd, env=dict(env or _bare(cwd)), start_new_session=True
        )
        expired = threading.Event()
        timer = threading.Timer(timeout_s, _expire, (process, expired))
        timer.daemon = True
        timer.start()
        try:
            output = process.stdout.read(max_output + 1) if process.stdout else b""
        finally:
            truncated = process.poll() is None and not _ends_soon(process)
            timer.cancel()
            _kill(process)
            process.wait()
            if process.stdout:
                process.stdout.close()
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - STDERR_KEPT))
        return Completed(process.returncode, output[:max_output], errors.read(), expired.is_set(), truncated or len(output) > max_output)


def _bare(home: str) -> dict[str, str]:
    """An environment without the box's variables, so that none of them can configure a tool."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TMPDIR": home}


def _ends_soon(process: subprocess.Popen[bytes]) -> bool:
    """True if a program whose output has ended also exits by itself."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
        return True
    return False


def _expire(process: subprocess.Popen[bytes], expired: threading.Event) -> None:
    expired.set()
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
