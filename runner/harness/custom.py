"""An agent of the user's own: any program in the box that speaks `box-sse-v1`."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

from runner.harness.agent import Agent, AgentEvent, Task
from runner.harness.sse import Parser
from sandbox.box import HOME, Box, Command

PLACES = (f"{HOME}/", "/home/boxuser/")
_TAIL_BYTES = 4000
_MAX_TEXT = 16 << 20


class CustomAgent(Agent):
    """Starts the program once per run.

    Args:
        command: its name on the PATH, or where it lies below `PLACES`.
        arguments: put before the protocol's own.

    Raises:
        ValueError: the command lies elsewhere.
    """

    name = "custom"
    uses_models = False

    def __init__(self, command: str, arguments: tuple[str, ...] = ()) -> None:
        if not command or ("/" in command and not command.startswith(PLACES)) or ".." in command.split("/"):
            raise ValueError(f"command: a name on the PATH is needed, or a path below {' or '.join(PLACES)}")
        self._argv = (command, *arguments)

    async def run(self, box: Box, task: Task) -> AsyncGenerator[AgentEvent, None]:
        """As `Agent.run`. Without a `done` of its own, the text it wrote is its output."""
        session = ["--session", task.session_id] if task.session_id else []
        argv = [*self._argv, "-p", _with_schema(task), "--model", task.model, "--stream", *session]
        parser, errors, text = Parser(), bytearray(), ""
        async with box.start(Command(argv, cwd=task.folder, env=_env(task))) as process:
            async for stream, piece in process.output():
                if stream == "stderr":
                    errors += piece
                    del errors[:-_TAIL_BYTES]
                    continue
                for event in parser.feed(piece):
                    if event.kind == "text":
                        text += str(event.data.get("text", ""))[: _MAX_TEXT - len(text)]
                    yield event
                    if event.kind in ("done", "error"):
                        return
            code = await process.wait()
        for event in parser.end():
            yield event
            if event.kind in ("done", "error"):
                return
        if code:
            yield AgentEvent("error", {"error": _why(self._argv[0], code, bytes(errors))})
        else:
            yield AgentEvent("done", {"output": text})


def _with_schema(task: Task) -> str:
    """The prompt; the protocol has no other way to ask for JSON."""
    if task.json_schema is None:
        return task.prompt
    return f"{task.prompt}\n\nAnswer with JSON alone, without any other word, that fits this JSON Schema:\n{json.dumps(task.json_schema)}"


def _env(task: Task) -> dict[str, str]:
    given = {"BOX_JSON_SCHEMA": task.json_schema, "BOX_AGENT_OPTIONS": task.options, "BOX_MCP_SERVERS": list(task.mcp_servers)}
    return {name: json.dumps(value) for name, value in given.items() if value}


def _why(command: str, code: int, errors: bytes) -> str:
    said = errors.decode("utf-8", "replace").strip()
    ended = f"signal {-code} ended" if code < 0 else f"exit code {code} of"
    return f"{ended} {command}" + (f": {said}" if said else "")
