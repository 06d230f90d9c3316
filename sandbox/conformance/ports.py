"""Connections into a box, and what is started with it."""

from __future__ import annotations

import asyncio
import time

from sandbox.box import Box, BoxSpec, Command, Freeze
from sandbox.conformance.check import SMALL, a_box, expect, promise, shell
from sandbox.driver import Driver
from sandbox.errors import BadRequest, NothingListens

_ECHO = """
import socket, sys
listener = socket.create_server((sys.argv[1], 8000), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print("up", flush=True)
while True:
    connection, _ = listener.accept()
    data = b""
    while piece := connection.recv(1 << 16):
        data += piece
    connection.sendall(data[::-1])
    connection.close()
"""


@promise("a port of the box can be connected to, and a freeze cuts the connection", "ports")
async def _port(driver: Driver) -> None:
    async with a_box(driver) as box, box.start(Command(["python3", "-c", _ECHO, "127.0.0.1"])) as process:
        await anext(process.output())
        for size in (0, 5, 3 << 20):
            expect(await _echoed(box, b"a" + b"b" * size), b"b" * size + b"a", f"an echo of {size} bytes")
        open_one = await box.connect(8000)
        await box.freeze(Freeze.WARM)
        expect(await asyncio.wait_for(open_one.read(), 5), b"", "a connection that was open")
        expect(await _echoed(box, b"ab"), b"ba", "an echo of a box that was frozen")


@promise("a port on which nothing listens is said to be closed", "ports")
async def _closed(driver: Driver) -> None:
    async with a_box(driver) as box:
        for port, kind in ((8001, NothingListens), (0, BadRequest), (65536, BadRequest)):
            try:
                await box.connect(port)
            except kind:
                continue
            raise AssertionError(f"port {port} answered")


@promise("the init command runs when the box is made and when it comes back without its processes", "ports")
async def _init(driver: Driver) -> None:
    async with a_box(driver, BoxSpec(limits=SMALL, init="echo run >> ran; echo said; exec sleep 600")) as box:
        await _ran(box, 1)
        expect(await box.read_file("/tmp/init.log"), b"said\n", "what it wrote")  # noqa: S108 - of the box
        await box.freeze(Freeze.WARM)
        await box.resume()
        await box.freeze(Freeze.COLD)
        await box.resume(memory=False)
        await _ran(box, 2)
        box.set_init("")
        await box.freeze(Freeze.COLD)
        await box.resume(memory=False)
        await asyncio.sleep(0.2)
        await _ran(box, 2)


async def _ran(box: Box, times: int) -> None:
    ends = time.monotonic() + 10
    lines = -1
    while lines < times and time.monotonic() < ends:
        lines = (await shell(box, "sleep 0.05; cat ran 2>/dev/null")).stdout.count(b"run")
    expect(lines, times, "runs of the init command")


async def _echoed(box: Box, data: bytes) -> bytes:
    connection = await box.connect(8000)
    sending = asyncio.ensure_future(connection.write(data))
    try:
        await sending
        await connection.close()
        heard = b""
        while piece := await connection.read():
            heard += piece
        return heard
    finally:
        sending.cancel()
        connection.abort()
