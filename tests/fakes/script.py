"""What a scripted model says: steps, and the requests that they answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tool:
    """A tool that the model calls; `name` may be a tuple: the first that the client offers is taken."""

    name: str | tuple[str, ...]
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One answer.

    Args:
        text: what it says.
        tools: what it calls.
        status: other than 200: an error, with `text` as its message.
        headers: of the answer.
        delay_s: before it.
        stall: it begins and then says nothing.
        cut: the connection breaks in the middle.
        raw: the body as it is, with status 200.
        usage: input, cached and output tokens; the cached ones are part of the input as OpenAI counts, beside it as Anthropic does.
    """

    text: str = ""
    tools: Sequence[Tool] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    stall: bool = False
    cut: bool = False
    raw: bytes | None = None
    usage: tuple[int, int, int] = (100, 10, 20)


def answer(value: Any) -> Step:
    """The last step of a task with a schema, for every client: a call of its answering tool if it offers one, else JSON as text."""
    return Step(text=json.dumps(value), tools=(Tool(("StructuredOutput", "final_result"), value),))


@dataclass(frozen=True)
class Asked:
    """One request as it came, with what a script needs to know of it: `turn` counts tool results, `said` is all text of it."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    turn: int
    tools: tuple[str, ...]

    @property
    def said(self) -> str:
        """All of it as text."""
        return json.dumps(self.body, ensure_ascii=False)

    @property
    def model(self) -> str:
        """Which model is asked."""
        return str(self.body.get("model"))


Script = Callable[[Asked], Step]


def steps(*given: Step, side: Step = Step(text="ok")) -> Script:
    """A script that goes through steps by the turn, and stays at the last; requests without tools get `side`."""

    def script(asked: Asked) -> Step:
        return given[min(asked.turn, len(given) - 1)] if asked.tools else side

    return script
