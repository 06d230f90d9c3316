"""Takes the engine's framing off a container's output, so that the link sees what the supervisor wrote."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from sandbox.inbox.wire import CHUNK

_HEADER = struct.Struct("!BxxxI")  # stream, size
_STDOUT = 1


class Wire:
    """Copies between an attached container and one end of a socket pair, whose other end is the link's."""

    def __init__(self, attached: socket.socket) -> None:
        self._attached = attached
        self.link_end, self._own_end = socket.socketpair()
        for end in (self.link_end, self._own_end):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._own_end.setblocking(False)
        self._tasks = [asyncio.ensure_future(self._outward()), asyncio.ensure_future(self._inward())]

    async def close(self) -> None:
        """Stop copying."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._own_end.close()
        self._attached.close()

    async def _inward(self) -> None:
        """Host to box: as it is."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(self._own_end, CHUNK):
                await loop.sock_sendall(self._attached, data)
            self._attached.shutdown(socket.SHUT_WR)

    async def _outward(self) -> None:
        """Box to host: without the engine's headers."""
        loop = asyncio.get_running_loop()
        buffer = bytearray()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(self._attached, 2 * CHUNK):
                buffer += data
                if payload := _take(buffer):
                    await loop.sock_sendall(self._own_end, payload)
        with contextlib.suppress(OSError):
            self._own_end.shutdown(socket.SHUT_RDWR)  # closing it here would leave the loop with a number of somebody else's


def _take(buffer: bytearray) -> bytes:
    """Take the complete pieces of stdout out of the buffer."""
    pieces, start = [], 0
    while len(buffer) - start >= _HEADER.size:
        stream, size = _HEADER.unpack_from(buffer, start)
        end = start + _HEADER.size + size
        if end > len(buffer):
            break
        if stream == _STDOUT:
            pieces.append(bytes(buffer[start + _HEADER.size : end]))
        start = end
    del buffer[:start]
    return b"".join(pieces)
