"""`box-review serve` and `box-review review` as users start them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from box_review.client import Address

START_S = 30.0


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Server:
    """A real server in a process of its own, with its queue, bot and runner below it."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        self._environment = environment

    def __enter__(self) -> Self:
        argv = [sys.executable, "-m", "bot.serve", "--data-dir", str(self.data_dir), "--port", "0"]
        self.log = Path(f"{self.data_dir}.log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, **self._environment}, start_new_session=True)
        ends = time.monotonic() + START_S
        while not (self.data_dir / "serve.json").exists():
            if self.process.poll() is not None or time.monotonic() > ends:
                raise AssertionError(f"the server did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(40)

    @property
    def address(self) -> Address:
        """Where it answers, with its own key."""
        return Address(self.url, (self.data_dir / "api-key").read_text())

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(json.loads((self.data_dir / "serve.json").read_text())["url"])

    def child(self, module: str) -> int:
        """Process id of its bot or runner."""
        return next(pid for pid in children(self.process.pid) if f"-m\0{module}" in command_line(pid))


def children(pid: int) -> list[int]:
    """Processes below one."""
    found = []
    for line in subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.splitlines():
        child, parent = line.split()
        if int(parent) == pid:
            found += [int(child), *children(int(child))]
    return found


def command_line(pid: int) -> str:
    """Program and arguments of a process, joined by NUL; empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def box_review(*arguments: str | Path, cwd: Path | None = None, timeout_s: float = 50, **environment: str) -> Ended:
    """Run the command line to its end."""
    ended = subprocess.run(
        [sys.executable, "-m", "box_review", *map(str, arguments)],
        cwd=cwd, capture_output=True, timeout=timeout_s, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    return Ended(ended.returncode, ended.stdout.decode("utf-8", "surrogateescape"), ended.stderr.decode("utf-8", "surrogateescape"))
