"""A way to the gateway for this process: what comes through it is treated as if a program in the box had opened it."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from sandbox.gateway.connection import SocketConnection
from sandbox.gateway.gateway import Gateway


@contextlib.asynccontextmanager
async def door(gateway: Gateway, box_id: str) -> AsyncIterator[Path]:
    """A unix socket that only our own user can open, for as long as the context lasts."""
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="bx-door-") as folder:
        path = Path(folder, "s")
        server = await loop.create_unix_server(lambda: _Caller(gateway, box_id), path)
        try:
            yield path
        finally:
            server.close()


class _Caller(SocketConnection):
    def __init__(self, gateway: Gateway, box_id: str) -> None:
        super().__init__()
        self._gateway, self._box_id = gateway, box_id
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._task = asyncio.ensure_future(self._gateway.serve(self._box_id, self))
