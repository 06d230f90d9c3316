"""A task given to an agent and its answer, with one chance to put right what cannot be read."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import structlog
from box_review import Usage

from runner import briefing
from runner.harness.agent import Agent, AgentEvent, Task, failed, session_of, whole
from runner.harness.grants import Allowance, Grant
from runner.harness.output import DoesNotFit
from runner.harness.transcript import Transcript
from sandbox.box import Box
from sandbox.errors import SandboxError
from sandbox.gateway.gateway import Gateway

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What an agent came to.

    Attributes:
        value: its answer, as it was read; None if there is none, and then `problem` says why.
        session_id: for going on; empty where that cannot be.
        usage: as the gateway counted it.
        priced: the cost of all of it is known.
    """

    value: T | None
    problem: str
    session_id: str
    usage: Usage
    priced: bool


class Dialogue:
    """One agent in one box, under a grant of its own.

    Args:
        allowance: how much it may use; no call begins after `ends_at`.
        ends_at: loop time after which the agent is ended.

    Attributes:
        transcript: all that it says.
    """

    def __init__(self, agent: Agent, box: Box, gateway: Gateway, allowance: Allowance, ends_at: float) -> None:
        self._agent, self._box, self._gateway = agent, box, gateway
        self._allowance, self._ends_at = allowance, ends_at
        self.transcript = Transcript()

    async def ask(self, task: Task, read: Callable[[str], Awaitable[T]]) -> Answer[T]:
        """The agent's answer as `read` understands it; once it is told what is wrong with it. Never raises for what the agent does."""
        left_s = self._ends_at - asyncio.get_running_loop().time()
        grant = Grant(self._gateway, self._box, task.model, replace(self._allowance, seconds=left_s))
        task = replace(task, token=grant.token)

        def answer(last: AgentEvent, problem: str, value: T | None = None) -> Answer[T]:
            return Answer(value, problem, session_of(last.data), grant.usage(), grant.priced())

        last = await self._say(task, grant)
        for last_chance in (False, True):
            if last.kind == "error":
                return answer(last, str(last.data["error"]))
            try:
                return answer(last, "", await read(str(last.data["output"])))
            except DoesNotFit as error:
                problem, session = str(error), session_of(last.data)
            if last_chance or not session:
                break
            again = briefing.repair(problem, json.dumps(task.json_schema) if task.json_schema else "")
            last = await self._say(replace(task, prompt=again, session_id=session), grant)
        return answer(last, f"{self._agent.name} gave an answer that cannot be used: {problem}")

    async def _say(self, task: Task, grant: Grant) -> AgentEvent:
        """Let the agent work on a task; its last word, `done` or `error`, in texts that can be written down."""
        last = failed("no_result", f"{self._agent.name} ended without a word")
        try:
            async with asyncio.timeout_at(self._ends_at), contextlib.aclosing(self._agent.run(self._box, task)) as events:
                async for event in events:
                    self.transcript.add(event)
                    last = event
        except TimeoutError:
            last = failed("idle", f"{self._agent.name} was not done in time")
        except SandboxError as error:
            last = failed("crashed", f"{self._agent.name}: {error}")
        except Exception as error:  # a boundary: what a program in a box prints can have any shape, and must not take the role with it
            log.exception("an agent could not be followed", agent=self._agent.name, box=self._box.id)
            last = failed("crashed", f"{self._agent.name} said what cannot be understood ({type(error).__name__})")
        if last.kind not in ("done", "error"):
            last = failed("no_result", f"{self._agent.name} ended without a result")
        last = grant.why(last)
        words = {name: whole(value) if isinstance(value, str) else value for name, value in last.data.items()}
        return AgentEvent(last.kind, words | ({"error": str(words["error"])[:1500]} if last.kind == "error" else {}))
