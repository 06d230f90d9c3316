"""A comparison of 100 cells beside as many plain boxes: made from a snapshot, used once, deleted."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path
from typing import Any

from box_review.client import Address
from box_review.comparison import compare
from upstash_box import AsyncBox

from bench.api import Served
from bench.measure import tell

CELLS, AT_ONCE, TARGET_S, ROUNDS = 100, 4, 20, 3
SAY = 'printf \'event: done\\ndata: {"output": "x"}\\n\\n\''


async def run(folder: Path) -> None:
    """Measure with the quickest driver: the model takes no time, so what is measured is ours."""
    with Served(folder / "d", "bubblewrap") as url:
        if url is None:
            raise SystemExit("bench comparison: the server does not start")
        os.environ |= {"UPSTASH_BOX_BASE_URL": url, "UPSTASH_BOX_API_KEY": "box_bench"}
        pairs = []
        for number in range(ROUNDS + 1):  # the first one of each does not count
            started = time.perf_counter()
            await asyncio.to_thread(compare, _spec(), out=folder / str(number), address=Address(url, "box_bench"))
            ours = time.perf_counter() - started
            pairs.append((ours, await _plain()))
        again = time.perf_counter()
        await asyncio.to_thread(compare, _spec(), out=folder / str(ROUNDS), address=Address(url, "box_bench"))
        again = time.perf_counter() - again
    ours, plain = (statistics.median(pair[at] for pair in pairs[1:]) for at in (0, 1))
    about = {"at_once": AT_ONCE, "plain_boxes_s": round(plain, 2), "ratio": round(ours / plain, 2)}
    tell(f"comparison: {CELLS} cells with an instant model, scored and reported", ours, TARGET_S, "s", **about)
    tell(f"comparison: the same again, {CELLS} answers known", again, TARGET_S / 4, "s")


async def _plain() -> float:
    """Seconds for as many boxes as cells, by the official client, as many at once."""
    base = await AsyncBox.create()
    snapshot = await base.snapshot(name="plain")
    await base.delete()
    turn = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with turn, await AsyncBox.from_snapshot(snapshot.id) as box:
            await box.exec.command("true")
            await box.delete()

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CELLS)))
    took = time.perf_counter() - started
    await AsyncBox.delete_snapshots(snapshot_ids=[snapshot.id])
    return took


def _spec() -> dict[str, Any]:
    """Four models, twenty-five inputs."""
    program = {"command": "sh", "args": ["-c", SAY]}
    return {
        "models": [{"id": f"m{number}", "harness": "custom", "custom_harness": program} for number in range(4)],
        "prompts": [{"id": "p", "text": "{input}"}],
        "inputs": [{"id": f"i{number}", "text": str(number), "expected": "x", "sources": [{"text": "x"}]} for number in range(CELLS // 4)],
        "scores": ["exact_match", "claim_f1", "hallucination_pct"],
        "at_once": AT_ONCE,
    }
