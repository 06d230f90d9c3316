"""Freezing with memory: what comes back, where, and what happens when it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox.box import Box, BoxSpec, BoxState, Command, Freeze, FreezeReport
from sandbox.conformance.check import SMALL
from sandbox.errors import BoxBusy, DiskFull, ImageCorrupt
from sandbox.gvisor.box import GvisorBox
from sandbox.gvisor.driver import GvisorDriver

COUNTERS = {
    "python": """python3 -c 'import time\nn = 0\nwhile 1: n += 1; open("python", "a").write("%d\\n" % n); time.sleep(0.01)'""",
    "shell": "sh -c 'n=0; while :; do n=$((n+1)); echo $n >> shell; sleep 0.02; done'",
    "node": 'node -e \'let n = 0; setInterval(() => require("fs").appendFileSync("node", ++n + "\\n"), 10)\'',
}


@asynccontextmanager
async def gvisor(data_dir: Path) -> AsyncIterator[GvisorDriver]:
    async with GvisorDriver(data_dir) as driver:
        yield driver


async def start(box: Box, *names: str) -> None:
    """Start counters in the background; each appends its next number to a file of its name."""
    for name in names:
        await box.exec(Command(["sh", "-c", f"nohup {COUNTERS[name]} >/dev/null 2>&1 &"]), timeout_s=10)
    for name in names:
        await counted(box, name, 3)


async def counted(box: Box, name: str, least: int) -> int:
    """Wait until a counter has passed `least`, and that it has skipped no number; returns how far it is."""
    gaps = "awk '$1 != NR { print \"gap at\", NR; exit } END { print NR }'"
    script = f"until [ $(wc -l < {name}) -gt {least} ]; do sleep 0.02; done; {gaps} {name}"
    result = await box.exec(Command(["sh", "-c", script]), timeout_s=20)
    return int(result.stdout)


async def test_programs_of_three_kinds_go_on_where_they_were(data_dir: Path) -> None:
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        names = [name for name in COUNTERS if name != "node" or shutil.which("node", path="/usr/bin")]
        await start(box, *names)
        report = await box.freeze(Freeze.COLD)
        assert (report.memory, report.note, box.state, box.frozen) == (True, None, BoxState.PAUSED, Freeze.COLD)
        assert not _host_processes(box.id)
        assert not (data_dir / "h" / "boxes" / box.id / "upper").exists()
        resumed = await box.resume()
        assert (resumed.memory, resumed.note) == (True, None)
        for name in names:
            before = await counted(box, name, 0)
            assert await counted(box, name, before + 3) > before


CONTINUE = """
import asyncio, sys
from pathlib import Path
from sandbox.box import Command
from sandbox.gvisor.driver import GvisorDriver

async def main():
    async with GvisorDriver(Path(sys.argv[1])) as driver:
        box = await driver.carry_in(Path(sys.argv[2]))
        report = await box.resume()
        print(report.memory, report.note)
        for name in sys.argv[3:]:
            look = f"a=$(wc -l < {name}); sleep 1; b=$(wc -l < {name}); echo $((b - a)); awk '$1 != NR {{ print NR }}' {name}"
            words = (await box.exec(Command(["sh", "-c", look]), timeout_s=20)).stdout.split()
            print(name, int(words[0]) > 3, words[1:])
        await box.delete()

asyncio.run(main())
"""


async def test_programs_go_on_in_a_fresh_server_with_another_data_directory(data_dir: Path, tmp_path: Path) -> None:
    names = [name for name in COUNTERS if name != "node" or shutil.which("node", path="/usr/bin")]
    async with gvisor(data_dir / "one") as driver:
        base = await driver.create(BoxSpec(limits=SMALL))
        await base.write_file("below", b"1")
        box = await driver.fork(base)
        await start(box, *names)
        await box.freeze(Freeze.COLD)
        await driver.carry_out(box.id, tmp_path / "carried")
    await asyncio.sleep(1)
    words = [sys.executable, "-c", CONTINUE, data_dir / "two", tmp_path / "carried", *names]
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout.splitlines() == ["True None", *(f"{name} True []" for name in names)], done.stderr
    assert done.returncode == 0


async def test_server_that_stops_keeps_the_programs_of_its_boxes(data_dir: Path) -> None:
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await start(box, "python")
        box_id = box.id
    async with gvisor(data_dir / "h") as driver:
        again = driver.get(box_id)
        assert (again.state, again.frozen) == (BoxState.PAUSED, Freeze.COLD)
        before = await counted(again, "python", 0)  # any work resumes it
        assert await counted(again, "python", before + 3) > before


@pytest.mark.timeout(300)
async def test_cycles_of_freezing_lose_neither_files_nor_memory(data_dir: Path) -> None:
    cycles = int(os.environ.get("TEST_FREEZE_CYCLES", "100"))
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await start(box, "shell")
        for number in range(cycles):
            await box.write_file(f"f{number}", os.urandom(1000))
            if number % 3 == 2:
                await box.freeze(Freeze.WARM)
            report = await box.freeze(Freeze.COLD)
            assert report.memory, report.note
            assert (await box.resume()).memory
        assert await counted(box, "shell", cycles) > cycles
        files = await box.exec(Command(["sh", "-c", "ls f* | wc -l; cat f* | wc -c"]), timeout_s=10)
        assert files.stdout.split() == [b"%d" % cycles, b"%d" % (1000 * cycles)]


async def test_commands_that_have_ended_leave_nothing_in_the_image_of_a_box(data_dir: Path) -> None:
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await start(box, "shell")
        before = (await box.freeze(Freeze.COLD)).image_bytes
        for number in range(50):
            await box.exec(Command(["true"]), timeout_s=10)
            await box.write_file(f"f{number}", b"x")
        assert (await box.freeze(Freeze.COLD)).image_bytes < before + (2 << 20)


async def test_command_that_runs_during_a_freeze_ends_as_if_nothing_had_happened(data_dir: Path) -> None:
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        script = "import time\nfor n in range(1, 301): print('line', n, flush=True); time.sleep(0.01)\nexit(7)"
        running = asyncio.create_task(box.exec(Command(["python3", "-c", script]), timeout_s=20))
        await asyncio.sleep(1)
        assert (await box.freeze(Freeze.COLD)).memory
        await asyncio.sleep(1)
        await box.resume()
        result = await running
        assert (result.exit_code, result.timed_out) == (7, False)
        assert result.stdout.decode() == "".join(f"line {number}\n" for number in range(1, 301))


async def test_deadline_of_a_command_stands_still_while_its_box_is_frozen(data_dir: Path) -> None:
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        running = asyncio.create_task(box.exec(Command(["sh", "-c", "sleep 1.5; echo done"]), timeout_s=4))
        await asyncio.sleep(0.5)
        for kind in (Freeze.WARM, Freeze.COLD):
            await box.freeze(kind)
        await asyncio.sleep(4)
        await box.resume()
        result = await running
        assert (result.stdout, result.timed_out) == (b"done\n", False)


async def test_forks_of_a_frozen_box_go_on_each_for_itself(data_dir: Path) -> None:
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await start(box, "python")
        await box.freeze(Freeze.COLD)
        forks = await asyncio.gather(*(driver.fork(box) for _ in range(3)))
        assert [fork.frozen for fork in forks] == [None] * 3
        assert box.frozen is Freeze.COLD
        await forks[0].write_file("mine", b"")
        for fork in forks:
            assert await counted(fork, "python", 20) > 20
        assert [entry.name for entry in await forks[1].list_dir(".")] == ["python"]
        await box.delete()
        await forks[2].freeze(Freeze.COLD)
        assert (await forks[2].resume()).memory


async def test_freezing_twice_is_refused_and_harms_nothing(data_dir: Path) -> None:
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await start(box, "shell")
        results = await asyncio.gather(box.freeze(Freeze.COLD), box.freeze(Freeze.COLD), return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["BoxBusy", "FreezeReport"]
        assert (await box.resume()).memory
        with pytest.raises(BoxBusy, match="is not frozen"):
            await box.resume()


async def test_box_whose_kernel_died_is_resumed_from_its_files(data_dir: Path) -> None:
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await box.write_file("kept", b"1")
        subprocess.run(["pkill", "-KILL", "-f", box.id], check=True)
        while box.state is not BoxState.PAUSED:  # noqa: ASYNC110  (the driver tells nobody)
            await asyncio.sleep(0.01)
        with pytest.raises(BoxBusy, match="is frozen already"):
            await box.freeze(Freeze.COLD)
        assert await box.read_file("kept") == b"1"


@pytest.mark.parametrize("damage", ["truncated", "tampered", "missing"])
@pytest.mark.parametrize("part", ["pages.img", "checkpoint.img", "files.tar.zst"])
async def test_damaged_image_is_told_and_stays(data_dir: Path, part: str, damage: str) -> None:
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await box.write_file("kept", b"1")
        await start(box, "shell")
        await box.freeze(Freeze.COLD)
        image = data_dir / "h" / "boxes" / box.id / "image"
        whole = (image / part).read_bytes()
        if damage == "missing":
            (image / part).unlink()
        else:
            (image / part).write_bytes(whole[:-100] if damage == "truncated" else whole[:-50] + b"damage" + whole[-44:])
        with pytest.raises(ImageCorrupt, match=part):
            await box.resume()
        assert (box.state, box.frozen) == (BoxState.PAUSED, Freeze.COLD)
        assert not _host_processes(box.id)
        if part != "files.tar.zst":
            assert not (await box.resume(memory=False)).memory
            assert await box.read_file("kept") == b"1"
        else:
            (image / part).write_bytes(whole)
            assert (await box.resume()).memory


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system can be mounted by root alone")
async def test_disk_that_is_full_stops_the_freeze_and_not_the_box(data_dir: Path) -> None:
    (data_dir / "small").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=190m,mode=755", "none", data_dir / "small"], check=True)
    try:
        async with gvisor(data_dir / "small") as driver:
            box = await driver.create(BoxSpec(limits=SMALL))
            await start(box, "shell")
            hoard = "import os, time; x = os.urandom(185 << 20); open('ready', 'w'); time.sleep(60)"
            await box.exec(
                Command(["sh", "-c", f'nohup python3 -c "{hoard}" >/dev/null 2>&1 & until [ -e ready ]; do sleep 0.1; done']), timeout_s=20
            )
            before = await counted(box, "shell", 3)
            with pytest.raises(DiskFull, match="MB are needed"):
                await box.freeze(Freeze.COLD)
            assert box.frozen is None
            assert await counted(box, "shell", before + 3) > before
            await box.exec(Command(["pkill", "python3"]), timeout_s=5)
            assert (await _freeze_when_there_is_room(box)).memory
            await box.delete()
    finally:
        subprocess.run(["umount", data_dir / "small"], check=True)


async def _freeze_when_there_is_room(box: Box) -> FreezeReport:
    """A process that was killed takes a moment until its memory counts as free."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(DiskFull):
                return await box.freeze(Freeze.COLD)
            await asyncio.sleep(0.1)


async def test_memory_that_runsc_cannot_save_falls_back_to_files_and_says_so(data_dir: Path) -> None:
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        assert isinstance(box, GvisorBox)
        await box.write_file("kept", b"1")
        hold = "exec 3> gone; rm gone; echo ready; sleep 60"
        await box.exec(
            Command(["sh", "-c", f"nohup sh -c '{hold}' > log 2>&1 & until grep -q ready log; do sleep 0.1; done"]), timeout_s=10
        )
        report = await box.freeze(Freeze.COLD)
        assert not report.memory
        assert "deleted file" in str(report.note)
        assert await box.read_file("kept") == b"1"


async def test_hooks_run_before_the_freeze_and_after_the_resume(data_dir: Path) -> None:
    async with gvisor(data_dir / "h") as driver:
        spec = BoxSpec(limits=SMALL, before_freeze="echo before >> hooks", after_resume="echo after $BOX_RESTORED $BOX_AWAY_S >> hooks")
        box = await driver.create(spec)
        for kind in (Freeze.WARM, Freeze.COLD):
            await box.freeze(kind)
            await box.resume()
        assert (await box.read_file("hooks")).decode().split("\n") == ["before", "after memory 0", "before", "after memory 0", ""]


async def test_what_a_box_can_expect_of_a_freeze(data_dir: Path) -> None:
    """Clocks jump, files and loopback connections stay, the kernel's randomness is new."""
    script = textwrap.dedent("""
        import os, socket, time
        listener = socket.create_server(('127.0.0.1', 0))
        one = socket.create_connection(listener.getsockname())
        two, _ = listener.accept()
        kept = open('file', 'w+'); wall, steady = time.time(), time.monotonic()
        open('ready', 'w').close()
        while not os.path.exists('go'): time.sleep(0.02)
        one.send(b'hello'); kept.write('x')
        jumps = [time.time() - wall >= 2, time.monotonic() - steady >= 2]
        print(two.recv(5), kept.tell(), *jumps, os.urandom(8).hex(), file=open('answer', 'w'))
    """)
    async with gvisor(data_dir / "h") as driver:
        box = await driver.create(BoxSpec(limits=SMALL))
        await box.write_file("program.py", script.encode())
        wait = "nohup python3 program.py > log 2>&1 & until [ -e ready ]; do sleep 0.05; done"
        await box.exec(Command(["sh", "-c", wait]), timeout_s=20)
        await box.freeze(Freeze.COLD)
        await asyncio.sleep(2)
        answers = []
        for one in [await driver.fork(box), await driver.fork(box)]:
            await one.exec(Command(["sh", "-c", "touch go; until [ -s answer ]; do sleep 0.05; done"]), timeout_s=20)
            answers.append((await one.read_file("answer")).decode().split())
        assert [answer[:4] for answer in answers] == [["b'hello'", "1", "True", "True"]] * 2
        assert answers[0][4] != answers[1][4]


async def test_idle_boxes_freeze_by_themselves_in_stages(data_dir: Path) -> None:
    async with gvisor(data_dir / "h") as driver:
        idle, kept = await driver.create(BoxSpec(limits=SMALL)), await driver.create(BoxSpec(limits=SMALL, keep_alive=True))
        busy = await driver.create(BoxSpec(limits=SMALL))
        async with busy.start(Command(["sleep", "60"])):
            await driver.freeze_idle(3600, 7200)
            assert [box.frozen for box in (idle, kept, busy)] == [None, None, None]
            await driver.freeze_idle(0, 3600)
            assert [box.frozen for box in (idle, kept, busy)] == [Freeze.WARM, None, None]
            await driver.freeze_idle(0, 0)
            assert [box.frozen for box in (idle, kept, busy)] == [Freeze.COLD, None, None]


def _host_processes(word: str) -> list[str]:
    """Command lines on this host that hold a word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if word in line and "pytest" not in line:
            found.append(line)
    return found
