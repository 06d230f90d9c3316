"""The version of an interpreter."""

from __future__ import annotations

import subprocess

TIMEOUT = 10
PROGRAM = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


def version(path: str) -> str | None:
    """Ask an interpreter for its version; None where it does not run."""
    try:
        done = subprocess.run(
            [path, "-I", "-c", PROGRAM],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
