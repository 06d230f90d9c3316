"""A review on each driver, as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repositories import BAD, Repository
from tests.sandbox.drivers import unusable
from tests.server import box_review


@pytest.mark.parametrize(("driver", "memory"), [("gvisor", True), ("docker", False), ("bubblewrap", False)])
def test_review_on(repository: Callable[..., Repository], data_dir: Path, driver: str, memory: bool) -> None:
    if reason := unusable(driver):
        pytest.skip(reason)
    path = repository({"x": "1"}, {"a.py": BAD}).path
    ended = box_review("review", path, "--format", "json", BOX_DATA_DIR=str(data_dir / "d"), BOX_DRIVER=driver)
    assert ended.code == 1, ended.err
    record = json.loads(ended.out)
    assert record["status"] == "completed"
    assert {finding["path"] for finding in record["findings"]} == {"a.py"}
    boxes = [lane["box"] for lane in (*record["roles"], record["jury"])]
    assert {box["driver"] for box in boxes} == {driver}
    assert {"memory" in box["freeze"] for box in boxes} == {memory}


def test_driver_asked_for_that_cannot_be_used_says_what_is_missing(repository: Callable[..., Repository], data_dir: Path) -> None:
    path = repository({"x": "1"}, {"a.py": "x = 1\n"}).path
    ended = box_review(
        "review", path, "--quiet", BOX_DATA_DIR=str(data_dir / "d"), BOX_DRIVER="docker", DOCKER_HOST="unix:///nonexistent.sock"
    )
    assert (ended.code, ended.out) == (3, "")
    assert "no Docker engine answers" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="hiding a program needs root")
def test_best_driver_is_taken_of_those_that_work(repository: Callable[..., Repository], data_dir: Path) -> None:
    hide = 'for p in /usr/bin/runsc /usr/local/bin/runsc; do [ -e $p ] && mount --bind /dev/null $p; done; exec "$@"'
    path = repository({"x": "1"}, {"a.py": "x = 1\n"}).path
    command = ["unshare", "-m", "sh", "-c", hide, "sh", sys.executable, "-m", "box_review", "review", str(path), "--format", "json"]
    settings = {"BOX_DATA_DIR": str(data_dir / "d"), "BOX_DRIVER": "auto", "DOCKER_HOST": "unix:///nonexistent.sock"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, env={**os.environ, **settings})
    assert json.loads(ended.stdout)["jury"]["box"]["driver"] == "bubblewrap", ended.stderr
