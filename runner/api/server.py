"""Serves the box API of a host on a unix socket that only its own user can open; the front connects there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn

from runner.api.app import create_api
from runner.api.github_api import Server as GitHub
from runner.errors import HostMisconfigured
from sandbox.driver import Driver

STOP_S = 5


class _Server(uvicorn.Server):
    """Leaves signals to the process it is a part of, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(driver: Driver, data_dir: Path, github: GitHub) -> AsyncIterator[Path]:
    """Serve as long as the context lasts; yields the socket's path. Raises HostMisconfigured."""
    path = data_dir / "boxes.sock"
    config = uvicorn.Config(
        create_api(driver, data_dir, github),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=STOP_S,
        server_header=False,
        ws_max_size=16 << 20,
    )
    server = _Server(config)
    with _listening(path) as listener:
        work = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await server.up.wait()
            yield path.absolute()
        finally:
            server.should_exit = True
            await work
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    path.unlink(missing_ok=True)  # of a server that was killed: the data directory's lock is ours
    before = os.umask(0o177)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            try:
                listener.bind(os.fspath(path))
            except OSError as error:
                raise HostMisconfigured(f"{path} cannot be listened on: {error}; choose a BOX_DATA_DIR with a shorter path") from error
            finally:
                os.umask(before)
            listener.listen(512)
            yield listener
    finally:
        os.umask(before)
