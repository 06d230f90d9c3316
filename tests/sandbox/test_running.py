"""How the processes of a box end."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from sandbox.rootfs import find_bwrap
from sandbox.running import FirstProcess

_VIEW = ["--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
_HOLD_MEMORY = "import time; held = bytearray(200 << 20); print('held', flush=True); time.sleep(60)"


async def test_end_waits_for_all_though_the_outer_process_is_gone() -> None:
    """bubblewrap's outer process ends with the command it started, and others of the box then still run."""
    info_r, info_w = os.pipe()
    # Giving back this much memory takes the kernel a while.
    script = f'python3 -c "{_HOLD_MEMORY}" & read x; kill -KILL $$'
    argv = [find_bwrap(), *_VIEW, "--info-fd", str(info_w), "--", "/bin/sh", "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(info_w,)) as outer:  # noqa: ASYNC220  (asyncio would keep the pipes)
        os.close(info_w)
        assert outer.stdin is not None
        assert outer.stdout is not None
        assert outer.stdout.readline() == b"held\n"
        pid = json.loads(os.read(info_r, 4096))["child-pid"]
        os.close(info_r)
        first = FirstProcess(pid)
        outer.stdin.write(b"\n")
        outer.stdin.close()
        outer.wait(10)
        assert _runs(pid)
        await first.end()
        assert not _runs(pid)
        await first.end()


def _runs(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
