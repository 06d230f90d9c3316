"""Running the hook of a site."""

from __future__ import annotations

import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

TIMEOUT = 300


class HookError(Exception):
    """The hook did not end as it should."""


def log_path(hook: Path) -> Path:
    """Return where the output of a hook is kept: next to it."""
    return hook.with_suffix(".log")


def run_hook(hook: Path, branch: str, revision: str) -> None:
    """Run the hook with the branch and the revision that was pushed; its output is added to its log."""
    log = log_path(hook)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} {branch} {revision}\n")
    command = f"sh {shlex.quote(str(hook))} {branch} {revision} >> {shlex.quote(str(log))} 2>&1"
    try:
        done = subprocess.run(command, shell=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise HookError(f"{hook.name} took longer than {TIMEOUT} s") from error
    if done.returncode != 0:
        raise HookError(f"{hook.name} exited with {done.returncode}, see {log.name}")
