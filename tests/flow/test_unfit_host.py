"""Machines that lack what boxes need: one sentence that names it and the way out, exit code 3, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.rootfs import find_bwrap
from tests.repositories import Repository
from tests.server import Ended

Make = Callable[..., Repository]
TWO = ({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"})
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")


def review_on(machine: list[str], repository: Repository, data: Path) -> Ended:
    command = [*machine, sys.executable, "-m", "box_review", "review", str(repository.path), "--quiet"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, env={**os.environ, "BOX_DATA_DIR": str(data)})
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def unfit(ended: Ended, *words: str) -> None:
    assert (ended.code, ended.out, "Traceback" in ended.err) == (3, "", False), ended
    assert ended.err.startswith("box-review: ")
    assert ended.err.count("\n") == 1
    for word in words:
        assert word in ended.err


def test_no_user_namespaces(repository: Make, data_dir: Path) -> None:
    closed = ["--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000", "--dev-bind", "/", "/", "--proc", "/proc"]
    ended = review_on([str(find_bwrap()), *closed, "--"], repository(*TWO), data_dir / "d")
    unfit(ended, "user namespaces", "--security-opt")


@needs_root
def test_no_overlay_on_the_data_directory(repository: Make, data_dir: Path) -> None:
    nested = 'cd $0 && mount -t tmpfs t . && cd $0 && mkdir l u w m && mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m && exec "$@"'
    ended = review_on(["unshare", "-m", "sh", "-c", nested, str(data_dir)], repository(*TWO), data_dir / "m" / "d")
    unfit(ended, "overlay", "BOX_DATA_DIR")


@needs_root
@pytest.mark.parametrize("size", ["20m", "110m"])
def test_disk_full(repository: Make, data_dir: Path, size: str) -> None:
    small = f'mount -t tmpfs -o size={size},mode=755 t $0 && exec "$@"'
    ended = review_on(["unshare", "-m", "sh", "-c", small, str(data_dir)], repository(*TWO), data_dir / "d")
    unfit(ended, "BOX_DATA_DIR")
