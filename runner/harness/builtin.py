"""The built-in agent: a loop of ours around any model with an OpenAI- or Anthropic-compatible API, local ones included.

The loop runs here and its tools in the box, so that a box needs no program for it. Its calls go through the gateway like those of a
program in the box: the same grant, budget, counting and keys.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from runner.harness.agent import STATE, Agent, AgentEvent, ErrorKind, Task, failed, kind_of_status
from runner.harness.model_name import ModelName
from sandbox.box import Box, Command
from sandbox.errors import BadRequest, BoxFileError, SandboxError
from sandbox.gateway.door import door
from sandbox.gateway.gateway import Gateway

if TYPE_CHECKING:  # it takes seconds to load, and a host that reviews by analyzers alone needs none of it
    import httpx2 as httpx
    from pydantic_ai import Agent as Loop
    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import Model

log = structlog.get_logger()

_COMMAND_S = 120.0
_SHOWN = 24_000
_READ_BYTES = 400_000
_HISTORY_BYTES = 8 << 20
_ANSWER_TOKENS = 16_000
_SEARCH = 'if git rev-parse -q --git-dir >/dev/null 2>&1; then exec git grep -nIE -e "$1" -- "$2"; else exec grep -rnIE -e "$1" -- "$2"; fi'


class Builtin(Agent):
    """Args: the gateway of the host."""

    name = "builtin"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def check(self, model: str) -> None:
        ModelName.parse(model).through("anthropic", "responses", "openai")

    async def run(self, box: Box, task: Task) -> AsyncGenerator[AgentEvent, None]:
        """As `Agent.run`."""
        await asyncio.to_thread(_load)
        import httpx2 as httpx  # noqa: PLC0415 - what the clients of both providers take

        session = task.session_id or f"b{secrets.token_hex(8)}"
        history: list[ModelMessage] = []
        if task.session_id:
            found = await _recall(box, session)
            if found is None:
                yield failed("no_session", f"there is no session {session[:80]!r} in this box")
                return
            history = found
        async with (
            door(self._gateway, box.id) as socket,
            httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(socket)), timeout=task.idle_s) as client,
        ):
            async for event in _converse(box, task, _model(task, client), history):
                if event.kind == "history":
                    try:
                        await box.write_file(_place(session), event.data["messages"])
                    except SandboxError as error:  # no reason to lose an answer, but there is no session to go on with
                        log.warning("a session could not be kept", box=box.id, error=str(error))
                        session = ""
                elif event.kind in ("done", "error"):
                    yield AgentEvent(event.kind, {**event.data, "session_id": session})
                else:
                    yield event


def _load() -> None:
    """The libraries of the loop, on a thread: they take seconds the first time, and this process has others to serve."""
    import anthropic  # noqa: F401, PLC0415
    import openai  # noqa: F401, PLC0415
    import pydantic_ai.models.anthropic  # noqa: PLC0415
    import pydantic_ai.models.openai  # noqa: F401, PLC0415


async def _converse(box: Box, task: Task, model: Model, history: list[ModelMessage]) -> AsyncGenerator[AgentEvent, None]:
    """The loop. What was said so far is handed out as `history` however it ends, so that a session can go on."""
    from pydantic_ai import Agent as Loop  # noqa: PLC0415
    from pydantic_ai import StructuredDict, UsageLimits, capture_run_messages  # noqa: PLC0415
    from pydantic_ai.exceptions import AgentRunError, UserError  # noqa: PLC0415
    from pydantic_ai.messages import ModelMessagesTypeAdapter  # noqa: PLC0415

    output: Any = str if task.json_schema is None else StructuredDict(dict(task.json_schema))
    loop: Loop[None, Any] = Loop(model, output_type=output, instructions=task.instructions or None, retries=2)
    _give_tools(loop, box, task)
    last: AgentEvent
    with capture_run_messages() as captured:
        messages: Sequence[ModelMessage] = captured
        try:
            limits = UsageLimits(request_limit=task.max_turns)
            async with loop.iter(task.prompt, message_history=history, usage_limits=limits) as run:
                async for node in run:
                    for event in _events(node):
                        yield event
                if run.result is None:
                    last = failed("no_result", "builtin: the model ended without a result")
                else:
                    messages = run.result.all_messages()
                    last = AgentEvent("done", {"output": _text(run.result.output)})
        except (AgentRunError, UserError) as error:
            last = _failure(error)
    yield AgentEvent("history", {"messages": ModelMessagesTypeAdapter.dump_json([*messages])})
    yield last


def _model(task: Task, client: httpx.AsyncClient) -> Model:
    """The model's client; the address is the gateway's, the key the run's token."""
    model = ModelName.parse(task.model)
    match model.through("anthropic", "responses", "openai"):
        case "anthropic":
            from anthropic import AsyncAnthropic  # noqa: PLC0415
            from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings  # noqa: PLC0415
            from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415

            asked = AsyncAnthropic(base_url="http://gateway/anthropic", api_key=task.token, http_client=client, max_retries=0)
            settings = AnthropicModelSettings(max_tokens=_ANSWER_TOKENS, anthropic_cache_instructions=True, anthropic_cache_messages=True)
            return AnthropicModel(model.name, provider=AnthropicProvider(anthropic_client=asked), settings=settings)
        case api:
            from openai import AsyncOpenAI  # noqa: PLC0415
            from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel  # noqa: PLC0415
            from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

            openai = AsyncOpenAI(base_url="http://gateway/openai/v1", api_key=task.token, http_client=client, max_retries=0)
            kind = OpenAIResponsesModel if api == "responses" else OpenAIChatModel
            return kind(model.name, provider=OpenAIProvider(openai_client=openai))


def _give_tools(loop: Loop[None, Any], box: Box, task: Task) -> None:
    @loop.tool_plain(retries=5)
    async def read_file(path: str, first_line: int = 1, last_line: int = 400) -> str:
        """Lines of a file, numbered. Paths are relative to the working folder."""
        try:
            data = await box.read_file(_within(task.folder, path), length=_READ_BYTES)
        except (BoxFileError, BadRequest) as error:
            return f"error: {error}"
        lines = data.decode("utf-8", "replace").split("\n")
        first = max(1, first_line)
        return _shown("\n".join(f"{number}: {line}" for number, line in enumerate(lines[first - 1 : last_line], first)))

    @loop.tool_plain(retries=5)
    async def search(pattern: str, path: str = ".") -> str:
        """Lines that match an extended regular expression, below a path: `file:line:text`."""
        return await _output(box, Command(["/bin/sh", "-c", _SEARCH, "search", pattern, path], cwd=task.folder))

    @loop.tool_plain(retries=5)
    async def run(command: str) -> str:
        """Run a shell command in the working folder, without a network, for two minutes at most; its output and exit code."""
        return await _output(box, Command(["/bin/sh", "-c", command], cwd=task.folder))


async def _output(box: Box, command: Command) -> str:
    try:
        result = await box.exec(command, timeout_s=_COMMAND_S, max_output_bytes=4 * _SHOWN)
    except BadRequest as error:
        return f"error: {error}"
    text = (result.stdout + result.stderr).decode("utf-8", "replace")
    ended = "was ended after 120 s" if result.timed_out else f"exit code {result.exit_code}"
    return f"{_shown(text)}\n({ended}{f', {result.limit} limit' if result.limit else ''})"


def _events(node: Any) -> Iterator[AgentEvent]:
    """What a step of the loop says: the model's answers, and what the tools gave."""
    for piece in getattr(getattr(node, "model_response", None), "parts", ()):
        match piece.part_kind:
            case "text":
                yield AgentEvent("text", {"text": piece.content})
            case "thinking":
                yield AgentEvent("thinking", {"text": piece.content})
            case "tool-call":
                yield AgentEvent(
                    "tool", {"toolCallId": piece.tool_call_id, "name": piece.tool_name, "input": piece.args_as_dict(raise_if_invalid=False)}
                )
    for piece in getattr(getattr(node, "request", None), "parts", ()):
        if piece.part_kind == "tool-return":
            yield AgentEvent("tool_result", {"toolCallId": piece.tool_call_id, "output": piece.model_response_str()})


def _failure(error: Exception) -> AgentEvent:
    from pydantic_ai.exceptions import ModelHTTPError, UnexpectedModelBehavior, UsageLimitExceeded  # noqa: PLC0415

    kind: ErrorKind = "unreachable"
    if isinstance(error, ModelHTTPError):
        kind = kind_of_status(error.status_code)
    elif isinstance(error, UsageLimitExceeded):
        kind = "budget"
    elif isinstance(error, UnexpectedModelBehavior):
        kind = "no_result"
    return failed(kind, f"builtin: {str(error)[:1000]}")


async def _recall(box: Box, session: str) -> list[ModelMessage] | None:
    """What was said in a session. It lay in the box, so it is believed no more than what an agent says."""
    from pydantic import ValidationError  # noqa: PLC0415
    from pydantic_ai.messages import ModelMessagesTypeAdapter  # noqa: PLC0415

    try:
        kept = await box.read_file(_place(session), length=_HISTORY_BYTES)
        return [_plain(message) for message in ModelMessagesTypeAdapter.validate_json(kept)]
    except (BoxFileError, ValidationError, ValueError):
        return None


def _plain(message: ModelMessage) -> ModelMessage:
    """A message without anything but text: links and files in it would be fetched, from here."""
    parts: list[Any] = []
    for piece in message.parts:
        given: Any = piece
        content = getattr(given, "content", "")
        if isinstance(content, str) or given.part_kind == "tool-call":
            parts.append(given)
        elif given.part_kind == "user-prompt":
            parts.append(replace(given, content="\n".join(word for word in content if isinstance(word, str))))
        elif given.part_kind == "tool-return":
            parts.append(replace(given, content=json.dumps(content, default=lambda _: "")))
    whole: Any = message
    plain: ModelMessage = replace(whole, parts=parts)
    return plain


def _place(session: str) -> str:
    if not session.isalnum():
        raise ValueError(f"{session[:80]!r} is no session")
    return f"{STATE}/builtin/{session}.json"


def _within(folder: str, path: str) -> str:
    return path if path.startswith("/") else f"{folder}/{path}"


def _shown(text: str) -> str:
    """What of a tool's output the model gets: its beginning and its end."""
    if len(text) <= _SHOWN:
        return text
    return f"{text[: _SHOWN * 2 // 3]}\n… {len(text) - _SHOWN} characters left out …\n{text[-_SHOWN // 3 :]}"


def _text(output: object) -> str:
    return output if isinstance(output, str) else json.dumps(output)
