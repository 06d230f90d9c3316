"""Agent runs: an agent works in a box, whether or not somebody listens, until it is done or cancelled."""

from __future__ import annotations

import asyncio
import base64
import mimetypes
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import structlog

from runner.api.boxes import Boxes
from runner.api.entries import BoxEntry, Run
from runner.api.errors import BadInput, TooLarge
from runner.api.runs import KEPT_OUTPUT, OpenRun
from runner.api.wire import Webhook
from runner.api.work import MAX_S
from runner.harness.agent import Agent, AgentEvent, Task
from runner.harness.custom import CustomAgent
from runner.harness.output import DoesNotFit, fit
from sandbox.box import HOME, Box
from sandbox.errors import SandboxError

log = structlog.get_logger()

MAX_FILES = 10
MAX_FILE_BYTES = 10 << 20
_SLOW_S = 60.0
_BEAT_S = 15.0


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file that comes with a prompt. `name` is the caller's word, not a path."""

    name: str
    media_type: str
    data: bytes

    @classmethod
    def decoded(cls, name: str | None, media_type: str, data: str) -> AttachedFile:
        """From base64. Raises BadInput, TooLarge."""
        try:
            return cls(name or "", media_type, base64.b64decode(data, validate=True)).checked()
        except ValueError as error:
            raise BadInput(f"files: not base64: {error}") from error

    def checked(self) -> AttachedFile:
        """Raises TooLarge."""
        if len(self.data) > MAX_FILE_BYTES:
            raise TooLarge(f"files: {self.name or 'a file'} has {len(self.data)} bytes; {MAX_FILE_BYTES} is the limit")
        return self


@dataclass(frozen=True, slots=True)
class Asked:
    """One run as its caller wants it; `timeout_s` bounds it, `model` None takes the box's."""

    prompt: str
    folder: str = HOME
    json_schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[AttachedFile, ...] = ()
    webhook: Webhook | None = None
    model: str | None = None
    schedule_id: str | None = None
    timeout_s: float = MAX_S


class Listener:
    """Somebody who follows a run. The run waits for a slow one for a while, and for one that has gone not at all."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[AgentEvent | None] = asyncio.Queue(256)
        self._gone = False

    async def tell(self, event: AgentEvent | None) -> None:
        """One more event; None is the end."""
        if self._gone:
            return
        try:
            async with asyncio.timeout(_SLOW_S):
                await self._events.put(event)
        except TimeoutError:
            self.leave()

    def leave(self) -> None:
        """It listens no more."""
        self._gone = True
        while not self._events.empty():
            self._events.get_nowait()

    async def events(self) -> AsyncIterator[AgentEvent | None]:
        """What is said, to its end; None now and then while nothing is."""
        try:
            while not self._gone:
                try:
                    async with asyncio.timeout(_BEAT_S):
                        event = await self._events.get()
                except TimeoutError:
                    yield None
                    continue
                if event is None:
                    return
                yield event
        finally:
            self.leave()


class AgentRuns:
    """All agent runs of a host."""

    def __init__(self, boxes: Boxes) -> None:
        self._boxes = boxes
        self._tasks: set[asyncio.Task[Run]] = set()

    def agent(self, entry: BoxEntry) -> Agent:
        """The agent of a box. Raises BadInput."""
        if entry.agent is None:
            raise BadInput(f"box {entry.id} has no agent; name one when you create it")
        self._boxes.check_agent(entry.agent)
        if entry.custom_runner is None:
            raise BadInput(f"box {entry.id} has no custom_runner; set one with PUT config/custom-runner")
        return CustomAgent(entry.custom_runner.command, entry.custom_runner.args)

    def begin(self, entry: BoxEntry, box: Box, asked: Asked, listener: Listener | None = None) -> asyncio.Task[Run]:
        """Let the box's agent work; the task ends with the run. Raises BadInput."""
        work = asyncio.ensure_future(self._run(self.agent(entry), entry, box, asked, listener or _nobody()))
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)
        return work

    async def settle(self) -> None:
        """The server stops: end all of them; the next start says that they failed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, agent: Agent, entry: BoxEntry, box: Box, asked: Asked, listener: Listener) -> Run:
        model = asked.model or entry.model or agent.name
        with self._boxes.runs.keep(entry, "agent", asked.prompt, asked.webhook, model=model, schedule_id=asked.schedule_id) as working:
            work = asyncio.ensure_future(self._work(agent, entry, box, asked, working, listener))
            working.on_cancel = _canceller(work)
            try:
                await listener.tell(AgentEvent("run_start", {"run_id": working.run.id}))
                async with asyncio.timeout(asked.timeout_s):
                    last = await work
            except TimeoutError:
                last = AgentEvent("error", {"error": f"ended after {asked.timeout_s:g} s"})
            except asyncio.CancelledError:
                if not working.cancelled:
                    working.run.status, working.run.error_message = "failed", "the server stopped meanwhile"
                    raise
                last = AgentEvent("error", {"error": "the run was cancelled"})
            except Exception as error:  # a boundary: whatever an agent does, its caller gets an answer
                if not isinstance(error, SandboxError):
                    log.exception("an agent run failed", box=entry.id, run=working.run.id)
                last = AgentEvent("error", {"error": str(error) or type(error).__name__})
            finally:
                work.cancel()
            self._take_account(working.run, last)
        await listener.tell(last)
        await listener.tell(None)
        return working.run

    async def _work(self, agent: Agent, entry: BoxEntry, box: Box, asked: Asked, working: OpenRun, listener: Listener) -> AgentEvent:
        """Let the agent work; returns its last word, with what its callers may believe of it."""
        task = Task(
            prompt=asked.prompt + await _put_down(box, working.run.id, asked.files),
            model=working.run.model or "",
            folder=asked.folder,
            session_id=entry.session_id,
            json_schema=asked.json_schema,
            options=asked.options,
            mcp_servers=tuple(server.model_dump(exclude={"headers"}) for server in entry.mcp_servers),
        )
        said = ""
        async for event in agent.run(box, task):
            if event.kind == "text":
                said += str(event.data.get("text", ""))[: KEPT_OUTPUT - len(said)]
            if event.kind in ("done", "error"):
                if said:
                    self._boxes.book.log(entry.id, "agent", said)
                return _last_word(event, said, asked.json_schema)
            if event.kind != "run_start":
                await listener.tell(event)
        return AgentEvent("error", {"error": "the agent ended without a word"})

    def _take_account(self, run: Run, last: AgentEvent) -> None:
        data = last.data
        run.status = "completed" if last.kind == "done" else "failed"
        run.output = str(data.get("output", ""))[:KEPT_OUTPUT] if last.kind == "done" else None
        run.error_message = str(data["error"])[:KEPT_OUTPUT] if last.kind == "error" else None
        run.input_tokens, run.output_tokens = _count(data, "input_tokens"), _count(data, "output_tokens")
        run.cached_input_tokens, run.cost_usd = _count(data, "cached_input_tokens"), _money(data)
        run.session_id = str(data.get("session_id") or "")[:200] or None
        self._boxes.add_usage(run)


def _nobody() -> Listener:
    listener = Listener()
    listener.leave()
    return listener


def _canceller(work: asyncio.Future[AgentEvent]) -> Any:
    async def cancel() -> None:
        work.cancel()
        await asyncio.wait([work], timeout=10)

    return cancel


async def _put_down(box: Box, run_id: str, files: tuple[AttachedFile, ...]) -> str:
    """Write the files of a prompt into the box; returns what the prompt says of them."""
    paths = []
    for number, file in enumerate(files, 1):
        name = PurePosixPath(file.name.replace("\\", "/")).name.strip(". ") or f"file{mimetypes.guess_extension(file.media_type) or ''}"
        name = "".join(letter if letter.isprintable() else "_" for letter in name)[-100:]
        paths.append(f"{HOME}/.attachments/{run_id}/{number}-{name}")
        await box.write_file(paths[-1], file.data)
    return "".join(["\n\nFiles that come with this:", *(f"\n- {path}" for path in paths)]) if paths else ""


def _last_word(event: AgentEvent, said: str, schema: Mapping[str, Any] | None) -> AgentEvent:
    """What an agent ended with, in the shape the clients expect."""
    counts: dict[str, Any] = {name: _count(event.data, name) for name in ("input_tokens", "output_tokens", "cached_input_tokens")}
    about = counts | {"total_cost_usd": _money(event.data), "session_id": str(event.data.get("session_id") or "")[:200]}
    if event.kind == "error":
        return AgentEvent("error", {"error": str(event.data.get("error") or "the agent failed and did not say why"), **about})
    output = str(event.data.get("output") or said)
    if schema is not None:
        try:
            output = fit(output, schema)
        except DoesNotFit as error:
            return AgentEvent("error", {"error": str(error), **about})
    return AgentEvent("done", {"output": output, **about})


def _count(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) and 0 <= value < 1 << 53 else 0


def _money(data: Mapping[str, Any]) -> float:
    value = data.get("total_cost_usd")
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e9 else 0.0


def new_id(kind: str) -> str:
    """A fresh id that nobody can guess."""
    return f"{kind}_{secrets.token_hex(12)}"
