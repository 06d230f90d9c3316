"""OpenCode, run in the box as in a hostile repository."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.harness.agent import STATE, AgentEvent, ErrorKind, Task, failed, kind_of_status
from runner.harness.command import SAFE_DIRECTORY, CommandAgent, Reader, part, text_of
from runner.harness.model_name import ModelName
from sandbox.box import Mount
from sandbox.gateway.settings import proxy_env

_AT = "/opt/box-review/agent"
_DESK = f"{STATE}/opencode/desk"
_HOSTILE = {
    f"OPENCODE_{name}": "1"
    for name in (
        "DISABLE_PROJECT_CONFIG",  # the repository's opencode.json and AGENTS.md
        "DISABLE_CLAUDE_CODE",
        "DISABLE_DEFAULT_PLUGINS",
        "DISABLE_AUTOUPDATE",
        "DISABLE_MODELS_FETCH",
        "DISABLE_LSP_DOWNLOAD",
    )
}


class OpenCode(CommandAgent):
    """Args: folder that holds the program `opencode`, and its version."""

    name = "opencode"

    def __init__(self, folder: Path, version: str) -> None:
        self.version = version
        self.mounts = (Mount(folder, _AT),)

    def check(self, model: str) -> None:
        ModelName.parse(model).through("anthropic", "openai")

    def argv(self, task: Task) -> list[str]:
        argv = [f"{_AT}/opencode", "run", "--pure", "--format", "json", "--title", "box", "--agent", "reviewer"]
        argv += ["-m", f"gateway/{ModelName.parse(task.model).name}"]
        return [*argv, "-s", task.session_id] if task.session_id else argv

    def env(self, task: Task) -> dict[str, str]:
        state = {f"XDG_{name}_HOME": f"{STATE}/opencode/{name.lower()}" for name in ("DATA", "CONFIG", "STATE", "CACHE")}
        return {**_HOSTILE, **state, **SAFE_DIRECTORY, "GATEWAY_TOKEN": task.token, "OPENCODE_CONFIG_CONTENT": json.dumps(_config(task))}

    def folder(self, task: Task) -> str:
        """Outside of every repository: it runs plugins that it finds in `.opencode` of one, whatever `_HOSTILE` says."""
        return _DESK

    def files(self, task: Task) -> dict[str, bytes]:
        return {f"{_DESK}/.here": b""}

    def reader(self) -> Reader:
        return _Reader()

    def kind_of(self, said: str) -> ErrorKind:
        return "no_session" if "Session not found" in said else "crashed"


def _config(task: Task) -> dict[str, Any]:
    model = ModelName.parse(task.model)
    urls = proxy_env()
    if model.through("anthropic", "openai") == "anthropic":
        package, url = "@ai-sdk/anthropic", urls["ANTHROPIC_BASE_URL"] + "/v1"
    else:
        package, url = "@ai-sdk/openai-compatible", urls["OPENAI_BASE_URL"]
    reviewer: dict[str, Any] = {
        "mode": "primary",
        "steps": task.max_turns,
        "permission": {"*": "allow", "webfetch": "deny", "websearch": "deny"},
    }
    instructions = (
        f"{task.instructions}\n\nThe working folder of your task is {task.folder}: use absolute paths, and `cd {task.folder}` in commands."
    )
    if task.json_schema is not None:
        instructions += (
            f"\n\nYour last message must be JSON alone, without any other word, that fits this schema:\n{json.dumps(task.json_schema)}"
        )
    reviewer["prompt"] = instructions.strip()
    limits = {"tool_call": True, "limit": {"context": 200_000, "output": 16_000}}
    return {
        "model": f"gateway/{model.name}",
        "small_model": f"gateway/{model.name}",
        "autoupdate": False,
        "share": "disabled",
        "snapshot": False,
        "lsp": False,
        "formatter": False,
        "enabled_providers": ["gateway"],
        "provider": {
            "gateway": {
                "npm": package,
                "options": {"baseURL": url, "apiKey": "{env:GATEWAY_TOKEN}", **_provider_options(task)},
                "models": {model.name: limits},
            }
        },
        "agent": {"reviewer": reviewer},
        "mcp": {server["name"]: _mcp(server) for server in task.mcp_servers},
    }


def _provider_options(task: Task) -> dict[str, Any]:
    return {
        name: task.options[name] for name in ("reasoningEffort", "textVerbosity", "reasoningSummary", "thinking") if name in task.options
    }


def _mcp(server: Mapping[str, Any]) -> dict[str, Any]:
    if server.get("source") == "url":
        return {"type": "remote", "url": server["package_or_url"]}
    return {"type": "local", "command": ["npx", "-y", server["package_or_url"], *(server.get("args") or ())]}


class _Reader(Reader):
    def __init__(self) -> None:
        super().__init__()
        self._stopped = False

    def read(self, line: Mapping[str, Any]) -> Iterator[AgentEvent]:
        if isinstance(session := line.get("sessionID"), str):
            self.session_id = session
        match line.get("type"):
            case "text":
                self.text = str(part(line, "part", "text") or "")
                yield AgentEvent("text", {"text": self.text})
            case "tool_use":
                yield from _tool(part(line, "part"))
            case "step_finish":
                self._stopped = part(line, "part", "reason") == "stop"
            case "error":
                self._fail(part(line, "error"))

    def ended_well(self) -> bool:
        return self._stopped

    def _fail(self, error: object) -> None:
        status, said = part(error, "data", "statusCode"), part(error, "data", "message") or part(error, "name") or "an error without a word"
        kind: ErrorKind = "crashed"
        if isinstance(status, int):
            kind = kind_of_status(status)
        self.failure = failed(kind, f"opencode: {str(said)[:1000]}", session_id=self.session_id)


def _tool(call: object) -> Iterator[AgentEvent]:
    """Call and result come as one."""
    ident, state = part(call, "callID"), part(call, "state")
    yield AgentEvent("tool", {"toolCallId": ident, "name": part(call, "tool"), "input": part(state, "input")})
    yield AgentEvent("tool_result", {"toolCallId": ident, "output": text_of(part(state, "output") or part(state, "error"))})
