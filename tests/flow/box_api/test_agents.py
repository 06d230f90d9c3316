"""Agents of one's own in boxes, through the official Python client."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import upstash_box.custom_harness
from pydantic import BaseModel
from upstash_box import Box, BoxError

from tests.flow.box_api.conftest import until
from tests.flow.box_api.recorder import Recorder
from tests.server import Server

AGENT = """
import asyncio, json, os, sys, time
from custom_harness import CustomHarnessDone, run_custom_harness

def work(context, emit):
    word, *rest = context.prompt.split()
    rest = " ".join(rest)
    if word == "echo":
        emit.reasoning("hm")
        emit.tool({"tool_call_id": "t1", "name": "look", "input": {"at": "."}})
        emit.tool_result({"tool_call_id": "t1", "output": "seen"})
        emit.text("you said ")
        emit.text(rest)
        emit.emit("own", {"word": "x"})
        return CustomHarnessDone(output="", input_tokens=7, output_tokens=3, cached_input_tokens=2, total_cost_usd=0.25, session_id="s1")
    if word == "session":
        return CustomHarnessDone(output=context.session_id or "none", session_id=context.session_id)
    if word == "json":
        return CustomHarnessDone(output="Here it is:\\n```json\\n" + json.dumps({"count": int(rest.split()[0])}) + "\\n```")
    if word == "wrong":
        return CustomHarnessDone(output='{"count": "many"}')
    if word == "files":
        paths = [line[2:] for line in context.prompt.splitlines() if line.startswith("- ")]
        return CustomHarnessDone(output=json.dumps([[os.path.basename(path), open(path).read()] for path in paths]))
    if word == "model":
        return CustomHarnessDone(output=context.model + " " + os.getcwd() + " " + os.environ.get("BOX_AGENT_OPTIONS", ""))
    if word == "sleep":
        open("started", "w").close()
        time.sleep(60)
    if word == "raise":
        raise RuntimeError("it broke")
    if word == "die":
        print("last words", file=sys.stderr, flush=True)
        os._exit(3)
    if word == "quiet":
        os._exit(0)
    return CustomHarnessDone(output="?")

asyncio.run(run_custom_harness(work))
"""


@pytest.fixture
def agent(account: None) -> Iterator[Box]:
    """A box with an agent that is written with the client's own helper."""
    with Box.create(agent={"harness": "custom", "model": "mine", "custom_harness": {"command": "python3", "args": ["agent.py"]}}) as made:
        made.files.write(path="custom_harness.py", content=Path(upstash_box.custom_harness.__file__).read_text())
        made.files.write(path="agent.py", content=AGENT)
        yield made
        made.delete()


class Counted(BaseModel):
    count: int


def test_agent_is_asked_and_followed(agent: Box) -> None:
    calls: list[tuple[str, object]] = []
    run = agent.agent.run(
        prompt="echo hello",
        on_tool_use=lambda tool: calls.append(("use", tool)),
        on_tool_result=lambda tool: calls.append(("result", tool)),
    )
    assert (run.result, run.status) == ("you said hello", "completed")
    assert (run.cost.input_tokens, run.cost.output_tokens, run.cost.total_usd) == (7, 3, 0.25)
    assert [kind for kind, _ in calls] == ["use", "result"]
    kinds = [chunk.type for chunk in agent.agent.stream(prompt="echo again")]
    assert kinds == ["start", "reasoning", "tool-call", "tool-result", "text-delta", "text-delta", "unknown", "finish"]
    listed = agent.list_runs()[0]
    assert (listed.type, listed.status, listed.prompt, listed.model) == ("agent", "completed", "echo again", "mine")
    assert "you said again" in [line.message for line in agent.logs() if line.source == "agent"]
    shown = Box.get(agent.id)
    assert (shown.model_config["model"] if isinstance(shown.model_config, dict) else shown.model_config.model) == "mine"


def test_session_goes_on_in_the_next_run(agent: Box) -> None:
    assert agent.agent.run(prompt="session").result == "none"
    agent.agent.run(prompt="echo x")
    assert agent.agent.run(prompt="session").result == "s1"


def test_structured_output_fits_its_schema_or_is_an_error(agent: Box) -> None:
    assert agent.agent.run(prompt="json 3", response_schema=Counted).result == Counted(count=3)
    with pytest.raises(BoxError, match=r"does not fit json_schema: .*count"):
        agent.agent.run(prompt="wrong", response_schema=Counted)


def test_files_come_with_a_prompt(agent: Box, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("1")
    assert json.loads(agent.agent.run(prompt="files", files=[str(tmp_path / "one.txt")]).result) == [["1-one.txt", "1"]]
    given = {"data": base64.b64encode(b"2").decode(), "media_type": "text/plain", "filename": "../../two.txt"}
    assert json.loads(agent.agent.run(prompt="files", files=[given]).result) == [["1-two.txt", "2"]]


def test_folder_model_and_options_reach_the_agent(agent: Box) -> None:
    agent.configure_model("other")
    agent.exec.command("mkdir sub && cp *.py sub")
    agent.cd("sub")
    assert agent.agent.run(prompt="model", options={"depth": 2}).result == 'other /workspace/home/sub {"depth": 2}'
    agent.configure_custom_harness({"command": "python3", "args": ["-c", 'print(\'event: done\\ndata: {"output": "new"}\\n\')']})
    assert agent.agent.run(prompt="x").result == "new"


@pytest.mark.parametrize(
    ("prompt", "said"),
    [("raise", "it broke"), ("die", "exit code 3 of python3: last words")],
)
def test_agent_that_fails_is_a_failed_run_with_its_reason(agent: Box, prompt: str, said: str) -> None:
    with pytest.raises(BoxError, match=said):
        agent.agent.run(prompt=prompt)
    failed = agent.list_runs()[0]
    assert (failed.status, failed.error_message) == ("failed", said)


def test_agent_that_ends_without_a_word_has_said_nothing(agent: Box) -> None:
    assert agent.agent.run(prompt="quiet").result == ""


def test_run_goes_on_without_its_caller_and_ends_when_it_is_cancelled(agent: Box) -> None:
    stream = agent.agent.stream(prompt="sleep")
    iterator = iter(stream)
    next(iterator)
    until(lambda: any(entry.name == "started" for entry in agent.files.list()))
    stream.close()
    time.sleep(0.3)
    running = agent.list_runs()[0]
    assert running.status == "running"
    assert agent.get_status()["status"] == "running"
    httpx.post(f"{agent._base_url}/v2/box/{agent.id}/runs/{running.id}/cancel", headers={"X-Box-Api-Key": "box_one"}, trust_env=False)
    until(lambda: agent.list_runs()[0].status == "cancelled")
    assert "agent.py" not in agent.exec.command("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").result


def test_command_is_cancelled_by_the_id_in_the_list(box: Box, served: Server) -> None:
    headers = {"X-Box-Api-Key": "box_one"}
    iterator = iter(box.exec.stream("echo up; sleep 60"))
    next(iterator)
    run = box.list_runs()[0]
    httpx.post(f"{served.url}/v2/box/{box.id}/runs/{run.id}/cancel", headers=headers, trust_env=False).raise_for_status()
    assert [chunk.type for chunk in iterator][-1] == "exit"
    assert box.list_runs()[0].status == "cancelled"
    missing = httpx.post(f"{served.url}/v2/box/{box.id}/runs/none/cancel", headers=headers, trust_env=False)
    assert missing.status_code == 404


def test_webhook_is_told_of_the_end_signed_and_tried_again(agent: Box, outside: Recorder, served: Server) -> None:
    failures = [503]
    outside.answers["/hook"] = lambda _: (failures.pop() if failures else 200, {})
    run = agent.agent.run(prompt="echo there", webhook={"url": f"{outside.url}/hook?x=1", "headers": {"Authorization": "Bearer mine"}})
    until(lambda: len(outside.on("/hook")) == 2)
    told = outside.on("/hook")[1]
    assert (told.json["status"], told.json["run_id"], told.json["box_id"], told.json["output"]) == (
        "completed",
        run.id,
        agent.id,
        "you said there",
    )
    assert told.headers["authorization"] == "Bearer mine"
    secret = httpx.get(f"{served.url}/v2/box/settings/webhook-secret", headers={"X-Box-Api-Key": "box_one"}, trust_env=False).json()[
        "secret"
    ]
    parts = dict(part.split("=", 1) for part in told.headers["x-box-signature"].split(","))
    assert parts["v1"] == hmac.new(secret.encode(), f"{parts['t']}.".encode() + told.body, hashlib.sha256).hexdigest()
    assert next(listed for listed in agent.list_runs() if listed.id == run.id).output == "you said there"


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://127.0.0.1:1/", "http://10.0.0.1/"])
def test_webhook_into_a_private_network_is_not_sent(agent: Box, url: str) -> None:
    agent.agent.run(prompt="echo x", webhook={"url": url})
    until(lambda: any("webhook" in line.message and "refused" in line.message for line in agent.logs()), 20)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"agent": "claude", "model": "x"}, "available: custom"),
        ({"agent": "custom", "model": "x"}, "custom_runner"),
        ({"agent": "custom", "custom_runner": {"command": "/etc/passwd"}}, "PATH"),
        ({"agent": "custom", "custom_runner": {"command": "/workspace/home/../../usr/bin/env"}}, "PATH"),
        ({"agent": "custom", "custom_runner": {"command": "x", "protocol": "other"}}, "protocol"),
        ({"model": "x"}, "agent"),
        ({"mcp_servers": [{"name": "a", "source": "npm", "package_or_url": "p", "headers": {"x": "y"}}]}, "headers"),
        ({"skills": ["../x"]}, "skills"),
        ({"init_command": "x" * 70_000}, "init_command"),
        ({"github_token": "a b"}, "github_token"),
    ],
)
def test_agent_that_cannot_be_is_refused_when_its_box_is_made(served: Server, body: dict[str, object], said: str) -> None:
    answer = httpx.post(f"{served.url}/v2/box", json=body, headers={"X-Box-Api-Key": "box_one"}, trust_env=False)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "prompt"),
        ({"prompt": "x", "json_schema": {"type": "nonsense"}}, "json_schema"),
        ({"prompt": "x", "files": [{"data": "%%%"}]}, "base64"),
        ({"prompt": "x", "files": [{"data": ""}] * 11}, "files"),
        ({"prompt": "x", "webhook": {"url": "file:///etc/passwd"}}, "webhook.url"),
        ({"prompt": "x", "webhook": {"url": "http://a/", "headers": {"a\nb": "c"}}}, "header"),
        ({"prompt": "x", "unknown": 1}, "unknown"),
    ],
)
def test_run_that_makes_no_sense_is_refused(agent: Box, served: Server, body: dict[str, object], said: str) -> None:
    for route in ("run", "run/stream"):
        url = f"{served.url}/v2/box/{agent.id}/{route}"
        answer = httpx.post(url, json=body, headers={"X-Box-Api-Key": "box_one"}, trust_env=False)
        assert answer.status_code == 400
        assert said in answer.json()["error"]


@pytest.mark.parametrize(
    ("events", "heard"),
    [
        ([("done", r'{"output": "\ud83d"}')], "\N{REPLACEMENT CHARACTER}"),
        ([("text", r'{"text": "\ud83d"}'), ("text", r'{"text": "\ude00"}')], "\N{GRINNING FACE}"),
        ([("done", r'{"output": "x", "session_id": "a\u0000b"}')], "x"),
        ([("done", '{"output": 3, "input_tokens": -5, "total_cost_usd": "many"}')], "3"),
    ],
    ids=["half-a-letter", "halves-of-one", "session-with-nul", "nonsense"],
)
def test_odd_words_of_an_agent_end_its_run_all_the_same(account: None, events: list[tuple[str, str]], heard: str) -> None:
    said = "".join(f"event: {name}\ndata: {data}\n\n" for name, data in events)
    config = {"harness": "custom", "model": "m", "custom_harness": {"command": "sh", "args": ["-c", "cat said"]}}
    with Box.create(agent=config) as made:
        made.files.write(path="said", content=said)
        for _ in range(2):  # the second run gets what the first has left
            made.agent.run(prompt="x")
        assert [run.status for run in made.list_runs() if run.type == "agent"] == ["completed"] * 2
        assert next(run.output for run in made.list_runs() if run.type == "agent") == heard
        made.delete()


def test_box_that_cannot_be_furnished_is_not_left_behind(served: Server) -> None:
    before = httpx.get(f"{served.url}/v2/box", headers={"X-Box-Api-Key": "box_one"}, trust_env=False).json()
    folders = len(list((served.data_dir / "boxes").iterdir()))
    for body in ({"env_vars": {"A": "x" * 70_000}}, {"init_command": "ä" * 40_000}, {"skills": ["o/none"]}, {"clone_repo": "/nowhere"}):
        answer = httpx.post(f"{served.url}/v2/box", json=body, headers={"X-Box-Api-Key": "box_one"}, trust_env=False, timeout=60)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert httpx.get(f"{served.url}/v2/box", headers={"X-Box-Api-Key": "box_one"}, trust_env=False).json() == before
    until(lambda: len(list((served.data_dir / "boxes").iterdir())) <= folders + 2)  # two wait for whoever asks next


def test_fan_out_and_a_fourth_box_that_sums_up(account: None) -> None:
    helper = 'import sys\nprint(\'event: done\\ndata: {"output": "%s"}\\n\' % (sys.argv[2].split()[0].upper()))'
    config = {"harness": "custom", "model": "m", "custom_harness": {"command": "python3", "args": ["-c", helper]}}
    boxes = [Box.create(agent=config) for _ in range(4)]
    parts = [box.agent.run(prompt=word).result for box, word in zip(boxes, ("one", "two", "three"), strict=False)]
    assert boxes[3].agent.run(prompt="-".join(parts)).result == "ONE-TWO-THREE"
    Box.delete_boxes(box_ids=[box.id for box in boxes])
