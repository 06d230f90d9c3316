"""A host with an agent, and a pull request that was reviewed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.bot.github.at_desk import AtDesk
from tests.bot.github.shadow.said import (
    by_model,
    tell_of,
)
from tests.fakes.github import Pull


@pytest_asyncio.fixture(autouse=True)
async def host_with_an_agent(at: AtDesk) -> AsyncIterator[None]:
    """It prefers the agent, as one that knows a model does."""
    await tell_of(at, harness="builtin", harnesses=("static", "builtin", "codex"))
    yield


@pytest_asyncio.fixture
async def pull(at: AtDesk) -> Pull:
    """One that was reviewed."""
    at.verdict = by_model
    made = at.pull()
    await at.reviewed(made)
    return made
