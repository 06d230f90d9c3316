"""After the tests of boxes nothing of them is left on the machine."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = _traces()
    yield
    ends = time.monotonic() + 10
    while (left := _traces() - before) and time.monotonic() < ends:
        time.sleep(0.2)  # the kernel takes its time to end namespaces
    assert not left


def _traces() -> set[str]:
    """Processes, mounts, control groups, containers, images and loop devices of boxes, as far as this user can see them."""
    found = {f"mount {line.split()[1]}" for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines() if "/bx-" in line}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if any(word in words for word in ("bwrap ", "runsc", "/.box")):
            found.add(f"process {folder.name} {words[:200]}")
    for parent in [Path("/sys/fs/cgroup/box-review"), *Path("/sys/fs/cgroup").glob("*/box-review")]:
        with contextlib.suppress(OSError):
            found |= {f"group {group}" for group in parent.glob("bx*")}
    found |= {f"loop {path}" for path in Path("/sys/block").glob("loop*/loop/backing_file")}
    for command in (
        ["docker", "ps", "-aq", "--filter", "label=box-review.data"],
        ["docker", "images", "-q", "--filter", "label=box-review.data"],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        found |= {f"docker {name}" for name in done.stdout.split()}
    return found
