"""Schedules, through the official Python client."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from upstash_box import Box, BoxError

from tests.flow.box_api.conftest import until
from tests.flow.box_api.recorder import Recorder
from tests.server import Server

SAY = ["-c", 'import sys; print(\'event: done\\ndata: {"output": "%s"}\\n\' % sys.argv[2])']
KEY = {"X-Box-Api-Key": "box_one"}


@pytest.fixture
def agent(account: None) -> Iterator[Box]:
    """A box whose agent repeats its prompt."""
    with Box.create(agent={"harness": "custom", "model": "m", "custom_harness": {"command": "python3", "args": SAY}}) as made:
        yield made
        made.delete()


@pytest.mark.timeout(150)
def test_work_begins_when_its_minute_comes_and_its_webhook_is_told(agent: Box, outside: Recorder) -> None:
    outside.answers.pop("/timer", None)
    agent.exec.command("mkdir sub")
    command = agent.schedule.exec(
        cron="* * * * *", command=["sh", "-c", "echo tick; pwd"], folder="/workspace/home/sub", webhook_url=f"{outside.url}/timer"
    )
    failing = agent.schedule.exec(cron="* * * * *", command=["sh", "-c", "echo no >&2; exit 3"])
    prompt = agent.schedule.agent(cron="* * * * *", prompt="hello", webhook_url=f"{outside.url}/timer")
    resting = agent.schedule.exec(cron="* * * * *", command=["true"])
    agent.schedule.pause(resting.id)
    agent.pause()
    until(lambda: len(outside.on("/timer")) >= 2, 90)
    told = {asked.json["schedule_id"]: asked.json for asked in outside.on("/timer")}
    assert told[command.id]["output"] == "tick\n/workspace/home/sub\n"
    assert (told[prompt.id]["status"], told[prompt.id]["output"]) == ("completed", "hello")
    until(lambda: agent.schedule.get(failing.id).last_run_status == "failed")
    seen = agent.schedule.get(command.id)
    assert (seen.total_runs, seen.total_failures, seen.last_run_status) == (1, 0, "completed")
    assert agent.schedule.get(failing.id).total_failures == 1
    assert agent.schedule.get(resting.id).total_runs == 0
    runs = {run.schedule_id: run for run in agent.list_runs() if run.schedule_id}
    assert runs[failing.id].error_message == "exit code 3: no"
    assert runs[command.id].id == seen.last_run_id


def test_schedule_is_changed_paused_resumed_and_deleted(agent: Box, served: Server) -> None:
    made = agent.schedule.agent(cron="@daily", prompt="x", model="m2", options={"a": 1}, timeout=60_000)
    assert (made.type, made.cron, made.folder, made.timeout, made.status) == ("prompt", "@daily", "/workspace/home", 60_000, "active")
    listed = httpx.get(f"{served.url}/v2/box/{agent.id}/schedules", headers=KEY, trust_env=False).json()
    assert listed == [httpx.get(f"{served.url}/v2/box/{agent.id}/schedules/{made.id}", headers=KEY, trust_env=False).json()]
    changed = agent.schedule.update(made.id, cron="0 5 * * 1", model="", options=None)
    assert (changed.cron, changed.model, changed.agent_options, changed.prompt) == ("0 5 * * 1", None, None, "x")
    for change in ({"command": ["x"]}, {"prompt": ""}, {"cron": "61 * * * *"}):
        with pytest.raises(BoxError):
            agent.schedule.update(made.id, **change)
    agent.schedule.pause(made.id)
    assert agent.schedule.get(made.id).status == "paused"
    agent.schedule.resume(made.id)
    assert agent.schedule.list()[0].status == "active"
    agent.schedule.delete(made.id)
    assert agent.schedule.list() == []
    with pytest.raises(BoxError) as gone:
        agent.schedule.get(made.id)
    assert gone.value.status_code == 404


def test_schedule_of_another_box_or_without_sense_is_refused(box: Box, agent: Box, served: Server) -> None:
    made = agent.schedule.exec(cron="* * * * *", command=["true"])
    with pytest.raises(BoxError) as elsewhere:
        box.schedule.get(made.id)
    assert elsewhere.value.status_code == 404
    with pytest.raises(BoxError, match="no agent"):
        box.schedule.agent(cron="@daily", prompt="x")
    for body in (
        {"type": "exec", "cron": "nonsense", "command": ["true"]},
        {"type": "exec", "cron": "0 0 30 2 *", "command": ["true"]},
        {"type": "exec", "cron": "@daily", "prompt": "x"},
        {"type": "exec", "cron": "@daily", "command": []},
        {"type": "exec", "cron": "@daily", "command": ["x"], "webhook_url": "ftp://x"},
    ):
        answer = httpx.post(f"{served.url}/v2/box/{box.id}/schedules", json=body, headers=KEY, trust_env=False)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])
