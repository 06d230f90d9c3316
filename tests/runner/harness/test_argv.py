"""The flags that keep a hostile repository from steering an agent, exactly."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from runner.harness.agent import Task
from runner.harness.claude_code import ClaudeCode
from runner.harness.codex import Codex
from runner.harness.model_name import ModelName
from runner.harness.opencode import OpenCode
from sandbox.errors import BadRequest

REPOSITORY = "/workspace/home/repo"
TASK = Task(prompt="p", model="m", folder=REPOSITORY, instructions="You review.", json_schema={"type": "object"}, token="run-token")
RESUMED = Task(prompt="p", model="m", folder=REPOSITORY, session_id="s-1", token="run-token")


def pairs(argv: list[str]) -> set[tuple[str, str]]:
    return set(itertools.pairwise(argv))


@pytest.mark.parametrize("task", [TASK, RESUMED], ids=["first", "resumed"])
def test_claude_code_takes_nothing_from_the_repository(task: Task) -> None:
    """Without `--setting-sources ""` a pull request redirects the key, whatever else is given."""
    argv = ClaudeCode(Path("/x"), "1").argv(task)
    assert "--bare" in argv
    assert "--strict-mcp-config" in argv
    assert ("--setting-sources", "") in pairs(argv)
    assert not {"--dangerously-skip-permissions", "--settings", "--add-dir"} & set(argv)
    assert task.prompt not in argv


@pytest.mark.parametrize("task", [TASK, RESUMED], ids=["first", "resumed"])
def test_codex_takes_nothing_from_the_repository(task: Task) -> None:
    agent = Codex(Path("/x"), "1")
    argv = agent.argv(task)
    assert {("--disable", "plugins"), ("--disable", "apps"), ("--disable", "hooks"), ("-c", "project_doc_max_bytes=0")} <= pairs(argv)
    assert "--trust" not in argv
    assert argv[-1] == "-"  # the prompt is no argument: `review` would be a command
    config = agent.files(task)["/workspace/home/.box-review/codex/config.toml"].decode()
    assert 'base_url = "http://127.0.0.1:3128/openai/v1"' in config
    assert "run-token" not in config


@pytest.mark.parametrize("task", [TASK, RESUMED], ids=["first", "resumed"])
def test_opencode_takes_nothing_from_the_repository(task: Task) -> None:
    """It runs plugins of the repository that it is started in, whatever its flags say: so it is started elsewhere."""
    agent = OpenCode(Path("/x"), "1")
    assert not agent.folder(task).startswith(REPOSITORY)
    env = agent.env(task)
    assert {env[f"OPENCODE_DISABLE_{name}"] for name in ("PROJECT_CONFIG", "CLAUDE_CODE", "DEFAULT_PLUGINS", "AUTOUPDATE")} == {"1"}
    assert "--pure" in agent.argv(task)
    config = json.loads(env["OPENCODE_CONFIG_CONTENT"])
    assert config["enabled_providers"] == ["gateway"]
    assert config["share"] == "disabled"
    assert "run-token" not in env["OPENCODE_CONFIG_CONTENT"]


def test_mcp_servers_that_cannot_be_given_are_refused() -> None:
    server = {"name": "x", "source": "npm", "package_or_url": "y", "args": []}
    with pytest.raises(BadRequest, match="codex is not given any"):
        Codex(Path("/x"), "1").argv(Task(prompt="p", model="m", mcp_servers=(server,)))


@pytest.mark.parametrize(
    ("text", "api", "name"),
    [
        ("anthropic/claude-x", "anthropic", "claude-x"),
        ("responses/gpt-x", "responses", "gpt-x"),
        ("qwen/qwen3-8b", None, "qwen/qwen3-8b"),
        ("openai/qwen/qwen3-8b", "openai", "qwen/qwen3-8b"),
        ("claude-x", None, "claude-x"),
        ("openai/", None, "openai/"),
    ],
)
def test_name_of_a_model_is_read(text: str, api: str | None, name: str) -> None:
    assert ModelName.parse(text) == ModelName(api, name)  # type: ignore[arg-type]


def test_plain_names_go_to_the_api_that_knows_them() -> None:
    assert ModelName.parse("claude-x").through("anthropic", "responses", "openai") == "anthropic"
    assert ModelName.parse("llama").through("anthropic", "responses", "openai") == "openai"
    assert ModelName.parse("llama").through("responses") == "responses"
    assert ModelName.parse("llama").through("anthropic") == "anthropic"
