"""What happens to a box when several things happen to it at once, or are given up half-way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from sandbox.box import Box, BoxSpec, BoxState, Command, Freeze
from sandbox.conformance.check import SMALL, python, shell
from sandbox.errors import BadRequest, BoxDead, DiskFull
from tests.sandbox.drivers import open_driver, unusable

layered = pytest.mark.parametrize("name", ["bubblewrap", "gvisor"])
shared_kernel = pytest.mark.parametrize("name", ["bubblewrap", "gvisor", "docker-runc"])


@pytest.fixture(autouse=True)
def _skips(request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params.get("name", "gvisor") if hasattr(request.node, "callspec") else "gvisor"
    if reason := unusable(name):
        pytest.skip(reason)


async def cancelled(work: object, after_s: float) -> None:
    """Start something and give it up."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    await asyncio.sleep(after_s)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until_frozen(box: Box, kind: Freeze | None) -> None:
    async with asyncio.timeout(20):
        while box.frozen is not kind:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@layered
async def test_sweep_during_a_snapshot_takes_nothing_away(name: str, data_dir: Path) -> None:
    async with open_driver(name, data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        for number in range(5):
            await box.write_file(f"f{number}", b"1")
            await asyncio.gather(box.snapshot(), *(driver.sweep() for _ in range(3)))
        assert len(await box.list_dir(".")) == 5
        await driver.sweep()
        assert len(await (await driver.fork(box)).list_dir(".")) == 5


@layered
@pytest.mark.parametrize("after_s", [0.0, 0.005, 0.03, 0.1])
async def test_snapshot_that_is_given_up_loses_no_file(name: str, after_s: float, data_dir: Path) -> None:
    async with open_driver(name, data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await box.write_file("kept", b"1")
        await cancelled(box.snapshot(), after_s)
        await driver.sweep()
        assert await box.read_file("kept") == b"1"


@layered
async def test_box_that_is_given_up_while_it_starts_leaves_nothing(name: str, data_dir: Path) -> None:
    async with open_driver(name, data_dir / "h") as driver:
        for number in range(10):
            creating = asyncio.ensure_future(driver.create(BoxSpec(limits=SMALL)))
            await asyncio.wait([creating], timeout=number * 0.01)
            creating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await (await creating).delete()
        async with asyncio.timeout(20):
            while driver.boxes():  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@layered
async def test_record_that_cannot_be_read_is_no_reason_to_delete_a_box(name: str, data_dir: Path) -> None:
    async with open_driver(name, data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await box.write_file("kept", b"1")
        record = data_dir / "h" / "boxes" / box.id / "box.json"
        whole = record.read_text()
        record.write_text(whole.replace('"cold"', '"tepid"').replace('"idle"', '"asleep"'))
        await driver.sweep()
        assert await box.read_file("kept") == b"1"
        record.write_text(whole)


@pytest.mark.parametrize("after_s", [0.03, 0.12, 0.2, 0.3])
async def test_freeze_that_is_given_up_comes_to_its_end(after_s: float, data_dir: Path) -> None:
    async with open_driver("gvisor", data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await box.exec(Command(["sh", "-c", "nohup sleep 60 >/dev/null 2>&1 &"]), timeout_s=5)
        await cancelled(box.freeze(Freeze.COLD), after_s)
        await until_frozen(box, Freeze.COLD)
        assert (await box.resume()).memory
        assert (await box.freeze(Freeze.COLD)).memory
        assert (await shell(box, "pgrep -c sleep")).stdout == b"1\n"


@pytest.mark.parametrize("after_s", [0.0, 0.03, 0.1, 0.2])
async def test_resume_that_is_given_up_loses_no_process(after_s: float, data_dir: Path) -> None:
    async with open_driver("gvisor", data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await box.exec(Command(["sh", "-c", "nohup sleep 60 >/dev/null 2>&1 &"]), timeout_s=5)
        await box.freeze(Freeze.COLD)
        await cancelled(shell(box, "true"), after_s)  # any work resumes it
        assert (await shell(box, "pgrep -c sleep")).stdout == b"1\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system can be mounted by root alone")
async def test_bubblewrap_box_goes_on_after_a_freeze_for_which_there_was_no_room(data_dir: Path) -> None:
    (data_dir / "small").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=180m,mode=755", "none", data_dir / "small"], check=True)
    try:
        async with open_driver("bubblewrap", data_dir / "small") as driver:
            box = await driver.create(BoxSpec(limits=SMALL))
            await box.exec(Command(["sh", "-c", "head -c 50M /dev/urandom > a; head -c 50M /dev/urandom > b"]), timeout_s=20)
            with pytest.raises(DiskFull):
                await box.freeze(Freeze.COLD)
            assert (await shell(box, "du -m a | cut -f1")).stdout == b"50\n"
            await box.delete()
    finally:
        subprocess.run(["umount", data_dir / "small"], check=True)


async def test_hundred_snapshots_of_one_box(data_dir: Path) -> None:
    async with open_driver("bubblewrap", data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        for number in range(100):
            await box.write_file(f"f{number}", b"1")
            snapshot = await box.snapshot()
        assert len(await box.list_dir(".")) == 100
        assert len(await (await driver.create(BoxSpec(limits=SMALL, snapshot=snapshot))).list_dir(".")) == 100


@shared_kernel
async def test_programs_cannot_end_the_first_process(name: str, data_dir: Path) -> None:
    async with open_driver(name, data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await shell(box, "for s in INT HUP QUIT TERM USR1 PIPE ALRM CHLD WINCH SEGV ABRT; do kill -$s 1; done")
        limit = "import resource\ntry: resource.prlimit(1, resource.RLIMIT_NOFILE, (4, 4)); print('set')\n"
        limit += "except PermissionError: print('refused')"
        assert (await python(box, limit)).stdout == b"refused\n"
        for call in ("process.signal(999)", "process.resize(70000, 80)"):
            async with box.start(Command(["sleep", "9"], tty=(10, 10))) as process:
                with pytest.raises(BadRequest):
                    await process.signal(999) if "signal" in call else process.resize(70_000, 80)
        assert (await shell(box, "echo alive")).stdout == b"alive\n"
        await box.delete()


@shared_kernel
async def test_box_that_is_full_of_processes_answers_and_lives(name: str, data_dir: Path) -> None:
    async with open_driver(name, data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        fill = "import os, time\ntry:\n while True:\n  if os.fork() == 0: time.sleep(3); os._exit(0)\n"
        fill += "except OSError: print('full', flush=True); time.sleep(2)"
        async with box.start(Command(["python3", "-c", fill])) as process:
            with contextlib.suppress(StopAsyncIteration):
                await anext(process.output())
            results = await asyncio.gather(*(shell(box, "echo hi") for _ in range(5)))
            assert {result.exit_code for result in results} <= {0, 2, 126, 137, 254}
        await asyncio.sleep(0.2)
        async with asyncio.timeout(20):
            while (await shell(box, "echo alive")).stdout != b"alive\n":  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert box.state in (BoxState.IDLE, BoxState.RUNNING)
        await box.delete()


@shared_kernel
async def test_output_written_just_before_the_end_is_never_lost(name: str, data_dir: Path) -> None:
    async with open_driver(name, data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        results = await asyncio.gather(*(box.exec(Command(["head", "-c", "60000", "/dev/zero"]), timeout_s=50) for _ in range(40)))
        assert {len(result.stdout) for result in results} == {60_000}
        async with box.start(Command(["head", "-c", "570000", "/dev/zero"])) as process:
            await asyncio.wait([asyncio.ensure_future(process.wait())], timeout=1)
            assert sum([len(data) async for _, data in process.output()]) == 570_000
        await box.delete()


async def test_idle_freeze_waits_for_the_command_that_came_meanwhile(data_dir: Path) -> None:
    async with open_driver("bubblewrap", data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL, before_freeze="sleep 0.5"))
        settling = asyncio.create_task(driver.freeze_idle(0, 3600))
        await asyncio.sleep(0.2)
        assert (await box.exec(Command(["sh", "-c", "sleep 1; echo done"]), timeout_s=3)).stdout == b"done\n"
        await settling


async def test_deleted_box_says_that_it_was_deleted(data_dir: Path) -> None:
    async with open_driver("bubblewrap", data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await box.delete()
        for call in (box.freeze(Freeze.COLD), box.resume(), box.snapshot()):
            with pytest.raises(BoxDead, match="was deleted"):
                await call
