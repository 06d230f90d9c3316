"""Claude Code, run in the box as in a hostile repository."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.harness.agent import STATE, AgentEvent, ErrorKind, Task, failed, kind_of_status
from runner.harness.command import SAFE_DIRECTORY, CommandAgent, Reader, part, text_of
from runner.harness.model_name import ModelName
from sandbox.box import Mount

_AT = "/opt/box-review/agent"
_TOOLS = "Read,Bash,Edit,Write"
# All of them, always: without `--setting-sources ""` a repository's settings send the key elsewhere, with or without `--bare`.
_HOSTILE = ("--bare", "--setting-sources", "", "--strict-mcp-config")


class ClaudeCode(CommandAgent):
    """Args: folder that holds the program `claude`, and its version."""

    name = "claude-code"

    def __init__(self, folder: Path, version: str) -> None:
        self.version = version
        self.mounts = (Mount(folder, _AT),)

    def check(self, model: str) -> None:
        ModelName.parse(model).through("anthropic")

    def argv(self, task: Task) -> list[str]:
        given = task.options
        argv = [f"{_AT}/claude", "-p", "--output-format", "stream-json", "--verbose", *_HOSTILE]
        argv += ["--model", ModelName.parse(task.model).name, "--max-turns", str(given.get("maxTurns", task.max_turns))]
        argv += ["--tools", _TOOLS, "--allowedTools", _TOOLS]
        argv += ["--resume", task.session_id] if task.session_id else ["--session-id", str(uuid.uuid4())]
        instructions = "\n\n".join(filter(None, [task.instructions, str(given.get("systemPrompt", ""))]))
        if instructions:
            argv += ["--append-system-prompt", instructions]
        if task.json_schema is not None:
            argv += ["--json-schema", json.dumps(task.json_schema)]
        if task.mcp_servers:
            argv += ["--mcp-config", json.dumps({"mcpServers": {server["name"]: _mcp(server) for server in task.mcp_servers}})]
        return argv

    def env(self, task: Task) -> dict[str, str]:
        return {
            "ANTHROPIC_API_KEY": task.token,
            "CLAUDE_CONFIG_DIR": f"{STATE}/claude-code",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "2",
            "DISABLE_AUTOUPDATER": "1",
            **SAFE_DIRECTORY,
        }

    def reader(self) -> Reader:
        return _Reader()

    def kind_of(self, said: str) -> ErrorKind:
        return "no_session" if "No conversation found" in said else "crashed"


class _Reader(Reader):
    def __init__(self) -> None:
        super().__init__()
        self._result: Mapping[str, Any] | None = None

    def read(self, line: Mapping[str, Any]) -> Iterator[AgentEvent]:
        if isinstance(session := line.get("session_id"), str):
            self.session_id = session
        if line.get("type") == "result":
            self._result = line
            self._judge(line)
        elif line.get("type") in ("assistant", "user"):
            for block in part(line, "message", "content") or ():
                yield from _block(block)

    def ended_well(self) -> bool:
        return self._result is not None

    def done(self) -> dict[str, Any]:
        result = self._result or {}
        structured = result.get("structured_output")
        output = json.dumps(structured) if structured is not None else str(result.get("result") or "")
        return {"output": output, "session_id": self.session_id}

    def _judge(self, result: Mapping[str, Any]) -> None:
        """`subtype: success` alone means nothing: errors of the API are told so too."""
        if not result.get("is_error") and result.get("subtype") == "success":
            return
        status, reason = result.get("api_error_status"), str(result.get("terminal_reason") or result.get("subtype") or "")
        kind: ErrorKind = "crashed"
        if isinstance(status, int):
            kind = kind_of_status(status)
        elif result.get("stop_reason") == "refusal":
            kind = "refused"
        elif "max_turns" in reason or "budget" in reason:
            kind = "budget"
        elif "structured_output" in reason:
            kind = "no_result"
        elif "No conversation found" in (errors := " ".join(map(str, result.get("errors") or ()))):
            kind = "no_session"
            reason = errors
        elif "api_error" in reason:
            kind = "overloaded"
        why = str(result.get("result") or "; ".join(map(str, result.get("errors") or ())) or reason)
        self.failure = failed(kind, f"claude-code: {why[:1000]}", session_id=self.session_id)


def _block(block: object) -> Iterator[AgentEvent]:
    match part(block, "type"):
        case "text":
            yield AgentEvent("text", {"text": str(part(block, "text") or "")})
        case "thinking":
            yield AgentEvent("thinking", {"text": str(part(block, "thinking") or "")})
        case "tool_use":
            yield AgentEvent("tool", {"toolCallId": part(block, "id"), "name": part(block, "name"), "input": part(block, "input")})
        case "tool_result":
            yield AgentEvent("tool_result", {"toolCallId": part(block, "tool_use_id"), "output": text_of(part(block, "content"))})


def _mcp(server: Mapping[str, Any]) -> dict[str, Any]:
    if server.get("source") == "url":
        return {"type": "http", "url": server["package_or_url"]}
    return {"command": "npx", "args": ["-y", server["package_or_url"], *(server.get("args") or ())]}
