"""A front with real Valkey, and browsers that are signed in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from arq.connections import ArqRedis

from tests.bot.dashboard.front import ALPHA, Browser, Front, Host, opened, served, tenant_of
from tests.conftest import Valkey


@pytest_asyncio.fixture
async def front(valkey: Valkey, redis: ArqRedis) -> AsyncIterator[Front]:
    """The front of two tenants, ALPHA and BETA."""
    async with opened(valkey.url, redis, valkey.folder.parent) as running:
        yield running


@pytest.fixture
def host() -> Iterator[Host]:
    """A host that holds boxes of ALPHA; `front.report_host(host.address)` makes it known."""
    made = Host(tenant_of(ALPHA))
    with served(made) as listening:
        made.address = listening.url
        yield made


@pytest_asyncio.fixture
async def alpha(front: Front) -> AsyncIterator[Browser]:
    """A browser signed in with ALPHA."""
    async with front.browser() as browser:
        assert (await browser.sign_in(ALPHA)).status_code == 303
        yield browser
