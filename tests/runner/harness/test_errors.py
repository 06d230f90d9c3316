"""What goes wrong between an agent and its model: every harness names it rightly, in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from runner.harness.agent import Agent, Task
from runner.harness.builtin import Builtin
from runner.harness.grants import Allowance
from runner.harness.install import installed
from sandbox.driver import Driver
from tests.fakes.programs import programs
from tests.fakes.script import Script, Step, Tool, answer, steps
from tests.runner.harness.conftest import REPOSITORY, Rooms

LOOK = Tool(("Bash", "exec_command", "bash", "run"), {"command": "cat a.txt"})
SCHEMA = {"type": "object", "properties": {"verdict": {"type": "string"}}, "required": ["verdict"], "additionalProperties": False}
MODELS = {"builtin": "openai/m", "claude-code": "anthropic/m", "codex": "responses/m", "opencode": "openai/m"}
HARNESSES = tuple(MODELS)


def agent_of(harness: str) -> Callable[[Driver], Agent]:
    """The real one."""
    if harness == "builtin":
        return lambda driver: Builtin(driver.gateway)
    return lambda _: installed(programs())[harness]


def task(harness: str, **more: Any) -> Task:
    return Task(prompt="Review it.", model=MODELS[harness], folder=REPOSITORY, idle_s=25.0, **more)


def always(step: Step) -> Script:
    return lambda _: step


ERRORS = {
    "wrong key": (Step(status=401, text="invalid x-api-key"), {"auth"}),
    "forbidden": (Step(status=403, text="not yours"), {"auth"}),
    "unknown model": (Step(status=404, text="no such model"), {"unknown_model"}),
    "too long": (Step(status=400, text="prompt is too long: 250000 tokens > 200000 maximum"), {"bad_request"}),
    "rate limit": (Step(status=429, text="slow down"), {"rate_limited"}),
    "rate limit for a long time": (Step(status=429, text="slow down", headers={"Retry-After": "3000"}), {"rate_limited"}),
    "broken server": (Step(status=500, text="oops"), {"overloaded"}),
    "overloaded": (Step(status=529, text="overloaded"), {"overloaded"}),
    "malformed": (Step(raw=b"{this is no JSON"), {"overloaded", "no_result", "unreachable", "crashed", "budget"}),
    "cut": (Step(text="I am about to say", cut=True), {"overloaded", "unreachable", "no_result"}),
    "stall": (Step(text="I am about to say", stall=True), {"overloaded", "unreachable", "no_result", "idle"}),
}


MOST_TRIES = dict.fromkeys(("wrong key", "forbidden", "unknown model", "too long"), 2)
"""Requests that reach the provider where asking again cannot help; elsewhere the run's bound and the gateway's own second tries."""


@pytest.mark.timeout(100)
@pytest.mark.parametrize("harness", HARNESSES)
@pytest.mark.parametrize("case", ERRORS)
async def test_error_of_the_provider_is_named(case: str, harness: str, room: Rooms) -> None:
    step, kinds = ERRORS[case]
    agent = agent_of(harness)
    started = time.monotonic()
    async with room(always(step), agent) as it:
        events = await it.ask(agent(it.driver), task(harness), Allowance(requests=8))
        asked = len(it.models.asked)
    last = events[-1]
    assert last.kind == "error", last
    assert last.data["error_kind"] in kinds, last
    assert asked <= MOST_TRIES.get(case, 16), f"{asked} requests"
    assert last.data["error"]
    assert "sk-the-real" not in str(last.data)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("harness", HARNESSES)
async def test_model_that_never_stops_calling_tools_is_stopped(harness: str, room: Rooms) -> None:
    arguments = {"cmd" if harness == "codex" else "command": "true"} | ({"description": "x"} if harness == "opencode" else {})
    endless = Step(text="More.", tools=(Tool(LOOK.name, arguments),))
    agent = agent_of(harness)
    async with room(always(endless), agent) as it:
        events = await it.ask(agent(it.driver), task(harness), Allowance(requests=6))
        assert len(it.models.asked) <= 6
    assert events[-1].data["error_kind"] == "budget", events[-1]


@pytest.mark.parametrize("harness", HARNESSES)
async def test_server_that_cannot_be_reached_is_named(harness: str, room: Rooms) -> None:
    agent = agent_of(harness)
    async with room(steps(), agent, connect_s=1.0) as it:
        it.models.__exit__()
        it.models.__exit__ = lambda *_: None  # type: ignore[method-assign]
        events = await it.ask(agent(it.driver), task(harness), Allowance(requests=8))
    assert events[-1].data["error_kind"] == "unreachable", events[-1]


@pytest.mark.parametrize("harness", HARNESSES)
async def test_session_that_is_not_there_is_named(harness: str, room: Rooms) -> None:
    agent = agent_of(harness)
    ident = {"builtin": "b00", "opencode": "ses_000000000000aaaaaaaaaaaaaa"}.get(harness, "00000000-0000-4000-8000-000000000000")
    async with room(steps(Step(text="Hello.")), agent) as it:
        events = await it.ask(agent(it.driver), task(harness, session_id=ident))
    assert events[-1].data["error_kind"] == "no_session", events[-1]


@pytest.mark.parametrize("harness", HARNESSES)
async def test_overloaded_model_is_replaced_by_its_fallback(harness: str, room: Rooms) -> None:
    agent = agent_of(harness)

    def script(asked: Any) -> Step:
        return Step(status=529) if asked.model == "m" else Step(text="Hello.")

    async with room(script, agent) as it:
        events = await it.ask(agent(it.driver), task(harness), Allowance(fallback_models=("other",)))
    assert (events[-1].kind, events[-1].data["output"]) == ("done", "Hello."), events[-1]


@pytest.mark.parametrize("harness", HARNESSES)
async def test_structured_answer_comes_as_json(harness: str, room: Rooms) -> None:
    agent = agent_of(harness)
    async with room(always(answer({"verdict": "ok"})), agent) as it:
        events = await it.ask(agent(it.driver), task(harness, json_schema=SCHEMA))
    assert (events[-1].kind, events[-1].data["output"].replace(" ", "")) == ("done", '{"verdict":"ok"}'), events[-1]


@pytest.mark.parametrize("harness", HARNESSES)
def test_model_of_another_api_is_refused(harness: str) -> None:
    agent = agent_of(harness)
    if harness == "builtin":
        return
    wrong = "openai/m" if harness == "claude-code" else "anthropic/m" if harness == "codex" else "responses/m"
    with pytest.raises(ValueError, match="cannot be asked here"):
        agent(None).check(wrong)  # type: ignore[arg-type]
