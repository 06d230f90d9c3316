"""Files of a box through the host's calls."""

from __future__ import annotations

import asyncio

from sandbox.conformance.check import a_box, expect, promise, shell
from sandbox.driver import Driver
from sandbox.errors import BoxFileError


@promise("files are written, read in ranges, listed, moved and removed", "files")
async def _files(driver: Driver) -> None:
    async with a_box(driver) as box:
        await box.write_file("deep/er/file.bin", b"0123456789" * 20_000, mode=0o750)
        expect(await box.read_file("deep/er/file.bin", offset=5, length=10), b"5678901234", "range")
        info = await box.stat("deep/er/file.bin")
        expect((info.kind, info.mode, info.size), ("file", 0o750, 200_000), "stat")
        await box.rename("deep/er", "moved")
        await box.mkdir("moved/sub/sub")
        expect([(entry.name, entry.kind) for entry in await box.list_dir("moved")], [("file.bin", "file"), ("sub", "dir")], "listing")
        for refused in (box.mkdir("moved", parents=False), box.remove("moved", recursive=False)):
            try:
                await refused
            except BoxFileError as error:
                expect(error.errno in (17, 21), True, f"errno of {error}")
            else:
                raise AssertionError("a folder that is there was made, or one that is full removed")
        await shell(box, "ln -s moved/file.bin link")
        link, target = await box.stat("link"), await box.stat("link", follow=True)
        expect((link.kind, target.kind, target.inode), ("link", "file", (await box.stat("moved/file.bin")).inode), "stat of a link")
        await box.remove("link")
        await box.remove("moved")
        expect([entry.name for entry in await box.list_dir(".")], ["deep"], "what is left")


@promise("file errors carry errno and path", "files")
async def _file_errors(driver: Driver) -> None:
    async with a_box(driver) as box:
        for call, number in ((box.read_file("missing"), (2,)), (box.read_file("/etc"), (21,)), (box.write_file("/usr/x", b""), (13, 30))):
            try:
                await call
            except BoxFileError as error:
                expect(error.errno in number, True, f"errno of {error}")
            else:
                raise AssertionError(f"errno {number} was expected")


@promise("file names may hold any byte but NUL and slash", "files")
async def _names(driver: Driver) -> None:
    async with a_box(driver) as box:
        names = ["-rf", "new\nline", "esc\x1b[2J", "bad\udcff", " space "]
        for name in names:
            await box.write_file(f"odd/{name}", name.encode("utf-8", "surrogateescape"))
        expect({entry.name for entry in await box.list_dir("odd")}, set(names), "names")
        expect(await box.read_file("odd/bad\udcff"), b"bad\xff", "content")


@promise("a named pipe or device cannot hang a read", "files")
async def _pipe(driver: Driver) -> None:
    async with a_box(driver) as box:
        await shell(box, "mkfifo pipe")
        for path in ("pipe", "/dev/zero"):
            try:
                await asyncio.wait_for(box.read_file(path), 5)
            except BoxFileError:
                continue
            raise AssertionError(f"{path} was read")


@promise("a link to a host file leads nowhere", "files")
async def _links(driver: Driver) -> None:
    async with a_box(driver) as box:
        await shell(box, "ln -s /etc/shadow shadow; ln -s / root")
        for path in ("shadow", "root/root/.bashrc"):
            try:
                await box.read_file(path)
            except BoxFileError:
                continue
            raise AssertionError(f"{path} was read")
