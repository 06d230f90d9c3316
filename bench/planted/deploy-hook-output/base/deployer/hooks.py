"""Running the hook of a site."""

from __future__ import annotations

import subprocess
from pathlib import Path

TIMEOUT = 300


class HookError(Exception):
    """The hook did not end as it should."""


def run_hook(hook: Path, branch: str, revision: str) -> None:
    """Run the hook with the branch and the revision that was pushed."""
    try:
        done = subprocess.run(
            ["/bin/sh", str(hook), branch, revision],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise HookError(f"{hook.name} took longer than {TIMEOUT} s") from error
    if done.returncode != 0:
        raise HookError(f"{hook.name} exited with {done.returncode}")
