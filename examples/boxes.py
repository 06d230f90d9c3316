"""Boxes from Python: a program is frozen, and goes on where it was; on a driver that keeps memory, also in a fork.

Run it with `.venv/bin/python examples/boxes.py [DRIVER]`; it takes the best driver this machine has.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from runner.host import open_driver
from runner.settings import RunnerSettings
from sandbox.box import BoxSpec, Command, Freeze
from sandbox.gateway.policy import NetworkPolicy
from sandbox.limits import SIZES

COUNT = "n=0; while :; do n=$((n+1)); echo $n > count; sleep 0.05; done"


def main() -> None:
    """Keep the boxes in a folder that their users can pass through."""
    with tempfile.TemporaryDirectory(prefix="bx-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        asyncio.run(show(RunnerSettings(box_data_dir=Path(folder), box_driver=sys.argv[1] if len(sys.argv) > 1 else "auto")))


async def show(settings: RunnerSettings) -> None:
    """Create, run, freeze, resume, fork."""
    async with open_driver(settings) as driver:
        print("driver:   ", driver.name)
        print("isolation:", driver.capabilities.isolation)

        packages = NetworkPolicy(mode="custom", allowed_domains=("pypi.org", "files.pythonhosted.org"))
        box = await driver.create(BoxSpec(limits=SIZES["small"], network=packages, labels={"for": "demo"}))
        result = await box.exec(Command(["python3", "-c", "print(6 * 7)"]), timeout_s=30)
        print("42 is     ", result.stdout.decode().strip())

        await box.exec(Command(["sh", "-c", f"nohup sh -c '{COUNT}' >/dev/null 2>&1 & sleep 1"]), timeout_s=30)
        kind = Freeze.COLD if driver.capabilities.freezes_memory else Freeze.WARM
        frozen = await box.freeze(kind)
        print(f"frozen {kind}: {frozen.processes} processes, {frozen.image_bytes / 1e6:.1f} MB on disk, {frozen.duration_s * 1000:.0f} ms")
        if driver.capabilities.freezes_memory:
            fork = await driver.fork(box)
            print("fork counts on from", (await fork.read_file("count")).decode().strip())
            await fork.delete()
        resumed = await box.resume()
        before = int(await box.read_file("count") or b"0")
        await asyncio.sleep(0.5)
        after = int(await box.read_file("count") or b"0")
        print(f"resumed after {resumed.away_s:.1f} s: counted on from {before} to {after}")
        await box.delete()
        if not resumed.memory or after <= before:
            sys.exit("the program did not go on")


if __name__ == "__main__":
    main()
