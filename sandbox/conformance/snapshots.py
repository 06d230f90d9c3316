"""Snapshots and forks."""

from __future__ import annotations

from sandbox.box import BoxSpec, Command
from sandbox.conformance.check import SMALL, a_box, expect, promise, shell
from sandbox.driver import Driver
from sandbox.errors import BoxNotFound


@promise("a snapshot keeps the files of its moment, and forks are independent", "snapshots")
async def _snapshot(driver: Driver) -> None:
    async with a_box(driver) as box:
        await box.write_file("kept", b"1")
        await box.write_file("gone", b"1")
        await box.write_file("large", b"x" * 3_000_000)
        snapshot = await box.snapshot()
        expect(3_000_000 <= await driver.snapshot_bytes(snapshot) < 30_000_000, True, "a snapshot of 3 MB has that size")
        await box.write_file("kept", b"2")
        await box.remove("gone")
        async with (
            a_box(driver, BoxSpec(limits=SMALL, snapshot=snapshot)) as one,
            a_box(driver, BoxSpec(limits=SMALL, snapshot=snapshot)) as two,
        ):
            await one.write_file("kept", b"3")
            values = [await entry.read_file("kept") for entry in (box, one, two)]
            expect(values, [b"2", b"3", b"1"], "the three files")
            expect(await two.read_file("gone"), b"1", "removed later")
        await driver.delete_snapshot(snapshot)
        try:
            await driver.create(BoxSpec(snapshot=snapshot))
        except BoxNotFound:
            return
        raise AssertionError("a deleted snapshot was used")


@promise("a fork outlives the box it came from, and removed files stay removed", "snapshots")
async def _fork(driver: Driver) -> None:
    async with a_box(driver) as box:
        await box.write_file("tree/a", b"a")
        await box.write_file("tree/b", b"b")
        first = await driver.fork(box)
    try:
        await first.remove("tree/a")
        second = await driver.fork(first)
        try:
            expect([entry.name for entry in await second.list_dir("tree")], ["b"], "files of the second fork")
            expect((await shell(second, "rm -r tree && mkdir tree && ls -A tree")).stdout, b"", "a folder made anew")
            third = await driver.fork(second)
            expect([entry.name for entry in await third.list_dir("tree")], [], "files of the third fork")
            await third.delete()
        finally:
            await second.delete()
    finally:
        await first.delete()


@promise("a snapshot of a busy box does not disturb its processes", "snapshots")
async def _busy_snapshot(driver: Driver) -> None:
    async with a_box(driver) as box, box.start(Command(["sh", "-c", "echo ready; read x; echo $x"])) as process:
        output = process.output()
        await anext(output)
        await box.write_file("f", b"1")
        snapshot = await box.snapshot()
        async with a_box(driver, BoxSpec(limits=SMALL, snapshot=snapshot)) as copy:
            expect(await copy.read_file("f"), b"1", "file in the fork")
        await driver.delete_snapshot(snapshot)
        await process.write(b"alive\n")
        expect(await anext(output), ("stdout", b"alive\n"), "the process after")


@promise("forty generations of forks still start", "snapshots")
async def _generations(driver: Driver) -> None:
    box = await driver.create(BoxSpec(limits=SMALL))
    for number in range(40):
        await box.write_file(f"g{number}", b"")
        if number:
            await box.remove(f"g{number - 1}")
        child = await driver.fork(box)
        await box.delete()
        box = child
    names = [entry.name for entry in await box.list_dir(".")]
    await box.delete()
    expect(names, ["g39"], "files of the last one")
