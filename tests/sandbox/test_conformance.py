"""Every driver keeps every promise of `sandbox.conformance`, as root and as an ordinary user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.conformance import CHECKS, Check, run_checks
from sandbox.driver import Driver
from tests.sandbox.drivers import DRIVERS, open_driver


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=DRIVERS)
async def driver(request: pytest.FixtureRequest, short_tmp: Path) -> AsyncIterator[Driver]:
    """One open driver for the whole list, as on a real host."""
    async with open_driver(request.param, short_tmp / request.param) as opened:
        yield opened


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("check", CHECKS, ids=[check.name.replace(" ", "-") for check in CHECKS])
async def test_driver_keeps_its_promise(driver: Driver, check: Check) -> None:
    async for outcome in run_checks(driver, [check]):
        assert outcome.problem is None, outcome.problem
