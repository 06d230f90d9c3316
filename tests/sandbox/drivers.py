"""The drivers that tests run, and how one that this machine lacks is skipped: never where `CI` is set."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import docker
import docker.errors
import pytest

from sandbox.bubblewrap import BubblewrapDriver
from sandbox.docker.driver import DockerDriver
from sandbox.driver import Driver
from sandbox.errors import HostUnfit
from sandbox.gvisor.driver import GvisorDriver
from sandbox.gvisor.runsc import find_runsc
from sandbox.stored import WayOut

_MAKE: dict[str, Callable[[Path, WayOut | None], Driver]] = {
    "bubblewrap": BubblewrapDriver,
    "gvisor": GvisorDriver,
    "docker-runc": lambda data_dir, way_out: DockerDriver(data_dir, way_out, runtime="runc"),
    "docker-runsc": lambda data_dir, way_out: DockerDriver(data_dir, way_out, runtime="runsc"),
}
DRIVERS = list(_MAKE)


def unusable(name: str) -> str:
    """Why this machine lacks a driver; empty if it has it, and where `CI` is set."""
    missing = {"gvisor": find_runsc, "docker": lambda: docker.DockerClient.from_env().close()}.get(name)
    if missing and not os.environ.get("CI"):
        try:
            missing()
        except (HostUnfit, docker.errors.DockerException) as error:
            return f"{name}: {error}"
    return ""


@asynccontextmanager
async def open_driver(name: str, data_dir: Path, way_out: WayOut | None = None) -> AsyncIterator[Driver]:
    """A driver with a data directory of its own."""
    try:
        driver = await _MAKE[name](data_dir, way_out).__aenter__()
    except HostUnfit as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{name}: {error}")
    try:
        yield driver
    finally:
        await driver.__aexit__(None, None, None)
