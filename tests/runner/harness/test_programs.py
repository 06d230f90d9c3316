"""What a program may do to the host that drives it: hang, flood, lie, leave things behind. Each ends in time, with the right word."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from runner.harness import command
from runner.harness.agent import AgentEvent, Task
from runner.harness.command import CommandAgent, Reader
from sandbox.box import Command
from tests.fakes.script import steps
from tests.runner.harness.conftest import Rooms

DONE = 'echo \'{"done": "yes"}\''


class _Reader(Reader):
    ended = False

    def read(self, line: Mapping[str, Any]) -> Iterator[AgentEvent]:
        if "say" in line:
            yield AgentEvent("text", {"text": line["say"]})
        if "done" in line:
            self.ended, self.text = True, str(line["done"])

    def ended_well(self) -> bool:
        return self.ended


class Program(CommandAgent):
    """Runs a shell script as if it were an agent."""

    name = "program"

    def __init__(self, script: str) -> None:
        self._script = script

    def argv(self, task: Task) -> list[str]:
        return ["sh", "-c", self._script]

    def env(self, task: Task) -> dict[str, str]:
        return {}

    def reader(self) -> Reader:
        return _Reader()


@pytest.mark.parametrize(
    ("script", "kind", "said"),
    [
        ("sleep 60", "idle", "said nothing for 1 s"),
        ("trap '' TERM INT; while :; do sleep 1; done", "idle", "said nothing for 1 s"),
        ("exec >&- 2>&-; sleep 60", "idle", "did not end"),
        ("yes '{\"say\": \"more\"}'", "flood", "printed more than"),
        ("tr '\\0' x < /dev/zero", "flood", "on one line"),
        ("true", "no_result", "ended without a result"),
        ("echo '{\"done\": '", "no_result", "ended without a result"),
        ("echo '{\"done\": \"\"}'", "no_result", "ended without a result"),
        (f"{DONE}; echo oh no >&2; exit 3", "crashed", "exit code 3: oh no"),
        ("kill -9 $$", "crashed", "signal 9"),
        ("exec /no/such/program", "crashed", "exit code 127"),
    ],
    ids=[
        "hangs", "ignores SIGTERM", "closes its output and stays", "floods", "one endless line", "no result", "broken JSON",
        "empty result", "fails after its result", "is killed", "is not there",
    ],
)  # fmt: skip
async def test_program_that_misbehaves_ends_in_bounded_time(
    script: str, kind: str, said: str, room: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_ALL_BYTES", 4 << 20)
    monkeypatch.setattr(command, "_LINE_BYTES", 1 << 20)
    monkeypatch.setattr(command, "_END_S", 1.0)
    agent = Program(script)
    started = time.monotonic()
    async with room(steps(), agent) as it:
        events = await it.ask(agent, Task(prompt="x", model="openai/m", idle_s=1.0))
        assert (events[-1].kind, events[-1].data["error_kind"]) == ("error", kind), events[-1]
        assert said in events[-1].data["error"]
        left = await it.box.exec(Command(["sh", "-c", "ls /proc | grep -c '^[0-9]'"]), timeout_s=5)
        assert int(left.stdout) <= 5, "nothing of it runs on"
    assert time.monotonic() - started < 20


async def test_what_it_forks_into_the_background_ends_with_it(room: Rooms) -> None:
    agent = Program(f"(while :; do date > alive; sleep 0.1; done) >/dev/null 2>&1 & {DONE}")
    async with room(steps(), agent) as it:
        events = await it.ask(agent, Task(prompt="x", model="openai/m"))
        assert events[-1].kind == "done"
        await it.box.exec(Command(["sh", "-c", "rm -f alive; sleep 0.5"]), timeout_s=5)
        assert (await it.box.exec(Command(["test", "-e", "alive"]), timeout_s=5)).exit_code == 1


async def test_what_is_no_json_is_passed_over(room: Rooms) -> None:
    agent = Program(f"echo hello; echo '[1]'; echo '{{broken'; echo '{{\"say\": \"hi\"}}'; {DONE}")
    async with room(steps(), agent) as it:
        events = await it.ask(agent, Task(prompt="x", model="openai/m"))
    assert [event.kind for event in events] == ["text", "done"]


async def test_prompt_that_nobody_reads_stops_nothing(room: Rooms) -> None:
    agent = Program(f"sleep 0.2; {DONE}")
    async with room(steps(), agent) as it:
        events = await it.ask(agent, Task(prompt="x" * 3_000_000, model="openai/m"))
    assert events[-1].kind == "done"
