"""Agents in boxes: what one is asked, and what it says while it works."""

from __future__ import annotations

import abc
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.box import HOME, Box, Mount

STATE = f"{HOME}/.box-review"
"""Where agents keep settings and sessions in the box; frozen and resumed with it."""

ErrorKind = Literal[
    "auth",  # the provider does not accept this host's key, or there is none
    "budget",  # the grant is used up: USD, tokens, requests or turns
    "unknown_model",
    "bad_request",  # the provider refuses what was asked: too long, not supported
    "rate_limited",
    "overloaded",  # 5xx, 529, cut and broken answers, after all attempts of the gateway
    "unreachable",  # no connection to the provider
    "refused",  # the model declined
    "idle",  # it said nothing for too long
    "flood",  # it said too much
    "no_result",  # it ended without one
    "no_session",  # the session to go on with is not in the box
    "crashed",
]
_MAY_PASS = frozenset({"rate_limited", "overloaded", "unreachable", "idle", "crashed"})


@dataclass(frozen=True, slots=True)
class Task:
    """What an agent shall do.

    Args:
        prompt: in words, with all the agent needs to be told.
        model: as the harness names it.
        folder: where it starts, absolute.
        instructions: what it is, beside what its harness tells it.
        session_id: of an earlier run that it goes on with; None begins anew.
        json_schema: what its output must fit; None for plain text.
        options: settings of the harness, as its own documentation names them.
        mcp_servers: tools it may use, as `{name, source, package_or_url, args}`.
        token: what it shows to the gateway in place of a key.
        max_turns: how often it may ask its model.
        idle_s: seconds that it may say nothing.
    """

    prompt: str
    model: str
    folder: str = HOME
    instructions: str = ""
    session_id: str | None = None
    json_schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    mcp_servers: tuple[Mapping[str, Any], ...] = ()
    token: str = ""
    max_turns: int = 100
    idle_s: float = 300.0


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """One thing an agent said: `text`, `thinking`, `tool`, `tool_result`, `done`, `error` or a word of its own, as on the wire.

    `data` is what came from the box: checked for size and shape, not for sense.
    """

    kind: str
    data: Mapping[str, Any]


def kind_of_status(status: int) -> ErrorKind:
    """What a provider's HTTP status, 400 or more, means."""
    known: dict[int, ErrorKind] = {401: "auth", 403: "auth", 404: "unknown_model", 429: "rate_limited"}
    return known.get(status, "overloaded" if status >= 500 else "bad_request")


def whole(text: Any) -> str:
    """A text of an agent as one that can be kept: halves of letters that JSON lets through are joined, or replaced where one is alone."""
    return str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def session_of(data: Mapping[str, Any]) -> str:
    """The session that an agent named in its last word; empty if that is no name that could be kept."""
    session = whole(data.get("session_id") or "")
    return session if session.isprintable() and len(session) < 200 else ""


def failed(kind: ErrorKind, why: str, **more: object) -> AgentEvent:
    """The last event of an agent that came to no result."""
    return AgentEvent("error", {"error": why, "error_kind": kind, "retryable": kind in _MAY_PASS, **more})


class Agent(abc.ABC):
    """One way to drive a model in a box.

    Attributes:
        name: what boxes and reviews call it.
        version: of the program, where there is one.
        mounts: what its boxes must see of the host.
        uses_models: it calls models through the gateway, and needs a grant.
    """

    name: str
    version: str = ""
    mounts: tuple[Mount, ...] = ()
    uses_models: bool = True

    def check(self, model: str) -> None:  # noqa: B027 - most can use any
        """Raises ValueError if it cannot use this model."""

    @abc.abstractmethod
    def run(self, box: Box, task: Task) -> AsyncGenerator[AgentEvent, None]:
        """Work on a task. The last event is `done`, with the whole output and what it cost, or `error`, which says why there is none.

        Leaving the iteration early ends the agent's processes.

        Raises:
            BadRequest: the task cannot be handed over, for instance because the prompt is too long.
            SandboxError: the box cannot be used.
        """
