"""Agents in boxes: what one is asked, and what it says while it works."""

from __future__ import annotations

import abc
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.box import HOME, Box


@dataclass(frozen=True, slots=True)
class Task:
    """What an agent shall do.

    Args:
        prompt: in words, with all the agent needs to be told.
        model: as the harness names it.
        folder: where it starts, absolute.
        session_id: of an earlier run that it goes on with; None begins anew.
        json_schema: what its output must fit; None for plain text.
        options: settings of the harness, as its own documentation names them.
        mcp_servers: tools it may use, as `{name, source, package_or_url, args}`.
    """

    prompt: str
    model: str
    folder: str = HOME
    session_id: str | None = None
    json_schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    mcp_servers: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """One thing an agent said: `text`, `thinking`, `tool`, `tool_result`, `done`, `error` or a word of its own, as on the wire.

    `data` is what came from the box: checked for size and shape, not for sense.
    """

    kind: str
    data: Mapping[str, Any]


class Agent(abc.ABC):
    """One way to drive a model in a box."""

    name: str

    @abc.abstractmethod
    def run(self, box: Box, task: Task) -> AsyncGenerator[AgentEvent, None]:
        """Work on a task. The last event is `done`, with the whole output and what it cost, or `error`, which says why there is none.

        Leaving the iteration early ends the agent's processes.

        Raises:
            BadRequest: the task cannot be handed over, for instance because the prompt is too long.
            SandboxError: the box cannot be used.
        """
