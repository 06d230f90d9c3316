"""A task given to an agent and its answer, with one chance to put right what cannot be read."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from runner import briefing
from runner.harness.agent import Agent, AgentEvent, Task, failed
from runner.harness.grants import Grant
from runner.harness.output import DoesNotFit
from runner.harness.sse import whole
from runner.harness.transcript import Transcript
from sandbox.box import Box
from sandbox.errors import SandboxError

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spoken:
    """How a dialogue stands: the agent's last word, `done` or `error`."""

    last: AgentEvent

    @property
    def session_id(self) -> str:
        """For going on."""
        return str(self.last.data.get("session_id") or "")

    @property
    def problem(self) -> str | None:
        """Why there is no output; None if there is."""
        return None if self.last.kind == "done" else str(self.last.data.get("error"))


def _fit_to_keep(last: AgentEvent) -> AgentEvent:
    """The last word with texts that can be written down, whatever the program made of them."""
    words = {name: whole(value) if isinstance(value, str) else value for name, value in last.data.items()}
    session = str(words.get("session_id") or "")
    words["session_id"] = session if session.isprintable() and len(session) < 200 else ""
    if "error" in words:
        words["error"] = str(words["error"])[:1500]
    return AgentEvent(last.kind, words)


class NoAnswer(Exception):
    """The agent gave none that can be used; `spoken` is how far it came."""

    def __init__(self, why: str, spoken: Spoken) -> None:
        super().__init__(why)
        self.spoken = spoken


class Dialogue:
    """One agent in one box under one grant.

    Args:
        ends_at: loop time after which it is ended.
        transcript: where all it says is written down.
    """

    def __init__(self, agent: Agent, box: Box, grant: Grant, ends_at: float) -> None:
        self._agent, self._box, self._grant, self._ends_at = agent, box, grant, ends_at
        self.transcript = Transcript()

    async def say(self, task: Task) -> Spoken:
        """Let the agent work on a task to its last word."""
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
        return Spoken(_fit_to_keep(self._grant.why(last)))

    async def ask(self, task: Task, read: Callable[[str], Awaitable[T]]) -> tuple[T, Spoken]:
        """The agent's answer as `read` understands it; once it is told what is wrong with it.

        Raises:
            NoAnswer: it failed, or neither answer can be read.
        """
        spoken = await self.say(task)
        for last_chance in (False, True):
            if spoken.problem is not None:
                raise NoAnswer(spoken.problem, spoken)
            try:
                return await read(str(spoken.last.data["output"])), spoken
            except DoesNotFit as error:
                if last_chance or not spoken.session_id:
                    raise NoAnswer(f"{self._agent.name} gave an answer that cannot be used: {error}", spoken) from error
                again = briefing.repair(str(error), json.dumps(task.json_schema) if task.json_schema else "")
                spoken = await self.say(replace(task, prompt=again, session_id=spoken.session_id))
        raise AssertionError
