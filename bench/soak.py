"""A thousand boxes through the API: what they leave behind, and what the server has grown by. And what frozen ones cost."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from upstash_box import AsyncBox

from bench.api import Served
from bench.measure import tell

BOXES = int(os.environ.get("BENCH_SOAK_BOXES", "1000"))
FROZEN = int(os.environ.get("BENCH_FROZEN_BOXES", "500"))
AT_ONCE = 10
_MIB = 1 << 20


async def run(folder: Path) -> None:
    """Soak the quickest driver."""
    served = Served(folder / "soak", "bubblewrap")
    with served as url:
        if url is None:
            return
        os.environ |= {"UPSTASH_BOX_BASE_URL": url, "UPSTASH_BOX_API_KEY": "box_bench"}
        await _lives(BOXES // 10)  # what a server takes once for good
        await asyncio.sleep(3)
        before = _left(served)
        await _lives(BOXES)
        await asyncio.sleep(5)
        after = _left(served)
        grown = {name: after[name] - before[name] for name in before}
        tell("soak: memory of bot and runner grown by", grown.pop("bytes") / _MIB, 20, "MiB", boxes=BOXES, **grown)
        await _frozen(served)


async def _lives(count: int) -> None:
    """Create, use, freeze, resume, use and delete boxes."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def life(number: int) -> None:
        async with turns:
            box = await AsyncBox.create()
            await box.files.write(path="f", content=str(number))
            await box.pause()
            await box.resume()
            done = await box.exec.command("cat f")
            assert done.stdout == str(number)
            await box.delete()
            await box.aclose()

    await asyncio.gather(*(life(number) for number in range(count)))


async def _frozen(served: Served) -> None:
    before = _left(served)
    turns = asyncio.Semaphore(AT_ONCE)

    async def one() -> str:
        async with turns:
            box = await AsyncBox.create()
            await box.pause()
            await box.aclose()
            return box.id

    ids = await asyncio.gather(*(one() for _ in range(FROZEN)))
    await asyncio.sleep(5)
    after = _left(served)
    tell(
        f"{FROZEN} frozen boxes: memory of bot and runner grown by", (after["bytes"] - before["bytes"]) / _MIB, 50, "MiB",
        processes=after["processes"] - before["processes"], mounts=after["mounts"] - before["mounts"],
    )  # fmt: skip
    for start in range(0, len(ids), 100):
        await AsyncBox.delete_boxes(box_ids=ids[start : start + 100])


def _left(served: Served) -> dict[str, int]:
    """What the server has now: memory of its Python processes, processes, mounts, folders of boxes, descriptors."""
    pids = served.processes()
    python = [pid for pid in pids if b"python" in _read(pid, "cmdline").split(b"\0")[0] and b"supervisor" not in _read(pid, "cmdline")]
    return {
        "bytes": sum(_resident(pid) for pid in python),
        "processes": len(pids),
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "folders": sum(1 for part in ("boxes", "layers") if (served.folder / part).is_dir() for _ in (served.folder / part).iterdir()),
        "descriptors": sum(_count(Path(f"/proc/{pid}/fd")) for pid in python),
    }


def _resident(pid: int) -> int:
    fields = _read(pid, "statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _count(folder: Path) -> int:
    try:
        return len(list(folder.iterdir()))
    except OSError:
        return 0
