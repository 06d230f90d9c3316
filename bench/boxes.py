"""Boxes of every driver this machine has: create, exec, fork, freeze, thirty at once."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.measure import in_turn, tell, timed
from sandbox.box import Box, BoxSpec, Command, Freeze
from sandbox.bubblewrap import BubblewrapDriver
from sandbox.docker.driver import DockerDriver
from sandbox.driver import Driver
from sandbox.errors import SandboxError
from sandbox.gvisor.driver import GvisorDriver

TRUE = Command(["/bin/true"])
FLOOR = "mkdir -p {d}/u {d}/w {d}/m && mount -t overlay overlay -o lowerdir=/usr,upperdir={d}/u,workdir={d}/w {d}/m && exec /bin/true"
HOLD = 'nohup python3 -c \'import os, time; x = os.urandom(200 << 20); open("up", "w"); time.sleep(999)\' >/dev/null 2>&1 &'
DRIVERS: dict[str, Callable[[Path], Driver]] = {"bubblewrap": BubblewrapDriver, "gvisor": GvisorDriver, "docker": DockerDriver}
CREATE_TO_DOCKER = {"bubblewrap": 0.10, "gvisor": 0.55, "docker": 1.0}
REFILL_S = 2.0  # in which the next box that is kept ready is made, outside of what is measured
THIRTY_S = {"bubblewrap": 1.0, "gvisor": 2.5, "docker": 6.0}


async def run(folder: Path) -> None:
    """Measure each driver on a data directory of its own."""
    engine = await has_docker()
    for name, make in DRIVERS.items():
        try:
            async with make(folder / name) as driver:
                await create(driver, folder, docker=engine)
                await exec_and_freeze(driver, docker=engine)
                await fork(driver)
                await thirty(driver)
                if driver.capabilities.freezes_memory:
                    await memory(driver)
        except SandboxError as error:
            print(f'{{"name": "{name}", "skipped": "{error}"}}', flush=True)


async def create(driver: Driver, folder: Path, *, docker: bool) -> None:
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

    if driver.name == "bubblewrap":
        ours, bare = await in_turn(box, floor, 20)
        _ratio("bubblewrap: create+exec / bare namespaces+overlay+exec", ours, bare, 12)
    if docker:
        ours, theirs = await in_turn(box, docker_run, 12)
        _ratio(f"{driver.name}: create+exec / docker run", ours, theirs, CREATE_TO_DOCKER[driver.name])
        driver.keep_ready(1)
        took = []
        for _ in range(12):
            await asyncio.sleep(REFILL_S)
            took.append(await timed(box))
        driver.keep_ready(0)
        _ratio(
            f"{driver.name}: create+exec, one box kept ready / docker run", statistics.median(took), theirs, CREATE_TO_DOCKER[driver.name]
        )


async def exec_and_freeze(driver: Driver, *, docker: bool) -> None:
    box = await driver.create(BoxSpec())

    async def spawn() -> None:
        process = await asyncio.create_subprocess_exec("/bin/true")
        await process.wait()

    ours, bare = await in_turn(lambda: box.exec(TRUE, timeout_s=10), spawn, 40)
    target = 4 if driver.name == "bubblewrap" else 60
    tell(f"{driver.name}: exec in a live box", ours * 1000, target, "ms", baseline_ms=round(bare * 1000, 2), ratio=round(ours / bare, 2))
    froze, resumed = await _cycles(box, Freeze.WARM, 9)
    tell(f"{driver.name}: freeze warm", froze * 1000, 5, "ms", resume_ms=round(resumed * 1000, 1))
    froze, resumed = await _cycles(box, Freeze.COLD, 7)
    if docker:
        theirs = statistics.median([await timed(docker_run) for _ in range(7)])
        small = (0.15, 0.25) if driver.name == "bubblewrap" else (1.0, 1.0)
        _ratio(f"{driver.name}: freeze cold, small box / docker run", froze, theirs, small[0])
        _ratio(f"{driver.name}: resume cold, small box / docker run", resumed, theirs, small[1])
    else:
        tell(f"{driver.name}: freeze cold, small box", froze * 1000, 100, "ms", resume_ms=round(resumed * 1000, 1))
    await box.delete()


async def fork(driver: Driver) -> None:
    empty, full = await driver.create(BoxSpec()), await driver.create(BoxSpec())
    fill = "import os\nfor d in range(500):\n os.makedirs(f'r/{d}')\n for n in range(100): open(f'r/{d}/{n}', 'w').write('x' * 500)"
    await full.exec(Command(["python3", "-c", fill]), timeout_s=300)

    async def forked(box: Box) -> None:
        await (await driver.fork(box)).delete()

    ours, bare = await in_turn(lambda: forked(full), lambda: forked(empty), 8)
    _ratio(f"{driver.name}: fork 50,000 files / fork empty", ours, bare, 1.5)
    await empty.delete()
    await full.delete()


async def thirty(driver: Driver) -> None:
    async def one() -> None:
        box = await driver.create(BoxSpec())
        await box.exec(TRUE, timeout_s=60)
        await box.delete()

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(30)))

    took = statistics.median([await timed(all_of_them) for _ in range(3)])
    tell(f"{driver.name}: 30 boxes at once, made, used and deleted", took, THIRTY_S[driver.name], "s")


async def memory(driver: Driver) -> None:
    """A box that holds 200 MB which do not compress."""
    box = await driver.create(BoxSpec())
    await box.exec(Command(["sh", "-c", HOLD + " until [ -e up ]; do sleep 0.05; done"]), timeout_s=60)
    froze, resumed, image = [], [], 0
    for _ in range(5):
        report = await box.freeze(Freeze.COLD)
        froze.append(report.duration_s)
        image = report.image_bytes
        resumed.append((await box.resume()).duration_s)
    tell(f"{driver.name}: freeze with 200 MB of memory", statistics.median(froze), 0.6, "s", worst_s=round(max(froze), 2))
    tell(f"{driver.name}: image / memory", image / (200 << 20), 1.1, "ratio")
    tell(f"{driver.name}: resume with 200 MB of memory", statistics.median(resumed), 0.35, "s", worst_s=round(max(resumed), 2))
    await box.freeze(Freeze.COLD)

    async def three() -> None:
        forks = await asyncio.gather(*(driver.fork(box) for _ in range(3)))
        spent.append(forks)

    spent: list[list[Box]] = []
    took = [await timed(three) for _ in range(3)]
    tell(f"{driver.name}: three forks of a frozen 200 MB box", statistics.median(took), 0.6, "s")
    for done in [box, *(fork for forks in spent for fork in forks)]:
        await done.delete()


async def _cycles(box: Box, kind: Freeze, rounds: int) -> tuple[float, float]:
    """Medians of freezing and resuming, in seconds."""
    pairs = [(await timed(lambda: box.freeze(kind)), await timed(box.resume)) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def _ratio(name: str, ours: float, theirs: float, target: float) -> None:
    tell(name, ours / theirs, target, "ratio", ours_ms=round(ours * 1000, 1), baseline_ms=round(theirs * 1000, 1))


async def docker_run() -> None:
    process = await asyncio.create_subprocess_exec("docker", "run", "--rm", "busybox", "true", stdout=asyncio.subprocess.DEVNULL)
    if await process.wait() != 0:
        raise RuntimeError("docker run failed")


async def has_docker() -> bool:
    """True if there is an engine; `busybox` is then made from the host's static one, where it is not there."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        print('{"name": "docker run", "skipped": "no Docker engine here"}', flush=True)
        return False
    if subprocess.run(["docker", "image", "inspect", "busybox"], capture_output=True, check=False).returncode != 0:
        make = "set -e; d=$(mktemp -d); mkdir $d/bin; cp /bin/busybox $d/bin/; ln -s busybox $d/bin/true;"
        make += "tar -C $d -c . | docker import - busybox"
        if subprocess.run(["sh", "-c", make], capture_output=True, check=False).returncode != 0:
            print('{"name": "docker run", "skipped": "no busybox image: docker pull busybox, or apt install busybox-static"}', flush=True)
            return False
    return True
