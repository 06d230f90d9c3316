"""One GitHub and one queue for the tests of a module, and a worker between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.bot.github.at_desk import AtDesk, at_desk
from tests.conftest import Valkey, short_folder
from tests.fakes.github import GitHub


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    """A GitHub whose App may do everything."""
    with GitHub(tmp_path_factory.mktemp("github")) as github:
        github.user("ada")
        github.app.grant(security_events="write")
        yield github


@pytest.fixture(scope="module")
def queue() -> Iterator[Valkey]:
    """A queue for all tests of a module."""
    for folder in short_folder():
        server = Valkey(folder)
        server.start()
        yield server
        server.stop()


@pytest_asyncio.fixture
async def at(outside: GitHub, queue: Valkey, tmp_path: Path) -> AsyncIterator[AtDesk]:
    """The worker; what it asks must be what GitHub's description of its API allows."""
    async with at_desk(outside, queue.url, tmp_path) as made:
        yield made
    outside.faults.clear()
    assert not outside.problems
