"""The box API through the official Python client over loopback, front and host in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from upstash_box import AsyncBox

from bench.boxes import docker_run, has_docker
from bench.measure import in_turn, tell, timed

FIRST_EXEC_S = {"bubblewrap": 0.040, "gvisor": 0.200}


async def run(folder: Path) -> None:
    """Measure with each driver there is."""
    engine = await has_docker()
    for driver in FIRST_EXEC_S:
        with Served(folder / driver, driver) as url:
            if url is None:
                print(json.dumps({"name": f"api, {driver}", "skipped": "the server does not start with it here"}), flush=True)
                continue
            os.environ |= {"UPSTASH_BOX_BASE_URL": url, "UPSTASH_BOX_API_KEY": "box_bench"}
            await _measure(driver, docker=engine)


async def _measure(driver: str, *, docker: bool) -> None:
    took: list[float] = []

    async def first_exec() -> None:
        started = time.perf_counter()
        box = await AsyncBox.create()
        await box.exec.command("true")
        took.append(time.perf_counter() - started)
        await box.delete()

    if docker:
        ours, theirs = await in_turn(first_exec, docker_run, 20)
        more: dict[str, object] = {"docker_run_ms": round(theirs * 1000), "ratio": round(ours / theirs, 2)}
    else:
        more = {}
        for _ in range(20):
            await first_exec()
    target = FIRST_EXEC_S[driver]
    tell(f"api, {driver}: create to first exec, p50", statistics.median(took) * 1000, target * 1000, "ms", p95_ms=_p95_ms(took), **more)
    took.clear()
    await asyncio.gather(*(first_exec() for _ in range(30)))
    tell(f"api, {driver}: create to first exec, 30 at once, p95", _p95_ms(took), 1000, "ms")
    box = await AsyncBox.create()
    execs = [await timed(lambda: box.exec.command("true")) for _ in range(40)]
    tell(f"api, {driver}: exec, p50", statistics.median(execs) * 1000, 10, "ms")
    started, size = time.perf_counter(), 0
    async for chunk in await box.exec.stream("head -c 200M /dev/zero | tr '\\0' x"):
        size += len(getattr(chunk, "data", "") or "")
    tell(f"api, {driver}: exec-stream", 100 / (size / 1e6 / (time.perf_counter() - started)), 1, "x of 100 MB/s", bytes=size)
    await box.delete()
    await _restore(driver)
    if driver == "bubblewrap":
        made = [await AsyncBox.create() for _ in range(200)]
        lists = [await timed(AsyncBox.list) for _ in range(9)]
        tell("api: list of 200 boxes", statistics.median(lists) * 1000, 50, "ms")
        await AsyncBox.delete_boxes(box_ids=[box.id for box in made])


async def _restore(driver: str) -> None:
    """A box from a snapshot of many files beside one from an empty snapshot."""
    made = await AsyncBox.create()
    empty = await made.snapshot(name="empty")
    await made.exec.command("for d in $(seq 500); do mkdir $d; for f in $(seq 100); do echo $f > $d/$f; done; done")
    full = await made.snapshot(name="full")

    async def restored(snapshot_id: str) -> None:
        box = await AsyncBox.from_snapshot(snapshot_id)
        await box.exec.command("true")
        await box.delete()

    ours, bare = await in_turn(lambda: restored(full.id), lambda: restored(empty.id), 10)
    tell(f"api, {driver}: from_snapshot of 50,000 files / of an empty one", ours / bare, 1.2, "x", ms=round(ours * 1000, 1))
    await made.delete()
    await AsyncBox.delete_snapshots()


def _p95_ms(took: list[float]) -> float:
    return round(statistics.quantiles(took, n=20)[-1] * 1000, 1)


class Served:
    """A server for the length of the context; gives its URL, or None if it does not start."""

    def __init__(self, folder: Path, driver: str) -> None:
        self.folder = folder
        self._environment = {**os.environ, "BOX_DRIVER": driver, "BOX_API_KEYS": "box_bench"}

    def __enter__(self) -> str | None:
        argv = [sys.executable, "-m", "bot.serve", "--data-dir", str(self.folder), "--port", "0"]
        self._process = subprocess.Popen(argv, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        known = self.folder / "serve.json"
        return json.loads(known.read_text())["url"] if _wait(known.exists, self._process) else None

    def processes(self) -> list[int]:
        """Process ids of the server and all below it."""
        found, parents = [self._process.pid], {}
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, IndexError):
                parents[int(folder.name) if folder.name.isdigit() else 0] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid and child not in found]
        return found

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)


def _wait(there: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    ends = time.monotonic() + 60
    while not there() and process.poll() is None and time.monotonic() < ends:
        time.sleep(0.05)
    return there()
