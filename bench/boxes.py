"""Boxes: create, exec, fork, freeze."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

from bench.measure import in_turn, tell, timed
from sandbox.box import Box, BoxSpec, Command, Driver, Freeze
from sandbox.bubblewrap import BubblewrapDriver

TRUE = Command(["/bin/true"])
FLOOR = "mkdir -p {d}/u {d}/w {d}/m && mount -t overlay overlay -o lowerdir=/usr,upperdir={d}/u,workdir={d}/w {d}/m && exec /bin/true"


async def run(folder: Path) -> None:
    """Measure on a driver of its own."""
    async with BubblewrapDriver(folder / "host") as driver:
        await create(driver, folder)
        await exec_and_freeze(driver)
        await fork(driver)


async def create(driver: Driver, folder: Path) -> None:
    async def box() -> None:
        made = await driver.create(BoxSpec())
        await made.exec(TRUE, timeout_s=10)
        await made.delete()

    async def floor() -> None:
        command = FLOOR.format(d=folder / "floor")
        flags = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--net", "--ipc", "--uts"]
        process = await asyncio.create_subprocess_exec("unshare", *flags, "sh", "-c", command)
        if await process.wait() != 0:
            raise RuntimeError("the bare floor cannot be measured here: unshare with an overlay failed")

    ours, bare = await in_turn(box, floor, 20)
    tell(
        "create+exec / bare namespaces+overlay+exec",
        ours / bare,
        12,
        "ratio",
        ours_ms=round(ours * 1000, 1),
        baseline_ms=round(bare * 1000, 1),
    )
    if not _docker():
        print('{"name": "create+exec / docker run", "skipped": "no Docker engine here"}', flush=True)
        return

    async def docker() -> None:
        process = await asyncio.create_subprocess_exec("docker", "run", "--rm", "busybox", "true")
        await process.wait()

    ours, theirs = await in_turn(box, docker, 10)
    tell("create+exec / docker run", ours / theirs, 0.10, "ratio", ours_ms=round(ours * 1000, 1), baseline_ms=round(theirs * 1000, 1))


async def exec_and_freeze(driver: Driver) -> None:
    box = await driver.create(BoxSpec())

    async def spawn() -> None:
        process = await asyncio.create_subprocess_exec("/bin/true")
        await process.wait()

    ours, bare = await in_turn(lambda: box.exec(TRUE, timeout_s=10), spawn, 100)
    tell("exec in a live box", ours * 1000, 4, "ms", baseline_ms=round(bare * 1000, 2), ratio=round(ours / bare, 2))
    for kind, target_ms in ((Freeze.WARM, 5), (Freeze.COLD, 100)):
        froze = await timed(lambda kind=kind: box.freeze(kind))  # type: ignore[misc]
        resumed = await timed(box.resume)
        tell(f"freeze {kind}", froze * 1000, target_ms, "ms", resume_ms=round(resumed * 1000, 1))
    await box.delete()


async def fork(driver: Driver) -> None:
    empty, full = await driver.create(BoxSpec()), await driver.create(BoxSpec())
    fill = "import os\nfor d in range(500):\n os.makedirs(f'r/{d}')\n for n in range(100): open(f'r/{d}/{n}', 'w').write('x' * 500)"
    await full.exec(Command(["python3", "-c", fill]), timeout_s=120)

    async def forked(box: Box) -> None:
        await (await driver.fork(box)).delete()

    ours, bare = await in_turn(lambda: forked(full), lambda: forked(empty), 10)
    tell("fork 50,000 files / fork empty", ours / bare, 1.5, "ratio", ours_ms=round(ours * 1000, 1), baseline_ms=round(bare * 1000, 1))
    await empty.delete()
    await full.delete()


def _docker() -> bool:
    return shutil.which("docker") is not None and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
