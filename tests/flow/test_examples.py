"""The examples of the docs run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.drivers import unusable

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("driver", ["gvisor", "docker", "bubblewrap"])
def test_boxes_example(driver: str) -> None:
    if reason := unusable(driver):
        pytest.skip(reason)
    command = [sys.executable, ROOT / "examples" / "boxes.py", driver]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    assert f"driver:    {driver}" in ended.stdout
    assert "counted on from" in ended.stdout
