"""Keeps the processes of `serve` running: starts them again when they crash, ends them together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from bot.errors import Misconfigured

log = structlog.get_logger()

STOP_DEADLINE_S = 25.0
LONGEST_PAUSE_S = 5.0
STEADY_S = 10.0
LOOK_S = 1.0
HOPELESS = (2, 3)  # a setting or the host is unfit: starting again cannot help
_TIED = str(Path(__file__).with_name("tied.py"))


def _always() -> bool:
    return True


@dataclass
class Child:
    """One supervised program; what it writes goes to our stderr. It is not started before it is `needed`."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    process: asyncio.subprocess.Process | None = None
    stopping: bool = False
    needed: Callable[[], bool] = _always

    async def start(self) -> None:
        """Start the program once."""
        # A session of its own: Ctrl-C reaches the supervisor alone, which then ends all in order.
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-S", _TIED, str(os.getpid())),
            *self.argv,
            env={**os.environ, **self.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            pass_fds=self.pass_fds,
            start_new_session=True,
        )

    async def keep_running(self) -> None:
        """Start it again whenever it ends.

        Raises:
            Misconfigured: it says that it cannot run here.
        """
        pause_s = 0.1
        while not self.stopping:
            started = time.monotonic()
            if self.process is None:
                while not self.needed():  # noqa: ASYNC110 - what is waited for may be a file
                    await asyncio.sleep(LOOK_S)
                await self.start()
            assert self.process is not None  # noqa: S101 - for the type checker
            code = await self.process.wait()
            self.process = None
            if self.stopping:
                return
            steady = time.monotonic() - started > STEADY_S
            if code in HOPELESS and not steady:
                raise Misconfigured(f"the {self.name} cannot run here (exit code {code}); it said why above")
            pause_s = 0.1 if steady else min(LONGEST_PAUSE_S, pause_s * 2)
            log.warning("a process ended and is started again", process=self.name, code=code, pause_s=pause_s)
            await asyncio.sleep(pause_s)

    async def stop(self) -> None:
        """Ask it to end; after the deadline, make it."""
        self.stopping = True
        process = self.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_DEADLINE_S):
                await process.wait()
        except TimeoutError:
            log.warning("a process did not stop and is killed", process=self.name)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
