"""Codex, run in the box as in a hostile repository. It speaks the Responses API alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.harness.agent import STATE, AgentEvent, ErrorKind, Task, failed, kind_of_status
from runner.harness.command import SAFE_DIRECTORY, CommandAgent, Reader, part
from runner.harness.model_name import ModelName
from sandbox.box import Mount
from sandbox.errors import BadRequest
from sandbox.gateway.settings import proxy_env

_AT = "/opt/box-review/agent"
_HOME = f"{STATE}/codex"
_OFF = ("plugins", "apps", "hooks")
_HOSTILE = (*(word for name in _OFF for word in ("--disable", name)), "-c", "project_doc_max_bytes=0")
_CONFIG = f"""model_provider = "gateway"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
web_search = "disabled"

[model_providers.gateway]
name = "gateway"
base_url = "{proxy_env()["OPENAI_BASE_URL"]}"
env_key = "GATEWAY_TOKEN"
wire_api = "responses"
request_max_retries = 1
stream_max_retries = 1
stream_idle_timeout_ms = 180000

[analytics]
enabled = false

[feedback]
enabled = false

[history]
persistence = "none"
"""
_STATUS = re.compile(r"(?:unexpected|last) status:? (\d{3})")
_OPTIONS = ("model_reasoning_effort", "model_reasoning_summary", "personality", "web_search")


class Codex(CommandAgent):
    """Args: folder of the program, as its package lays it out, and its version."""

    name = "codex"

    def __init__(self, folder: Path, version: str) -> None:
        self.version = version
        self.mounts = (Mount(folder, _AT),)

    def check(self, model: str) -> None:
        ModelName.parse(model).through("responses")

    def argv(self, task: Task) -> list[str]:
        if task.mcp_servers:
            raise BadRequest("mcp_servers: codex is not given any; use claude-code or opencode")
        settings = {name: value for name, value in task.options.items() if name in _OPTIONS}
        if task.instructions:
            settings["developer_instructions"] = task.instructions
        argv = [f"{_AT}/bin/codex", "exec"]
        options = ["--json", "--skip-git-repo-check", "-m", ModelName.parse(task.model).name, *_HOSTILE]
        options += [word for name, value in settings.items() for word in ("-c", f"{name}={json.dumps(value)}")]
        if task.json_schema is not None:
            options += ["--output-schema", f"{_HOME}/schema.json"]
        if task.session_id:
            return [*argv, "resume", *options, task.session_id, "-"]
        return [*argv, *options, "-"]

    def files(self, task: Task) -> dict[str, bytes]:
        files = {f"{_HOME}/config.toml": _CONFIG.encode()}
        if task.json_schema is not None:
            files[f"{_HOME}/schema.json"] = json.dumps(task.json_schema).encode()
        return files

    def env(self, task: Task) -> dict[str, str]:
        return {"CODEX_HOME": _HOME, "GATEWAY_TOKEN": task.token, **SAFE_DIRECTORY}

    def reader(self) -> Reader:
        return _Reader()

    def kind_of(self, said: str) -> ErrorKind:
        return "no_session" if "no rollout found" in said else "crashed"


class _Reader(Reader):
    def __init__(self) -> None:
        super().__init__()
        self._completed = False

    def read(self, line: Mapping[str, Any]) -> Iterator[AgentEvent]:
        match line.get("type"):
            case "thread.started":
                self.session_id = str(line.get("thread_id") or "")
            case "turn.completed":
                self._completed, self.failure = True, None
            case "turn.failed":
                self._fail(str(part(line, "error", "message") or "the turn failed"))
            case "item.started" | "item.completed":
                yield from self._item(line["type"] == "item.completed", part(line, "item"))

    def ended_well(self) -> bool:
        return self._completed

    def _item(self, whole: bool, item: object) -> Iterator[AgentEvent]:
        kind, ident = part(item, "type"), part(item, "id")
        if kind == "agent_message" and whole:
            self.text = str(part(item, "text") or "")
            yield AgentEvent("text", {"text": self.text})
        elif kind == "reasoning" and whole:
            yield AgentEvent("thinking", {"text": str(part(item, "text") or "")})
        elif kind == "command_execution":
            if whole:
                yield AgentEvent("tool_result", {"toolCallId": ident, "output": str(part(item, "aggregated_output") or "")})
            else:
                yield AgentEvent("tool", {"toolCallId": ident, "name": "exec_command", "input": {"cmd": part(item, "command")}})

    def _fail(self, why: str) -> None:
        found = _STATUS.search(why)
        kind: ErrorKind = "overloaded"
        if found:
            kind = kind_of_status(int(found[1]))
        elif "context window" in why or why.lstrip().startswith("{"):
            kind = "bad_request"
        elif "uota exceeded" in why:
            kind = "rate_limited"
        self.failure = failed(kind, f"codex: {why[:1000]}", session_id=self.session_id)
