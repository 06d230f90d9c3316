"""Killed half-way: nothing is left behind, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from box_review import ReviewStatus
from box_review.client import AsyncClient
from box_review.source import find_change

from tests.repositories import Repository
from tests.server import Server, children

Make = Callable[..., Repository]


def _slow(repository: Make) -> Repository:
    """A change that takes seconds to review."""
    lines = "".join(f"def f{n}(a=[]):\n    return a\n\n\n" for n in range(300))
    return repository({"x": "1"}, {f"d{n % 50}/f{n}.py": lines for n in range(400)})


def _mounts_below(folder: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_killed_review_leaves_nothing_behind(repository: Make, data_dir: Path, number: signal.Signals) -> None:
    path, temporary = _slow(repository).path, data_dir / "t"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "box_review", "review", path],
        env={**os.environ, "BOX_DATA_DIR": str(data_dir / "d"), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - a shell's background jobs ignore it
    )  # fmt: skip
    ends = time.monotonic() + 30
    while not (data_dir / "d" / "serve.json").exists() and time.monotonic() < ends:
        time.sleep(0.02)
    time.sleep(0.5)
    below = children(process.pid)
    assert len(below) >= 4
    process.send_signal(number)
    _, err = process.communicate(timeout=40)
    ends = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in below) and time.monotonic() < ends:
        time.sleep(0.05)
    assert [pid for pid in below if Path(f"/proc/{pid}").exists()] == []
    assert b"Traceback" not in err
    assert _mounts_below(data_dir) == []
    assert not list(data_dir.rglob("*.sock"))
    if number is not signal.SIGKILL:
        assert process.returncode == 130
        assert list(temporary.iterdir()) == []


async def test_runner_killed_in_the_middle_of_a_review_finishes_it_after_its_restart(repository: Make, data_dir: Path) -> None:
    path = _slow(repository).path
    with Server(data_dir / "d") as server:
        async with AsyncClient(server.address) as client:
            undisturbed = await client.review(path)
            assert undisturbed.status is ReviewStatus.COMPLETED
            assert undisturbed.findings
            review_id = await client.submit(find_change(path))
            killed = False
            async for event in client.events(review_id):
                if not killed and getattr(event, "stage", "") == "evidence":
                    os.kill(await asyncio.to_thread(server.child, "runner"), signal.SIGKILL)
                    killed = True
            record = await client.record(review_id)
    assert killed
    assert record.status is ReviewStatus.COMPLETED
    assert [finding.id for finding in record.findings] == [finding.id for finding in undisturbed.findings]
    assert len({finding.id for finding in record.findings}) == len(record.findings)


async def test_cancelled_review_says_so_and_stops_its_boxes(repository: Make, server: Server) -> None:
    async with AsyncClient(server.address) as client:
        review_id = await client.submit(find_change(_slow(repository).path))
        record = await client.cancel(review_id)
        assert (record.status, record.conclusion.value) == (ReviewStatus.CANCELLED, "cancelled")
        assert (await client.wait(review_id)).status is ReviewStatus.CANCELLED
