"""Boxes of every driver across servers: crashes, moves, and images that are not what they were."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from sandbox.box import BoxSpec, BoxState, Command, Freeze, Mount
from sandbox.conformance.check import SMALL, shell
from sandbox.errors import BoxBusy, HostUnfit, ImageCorrupt
from sandbox.gateway.policy import NetworkPolicy
from tests.sandbox.drivers import DRIVERS, open_driver, unusable

every_driver = pytest.mark.parametrize("name", DRIVERS)

SERVER = """
import asyncio, sys
from pathlib import Path
from sandbox.box import BoxSpec, Command
from tests.sandbox.drivers import open_driver

async def main():
    async with open_driver(sys.argv[1], Path(sys.argv[2])) as driver:
        box = await driver.create(BoxSpec())
        await box.write_file("kept", b"1")
        async with box.start(Command(["sleep", "4242"])):
            print(box.id, flush=True)
            await asyncio.sleep(60)

asyncio.run(main())
"""


@every_driver
async def test_server_that_is_killed_leaves_no_process_and_every_file(name: str, data_dir: Path) -> None:
    if reason := unusable(name):
        pytest.skip(reason)
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, name, str(data_dir / "h"), stdout=subprocess.PIPE)
    assert server.stdout is not None
    box_id = (await server.stdout.readline()).decode().strip()
    server.send_signal(signal.SIGKILL)
    await server.wait()
    async with asyncio.timeout(20):
        while _sleepers():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    async with open_driver(name, data_dir / "h") as driver:
        box = driver.get(box_id)
        assert (box.state, box.frozen) == (BoxState.PAUSED, Freeze.COLD)
        assert await box.read_file("kept") == b"1"
        await box.delete()


def _sleepers() -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes() == b"sleep\x004242\0":
                found.append(folder.name)
        except OSError:
            continue
    return found


@every_driver
async def test_box_is_carried_to_another_host_with_all_it_rests_on(name: str, data_dir: Path) -> None:
    async with open_driver(name, data_dir / "one") as one:
        base = await one.create(BoxSpec(limits=SMALL))
        await shell(base, "echo below > below; mkdir tree; echo a > tree/a; chmod 600 below")
        box = await one.fork(base)
        await shell(box, "rm tree/a; echo mine > mine")
        with pytest.raises(BoxBusy, match="is not frozen cold"):
            await one.carry_out(box.id, data_dir / "early")
        await box.freeze(Freeze.COLD)
        await one.carry_out(box.id, data_dir / "carried")
        with pytest.raises(BoxBusy, match="here already"):
            await one.carry_in(data_dir / "carried")
        await box.delete()
        await base.delete()
    async with open_driver(name, data_dir / "two") as two:
        moved = await two.carry_in(data_dir / "carried")
        assert (moved.id, moved.frozen) == (box.id, Freeze.COLD)
        assert (await shell(moved, "cat below mine; ls -A tree; stat -c %a below; id -un")).stdout == b"below\nmine\n600\nboxuser\n"
        fork = await two.fork(moved)
        assert await fork.read_file("mine") == b"mine\n"
        await fork.delete()
        await moved.delete()


@pytest.mark.parametrize(
    ("name", "file"),
    [(name, file) for name in ("bubblewrap", "gvisor") for file in ("box.json", "layers.json", "image/files.tar.zst")]
    + [("docker-runc", file) for file in ("box.json", "image.json", "image.tar")],
)
async def test_carried_box_that_was_tampered_with_is_refused(name: str, file: str, data_dir: Path) -> None:
    async with open_driver(name, data_dir / "one") as one:
        base = await one.create(BoxSpec(limits=SMALL))
        box = await one.fork(base)
        await box.freeze(Freeze.COLD)
        await one.carry_out(box.id, data_dir / "carried")
        await box.delete()
        await base.delete()
    target = data_dir / "carried" / file
    target.write_bytes(target.read_bytes()[:-7] + b"tampers")
    async with open_driver(name, data_dir / "two") as two:
        with pytest.raises(ImageCorrupt):
            await two.carry_in(data_dir / "carried")
        assert two.boxes() == []


@pytest.mark.parametrize("name", ["bubblewrap", "gvisor"])
async def test_carried_box_whose_mounts_the_host_lacks_is_refused(name: str, data_dir: Path) -> None:
    (data_dir / "tools").mkdir()
    async with open_driver(name, data_dir / "one") as one:
        box = await one.create(BoxSpec(limits=SMALL, mounts=(Mount(data_dir / "tools", "/opt/tools"),)))
        await box.freeze(Freeze.COLD)
        await one.carry_out(box.id, data_dir / "carried")
    (data_dir / "tools").rmdir()
    async with open_driver(name, data_dir / "two") as two:
        with pytest.raises(HostUnfit, match="which this host does not have"):
            await two.carry_in(data_dir / "carried")


@pytest.mark.parametrize("name", ["docker-runc", "docker-runsc"])
async def test_frozen_docker_box_whose_image_is_gone_says_so(name: str, data_dir: Path) -> None:
    async with open_driver(name, data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await box.freeze(Freeze.COLD)
        await asyncio.to_thread(subprocess.run, ["docker", "rmi", "-f", f"box-review-frozen:{box.id}"], check=True, capture_output=True)
        with pytest.raises(ImageCorrupt, match="is gone"):
            await box.resume()
        assert box.frozen is Freeze.COLD
        await box.delete()


@every_driver
async def test_thirty_boxes_at_once_are_made_used_and_deleted(name: str, data_dir: Path) -> None:
    async with open_driver(name, data_dir / "h") as driver:

        async def one(number: int) -> bytes:
            box = await driver.create(BoxSpec(limits=SMALL))
            try:
                return (await box.exec(Command(["echo", str(number)]), timeout_s=50)).stdout
            finally:
                await box.delete()

        answers = await asyncio.gather(*(one(number) for number in range(30)))
        assert answers == [b"%d\n" % number for number in range(30)]
        assert driver.boxes() == []


@every_driver
async def test_box_made_ahead_becomes_what_was_asked_for(name: str, data_dir: Path) -> None:
    if reason := unusable(name):
        pytest.skip(reason)
    async with open_driver(name, data_dir / "h") as driver:
        driver.keep_ready(1)
        waiting = await _one_waits(data_dir / "h")
        assert driver.boxes() == []
        other = await driver.create(BoxSpec(limits=SMALL))  # of another size: it is made
        assert other.id != waiting
        policy = NetworkPolicy(mode="custom", allowed_domains=("example.com",))
        box = await driver.create(BoxSpec(env={"WORD": "given"}, labels={"a": "b"}, network=policy))
        assert (box.id, box.state, box.labels, box.network) == (waiting, BoxState.IDLE, {"a": "b"}, policy)
        assert driver.get(waiting) is box
        result = await box.exec(Command(["sh", "-c", "echo $WORD; echo x > /tmp/y; cat /tmp/y"]), timeout_s=10)
        assert result.stdout == b"given\nx\n"
        again = await _one_waits(data_dir / "h", besides={waiting, other.id})
        assert again != waiting
        await box.delete()
    async with open_driver(name, data_dir / "h") as driver:
        assert [box.id for box in driver.boxes()] == [other.id]
        await driver.get(other.id).delete()


async def _one_waits(data_dir: Path, besides: Collection[str] = ()) -> str:
    """The id of the box that waits, by its record."""
    async with asyncio.timeout(20):
        while not (waiting := _frozen_warm(data_dir) - set(besides)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return waiting.pop()


def _frozen_warm(data_dir: Path) -> set[str]:
    records = (json.loads(file.read_text()) for file in data_dir.glob("boxes/bx*/box.json"))
    return {record["id"] for record in records if record["frozen"] == "warm"}
