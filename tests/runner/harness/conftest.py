"""A box with a model server behind its gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from runner.harness.agent import Agent, AgentEvent, Task
from runner.harness.grants import Allowance, Grant
from sandbox.box import HOME, Box, BoxSpec
from sandbox.bubblewrap import BubblewrapDriver
from sandbox.driver import Driver
from sandbox.gateway.provider import ModelSettings, Provider
from sandbox.stored import WayOut
from tests.fakes.models import KEY, ModelServer
from tests.fakes.script import Script

REPOSITORY = f"{HOME}/repo"


@dataclass
class Room:
    """One box, its driver, and what its models say."""

    driver: Driver
    box: Box
    models: ModelServer

    async def ask(self, agent: Agent, task: Task, allowance: Allowance | None = None) -> list[AgentEvent]:
        """All events of one run; the last as the gateway corrects it."""
        grant = Grant(self.driver.gateway, self.box, task.model, allowance or Allowance(requests=30))
        events = [event async for event in agent.run(self.box, replace(task, token=grant.token))]
        return [*events[:-1], grant.why(events[-1])]


Rooms = Callable[..., AbstractAsyncContextManager[Room]]


@pytest.fixture
def room(data_dir: Path) -> Rooms:
    """Makes a room: `async with room(script, agent) as it`."""

    @asynccontextmanager
    async def make(script: Script, make_agent: Callable[[Driver], Agent] | Agent, **patience: float) -> AsyncIterator[Room]:
        with ModelServer(script) as models:
            key = SecretStr(KEY)
            providers = {
                "anthropic": Provider("anthropic", models.url, key),
                "openai": Provider("openai", f"{models.url}/v1", key),
            }
            patient = {"attempts": 2, "backoff_s": 0.05, "idle_s": 2.0, **patience}
            settings = ModelSettings(providers=providers, **patient)  # type: ignore[arg-type]
            async with BubblewrapDriver(data_dir / "d", WayOut(models=settings)) as driver:
                agent = make_agent(driver) if not isinstance(make_agent, Agent) else make_agent
                box = await driver.create(BoxSpec(mounts=agent.mounts))
                await box.write_file(f"{REPOSITORY}/a.txt", b"hello\n")
                yield Room(driver, box, models)

    return make
