"""Freezing and resuming."""

from __future__ import annotations

import asyncio
import contextlib

from sandbox.box import BoxSpec, BoxState, Command, Freeze
from sandbox.conformance.check import SMALL, a_box, expect, promise, shell
from sandbox.driver import Driver
from sandbox.errors import BoxBusy


@promise("a warm freeze stops processes where they stand, and they go on", "freezing")
async def _warm(driver: Driver) -> None:
    async with a_box(driver) as box, box.start(Command(["sh", "-c", "while :; do echo x; sleep 0.02; done"])) as process:
        output = process.output()
        await anext(output)
        report = await box.freeze(Freeze.WARM)
        expect((report.memory, box.state, box.frozen), (True, BoxState.PAUSED, Freeze.WARM), "report and state")
        with contextlib.suppress(TimeoutError):
            while True:  # what was written before the freeze
                await asyncio.wait_for(anext(output), 0.2)
        await box.resume()
        fresh = process.output()
        expect((await asyncio.wait_for(anext(fresh), 5))[1][:1], b"x", "output after")


@promise("a cold freeze keeps every file as it was", "freezing")
async def _cold(driver: Driver) -> None:
    async with a_box(driver) as box:
        await box.write_file("old", b"x")
        base = await box.snapshot()
        async with a_box(driver, BoxSpec(limits=SMALL, snapshot=base)) as fork:
            script = (
                "rm old; echo data > 'odd\nname'; ln -s odd* link; ln odd* hard; mkdir -m 000 closed; echo s > secret; chmod 000 secret;"
                "echo t > /tmp/kept; touch -d @1000000000 dated; truncate -s 10M sparse"
            )
            expect((await shell(fork, script)).exit_code, 0, "preparation")
            look = "ls -lA --time-style=+%s . /tmp | grep -v ^total; stat -c %h hard; chmod 400 secret; cat secret; chmod 000 secret"
            before = (await shell(fork, look)).stdout
            report = await fork.freeze(Freeze.COLD)
            expect((fork.state, fork.frozen, report.image_bytes > 0), (BoxState.PAUSED, Freeze.COLD, True), "state")
            expect(driver.get(fork.id).state, BoxState.PAUSED, "state as the driver tells it")
            await fork.resume()
            expect((await shell(fork, look)).stdout, before, "files after")
        await driver.delete_snapshot(base)


@promise("a cold freeze that would lose a running command is refused", "freezing")
async def _cold_busy(driver: Driver) -> None:
    if driver.capabilities.freezes_memory:
        return
    async with a_box(driver) as box, box.start(Command(["cat"])) as process:
        try:
            await box.freeze(Freeze.COLD)
        except BoxBusy:
            await process.write(b"still here")
            expect(await anext(process.output()), ("stdout", b"still here"), "the command after")
            return
        raise AssertionError("the freeze was not refused")


@promise("ten freezes in a row lose nothing", "freezing")
async def _cycles(driver: Driver) -> None:
    async with a_box(driver) as box:
        for number in range(10):
            await box.write_file(f"f{number}", str(number).encode())
            await box.freeze(Freeze.COLD)
            await box.resume()
        expect([entry.name for entry in await box.list_dir(".")], [f"f{number}" for number in range(10)], "files")


@promise("any work for a frozen box resumes it first", "freezing")
async def _wakes(driver: Driver) -> None:
    async with a_box(driver) as box:
        for kind in (Freeze.WARM, Freeze.COLD):
            await box.write_file("f", b"1")
            await box.freeze(kind)
            answers = await asyncio.gather(box.read_file("f"), *(shell(box, f"echo {number}") for number in range(5)))
            expect((answers[0], box.frozen, box.state), (b"1", None, BoxState.IDLE), f"after work for a {kind} box")
