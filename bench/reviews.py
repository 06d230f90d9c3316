"""Reviews: orchestration, parallel roles, the idle server, the demo."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from box_review.client import Address, AsyncClient, Options

from bench.measure import tell, timed
from jobs.queue import connect
from runner.harness.contract import Assignment, Harness
from runner.host import open_host
from runner.result import RoleResult
from runner.settings import RunnerSettings
from runner.work import working
from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step, Tool, answer

NAP_S = 3.0


class Napping(Harness):
    """Takes three seconds, finds nothing."""

    name = "napping"

    def roles(self) -> tuple[str, ...]:
        return ("security", "quality", "architecture")

    async def review(self, assignment: Assignment) -> RoleResult:
        await asyncio.sleep(NAP_S)
        return RoleResult(role=assignment.role)


async def run(folder: Path) -> None:
    """Measure on a server of its own."""
    repository = await asyncio.to_thread(_innocent, folder / "repository")
    async with _serving(folder / "d") as (address, pid):
        async with AsyncClient(address) as client:
            await client.review(repository)  # the checkout is made once

            async def review() -> None:
                await client.review(repository)

            figures = [await timed(review) for _ in range(5)]
        tell("enqueue to verdict, nothing to find", sorted(figures)[2], 1.0, "s")
        await asyncio.sleep(3)
        memory_kb, before = _tree(pid)
        await asyncio.sleep(10)
        tell("serve idle, memory", memory_kb / 1000, 250, "MB")
        tell("serve idle, processor", (_tree(pid)[1] - before) / 10 * 100, 1.0, "% of a core")
        os.kill(_runner(pid), signal.SIGSTOP)  # a host with the napping harness takes its place
        await _three_naps(folder, address, repository)
        os.kill(_runner(pid), signal.SIGCONT)
    await _agents(folder / "agents", repository)
    started = time.perf_counter()
    command = [sys.executable, "examples/demo.py"]
    environment = {**os.environ, "BOX_DATA_DIR": str(folder / "demo")}
    await asyncio.to_thread(subprocess.run, command, check=True, stdout=subprocess.DEVNULL, env=environment)
    tell("demo after set-up, first run on a new data directory", time.perf_counter() - started, 20, "s")


async def _agents(folder: Path, repository: Path) -> None:
    """Three agents and a jury whose model answers at once, then one whose model takes a second for each answer."""
    pace = {"delay_s": 0.0}

    def script(asked: Asked) -> Step:
        if "You are the jury" in asked.said:
            return answer({"votes": [], "summary": "Nothing."})
        if asked.turn == 0:
            return Step(tools=(Tool("run", {"command": "git diff --stat base head"}),), delay_s=pace["delay_s"])
        said = answer({"findings": [], "evidence": [], "not_covered": []})
        return Step(text=said.text, tools=said.tools, delay_s=pace["delay_s"])

    with ModelServer(script) as models:
        environment = {**models.environment, "BOX_MODEL": "openai/scripted"}
        async with _serving(folder, **environment) as (address, _), AsyncClient(address) as client:
            await client.review(repository)  # the checkout is made and the library of the loop loaded once
            figures = [await timed(lambda: client.review(repository)) for _ in range(5)]
            tell("three agents and a jury, model that answers at once", sorted(figures)[2], 5.0, "s")
            pace["delay_s"] = 1.0
            record = await client.review(repository)
    work = [stage for report in record.roles for stage in report.stages if stage.name == "reviewing"]
    wall = max(stage.ended_s for stage in work) - min(stage.started_s for stage in work)
    slowest = max(stage.ended_s - stage.started_s for stage in work)
    tell("three agents side by side", wall, 1.2 * slowest, "s", baseline_s=slowest)


async def _three_naps(folder: Path, address: Address, repository: Path) -> None:
    url = f"unix://{folder}/d/queue/valkey.sock"
    settings = RunnerSettings(redis_url=url, box_data_dir=folder / "second", box_artifacts_url=str(folder / "d/artifacts"))
    redis = connect(url)
    async with open_host(settings, redis, {"napping": Napping()}) as host, working(host, redis), AsyncClient(address) as client:
        await asyncio.sleep(0.5)
        options = Options(harness="napping")
        await client.review(repository, options=options)  # the checkout is made once
        took = await timed(lambda: client.review(repository, options=options))
    await redis.aclose(close_connection_pool=True)
    tell("three roles of 3 s each", took, 3.5, "s", baseline_s=NAP_S)


@contextlib.asynccontextmanager
async def _serving(data: Path, **environment: str) -> AsyncIterator[tuple[Address, int]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.serve", "--port", "0", "--data-dir", str(data)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        key = await asyncio.to_thread((data / "api-key").read_text)
        yield Address(line.split()[-1], key), process.pid
    finally:
        process.terminate()
        await process.wait()


def _innocent(folder: Path) -> Path:
    """A change with nothing for any analyzer."""
    who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    for text in ("one\n", "two\n"):
        (folder / "notes.txt").write_text(text)
        subprocess.run(["git", "-C", folder, "add", "."], check=True)
        subprocess.run(["git", "-C", folder, *who, "commit", "-q", "-m", "notes"], check=True)
    return folder


def _processes(root: int) -> list[int]:
    rows = [
        line.split() for line in subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.splitlines()
    ]
    below = [int(pid) for pid, parent in rows if int(parent) == root]
    return [root, *(pid for child in below for pid in _processes(child))]


def _runner(root: int) -> int:
    return next(pid for pid in _processes(root) if b"-m\0runner" in Path(f"/proc/{pid}/cmdline").read_bytes())


def _tree(root: int) -> tuple[int, float]:
    """Proportional memory in KB and processor seconds of a process and all below it."""
    memory, ticks = 0, 0
    for pid in _processes(root):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        memory += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return memory, ticks / os.sysconf("SC_CLK_TCK")
