"""What a box may use."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sandbox.box import BoxSpec
from sandbox.conformance.check import MIB, SMALL, a_box, expect, promise, python, shell
from sandbox.driver import Driver


@promise("memory beyond the limit ends the program, not the box", "limits")
async def _memory(driver: Driver) -> None:
    async with a_box(driver, BoxSpec(limits=replace(SMALL, memory_bytes=128 * MIB))) as box:
        result = await python(box, "x = bytearray(512 << 20); print(len(x))")
        expect(result.exit_code != 0, True, "the program failed")
        if "memory" in driver.capabilities.limits:
            expect(result.limit, "memory", "limit named")
        expect((await shell(box, "echo alive")).stdout, b"alive\n", "the box after")


@promise("far more processes than allowed cannot be started", "limits")
async def _pids(driver: Driver) -> None:
    async with a_box(driver, BoxSpec(limits=replace(SMALL, pids=20))) as box:
        probe = "import os, time\nfor _ in range(200):\n if os.fork() == 0: time.sleep(2); os._exit(0)\n os.write(1, b'x')"
        result = await python(box, probe)
        # A watch from outside looks too late for some, and gVisor counts behind on a busy machine: up to 55 were seen.
        expect(0 < len(result.stdout) <= 100, True, f"{len(result.stdout)} started")
        if "pids" in driver.capabilities.limits:
            expect(result.limit, "pids", "limit named")


@promise("writing more than the disk limit ends the program", "limits")
async def _disk(driver: Driver) -> None:
    async with a_box(driver, BoxSpec(limits=replace(SMALL, disk_bytes=16 * MIB))) as box:
        one = await shell(box, "head -c 40M /dev/zero > big")
        expect(one.exit_code != 0, True, "one large file")
        many = await shell(box, "i=0; while [ $i -lt 200 ]; do i=$((i+1)); head -c 4M /dev/zero > f$((i%10)); sleep 0.05; done")
        expect((many.exit_code != 0, many.limit), (True, "disk"), "many files")


@promise("programs in the background are bounded too, and a full box can be emptied", "limits")
async def _background(driver: Driver) -> None:
    async with a_box(driver, BoxSpec(limits=replace(SMALL, disk_bytes=16 * MIB))) as box:
        write = "i=0; while :; do i=$((i+1)); head -c 4M /dev/zero > f$((i%10)); echo >> ticks; sleep 0.05; done"
        await shell(box, f"nohup sh -c '{write}' >/dev/null 2>&1 &")
        ticks, before = b"", b"x"
        async with asyncio.timeout(20):
            while ticks != before or not ticks:
                await asyncio.sleep(1)
                ticks, before = (await shell(box, "cat ticks")).stdout, ticks  # may itself be ended
        emptied = await shell(box, "rm f*; sleep 2; echo room > f")
        expect((emptied.exit_code, emptied.limit), (0, None), "removing files of a full box")
