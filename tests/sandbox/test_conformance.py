"""Every driver keeps every promise of `sandbox.conformance`, as root and as an ordinary user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.bubblewrap import BubblewrapDriver
from sandbox.conformance import CHECKS, Check, run_checks
from sandbox.gvisor.driver import GvisorDriver


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=[BubblewrapDriver, GvisorDriver], ids=["bubblewrap", "gvisor"])
async def driver(request: pytest.FixtureRequest, short_tmp: Path) -> AsyncIterator[BubblewrapDriver]:
    """One open driver for the whole list, as on a real host."""
    async with request.param(short_tmp / "host") as opened:
        yield opened


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("check", CHECKS, ids=[check.name.replace(" ", "-") for check in CHECKS])
async def test_driver_keeps_its_promise(driver: BubblewrapDriver, check: Check) -> None:
    async for outcome in run_checks(driver, [check]):
        assert outcome.problem is None, outcome.problem
