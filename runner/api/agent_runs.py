"""Agent runs: an agent works in a box, whether or not somebody listens, until it is done or cancelled."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import mimetypes
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import structlog

from runner.api.boxes import Boxes
from runner.api.entries import BoxEntry, Run
from runner.api.errors import BadInput, Taken, TooLarge
from runner.api.runs import KEPT_OUTPUT, OpenRun, RunCancelled
from runner.api.wire import Webhook
from runner.api.work import MAX_S
from runner.harness.agent import Agent, AgentEvent, Task, session_of, whole
from runner.harness.custom import CustomAgent
from runner.harness.grants import Allowance, Grant
from runner.harness.output import DoesNotFit, fit
from runner.harness.sse import packed
from sandbox.box import HOME, Box
from sandbox.errors import SandboxError

log = structlog.get_logger()

MAX_FILES = 10
MAX_AT_ONCE = 8
MAX_FILE_BYTES = 10 << 20
_SLOW_S = 60.0
_WAITING_BYTES = 4 << 20
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
    """One run as its caller wants it; `timeout_s` bounds it, `model` None takes the box's, `files` are taken out on their way into it.

    A run that is `apart` begins a session of its own, and the box's session goes on without it.
    """

    prompt: str
    folder: str = HOME
    json_schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    files: list[AttachedFile] = field(default_factory=list)
    webhook: Webhook | None = None
    model: str | None = None
    schedule_id: str | None = None
    timeout_s: float = MAX_S
    apart: bool = False


class Listener:
    """Somebody who follows a run. The run waits for a slow one for a while, and for one that has gone not at all."""

    def __init__(self) -> None:
        self.run_id: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._over = self._gone = False
        self._news, self._room = asyncio.Event(), asyncio.Event()

    async def tell(self, event: AgentEvent) -> None:
        """One more event."""
        if self._gone:
            return
        piece = packed(event)
        self._waiting.append(piece)
        self._bytes += len(piece)
        self._news.set()
        try:
            async with asyncio.timeout(_SLOW_S):
                while self._bytes > _WAITING_BYTES and not self._gone:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            self.leave()
            self._waiting.append(packed(AgentEvent("error", {"error": "this stream was read too slowly; the run goes on without it"})))

    def end(self) -> None:
        """Nothing more is said."""
        self._over = True
        self._news.set()
        if not self.run_id.done():
            self.run_id.cancel()

    def leave(self) -> None:
        """It listens no more."""
        self._gone = True
        self._waiting.clear()
        self._news.set()
        self._room.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """What is said, as the clients read it, to its end; a sign of life now and then while nothing is."""
        try:
            while True:
                while self._waiting:
                    piece = self._waiting.popleft()
                    self._bytes -= len(piece)
                    self._room.set()
                    yield piece
                if self._over or self._gone:
                    return
                self._news.clear()
                try:
                    async with asyncio.timeout(_BEAT_S):
                        await self._news.wait()
                except TimeoutError:
                    yield b": ping\n\n"
        finally:
            self.leave()


class AgentRuns:
    """All agent runs of a host."""

    def __init__(self, boxes: Boxes) -> None:
        self._boxes = boxes
        self._tasks: dict[asyncio.Task[Run], str] = {}  # and the box of each

    def agent(self, entry: BoxEntry) -> Agent:
        """The agent of a box. Raises BadInput."""
        if entry.agent is None:
            raise BadInput(f"box {entry.id} has no agent; name one when you create it")
        self._boxes.check_agent(entry.agent)
        if entry.agent != "custom":
            return self._boxes.agents[entry.agent]
        if entry.custom_runner is None:
            raise BadInput(f"box {entry.id} has no custom_runner; set one with PUT config/custom-runner")
        return CustomAgent(entry.custom_runner.command, entry.custom_runner.args)

    def begin(self, entry: BoxEntry, box: Box, asked: Asked, listener: Listener | None = None) -> asyncio.Task[Run]:
        """Let the box's agent work; the task ends with the run. Raises BadInput."""
        agent = self.agent(entry)
        try:
            agent.check(asked.model or entry.model or "")
        except ValueError as error:
            raise BadInput(f"model: {error}") from error
        most = 1 if agent.uses_models else MAX_AT_ONCE  # a box has one grant, and so one account
        if list(self._tasks.values()).count(entry.id) >= most:
            raise Taken(f"box {entry.id} has {most} agent{'s' if most > 1 else ''} at work; wait for one, or cancel one")
        work = asyncio.ensure_future(self._run(agent, entry, box, asked, listener or _nobody()))
        self._tasks[work] = entry.id
        work.add_done_callback(self._done)
        return work

    def _done(self, work: asyncio.Task[Run]) -> None:
        box_id = self._tasks.pop(work)
        if not work.cancelled() and work.exception() is not None:
            log.error("an agent run could not be kept account of", box=box_id, error=repr(work.exception()))

    async def settle(self) -> None:
        """The server stops: end all of them; the next start says that they failed."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, agent: Agent, entry: BoxEntry, box: Box, asked: Asked, listener: Listener) -> Run:
        model = asked.model or entry.model or agent.name
        try:
            with self._boxes.runs.keep(entry, "agent", asked.prompt, asked.webhook, model=model, schedule_id=asked.schedule_id) as working:
                listener.run_id.set_result(working.run.id)
                await listener.tell(AgentEvent("run_start", {"run_id": working.run.id}))
                last = await self._last_word(self._work(agent, entry, box, asked, working, listener), asked, working)
                self._take_account(working.run, last, asked)
                await listener.tell(last)
        finally:
            listener.end()
        return working.run

    async def _last_word(self, doing: Coroutine[Any, Any, AgentEvent], asked: Asked, working: OpenRun) -> AgentEvent:
        """What the agent ends with, or why it was ended. A boundary: whatever an agent does, its caller gets an answer."""
        try:
            async with asyncio.timeout(asked.timeout_s):
                return await working.do(doing)
        except TimeoutError:
            return AgentEvent("error", {"error": f"ended after {asked.timeout_s:g} s"})
        except RunCancelled:
            return AgentEvent("error", {"error": "the run was cancelled"})
        except asyncio.CancelledError:
            working.run.status, working.run.error_message = "failed", "the server stopped meanwhile"
            raise
        except Exception as error:
            if not isinstance(error, SandboxError):
                log.exception("an agent run failed", box=working.run.box_id, run=working.run.id)
            return AgentEvent("error", {"error": str(error) or type(error).__name__})

    async def _work(self, agent: Agent, entry: BoxEntry, box: Box, asked: Asked, working: OpenRun, listener: Listener) -> AgentEvent:
        """Let the agent work; returns its last word, with what its callers may believe of it."""
        grant = None
        if agent.uses_models:
            grant = Grant(self._boxes.driver.gateway, box, working.run.model or "", _allowance(asked))
        task = Task(
            prompt=asked.prompt + await _put_down(box, working.run.id, asked.files),
            model=working.run.model or "",
            folder=asked.folder,
            session_id=None if asked.apart else entry.session_id,
            json_schema=asked.json_schema,
            options=asked.options,
            mcp_servers=tuple(server.model_dump(exclude={"headers"}) for server in entry.mcp_servers),
            token=grant.token if grant else "",
        )
        said = ""
        async with contextlib.aclosing(agent.run(box, task)) as events:
            async for event in events:
                if event.kind == "text":
                    said += str(event.data.get("text", ""))[: KEPT_OUTPUT - len(said)]
                if event.kind in ("done", "error"):
                    if said:
                        self._boxes.book.log(entry.id, "agent", whole(said))
                    return await _last_word(_counted(grant, event), whole(said), asked.json_schema)
                if event.kind != "run_start":
                    await listener.tell(event)
        return AgentEvent("error", {"error": "the agent ended without a word"})

    def _take_account(self, run: Run, last: AgentEvent, asked: Asked) -> None:
        """Keep what a run came to; `last` is from `_last_word`, or an error of ours that says no more."""
        data = last.data
        run.status = "completed" if last.kind == "done" else "failed"
        run.output = data["output"][:KEPT_OUTPUT] if last.kind == "done" else None
        run.error_message = data["error"][:KEPT_OUTPUT] if last.kind == "error" else None
        run.input_tokens, run.output_tokens = data.get("input_tokens", 0), data.get("output_tokens", 0)
        run.cached_input_tokens, run.cost_usd = data.get("cached_input_tokens", 0), data.get("total_cost_usd", 0.0)
        run.session_id = (data.get("session_id") or None) if not asked.apart else None
        self._boxes.add_usage(run)


def _nobody() -> Listener:
    listener = Listener()
    listener.leave()
    return listener


async def _put_down(box: Box, run_id: str, files: list[AttachedFile]) -> str:
    """Move the files of a prompt into the box, out of our memory; returns what the prompt says of them."""
    paths: list[str] = []
    while files:
        file, number = files.pop(0), len(paths) + 1
        name = PurePosixPath(file.name.replace("\\", "/")).name.strip(". ") or f"file{mimetypes.guess_extension(file.media_type) or ''}"
        name = "".join(letter if letter.isprintable() else "_" for letter in name)[-100:]
        paths.append(f"{HOME}/.attachments/{run_id}/{number}-{name}")
        await box.write_file(paths[-1], file.data)
    return "".join(["\n\nFiles that come with this:", *(f"\n- {path}" for path in paths)]) if paths else ""


def _allowance(asked: Asked) -> Allowance:
    """What a run may use; `maxBudgetUsd` is the official clients' word for it."""
    usd = asked.options.get("maxBudgetUsd")
    return Allowance(usd=float(usd) if isinstance(usd, (int, float)) and usd > 0 else None, seconds=asked.timeout_s)


def _counted(grant: Grant | None, last: AgentEvent) -> AgentEvent:
    """What the gateway knows of a run stands above what the agent says of itself."""
    if grant is None:
        return last
    used = grant.usage()
    counts = used.model_dump(include={"input_tokens", "output_tokens", "cached_input_tokens"}) | {"total_cost_usd": used.cost_usd}
    return AgentEvent(last.kind, {**grant.why(last).data, **counts})


async def _last_word(event: AgentEvent, said: str, schema: Mapping[str, Any] | None) -> AgentEvent:
    """What an agent ended with, in the shape the clients expect."""
    counts: dict[str, Any] = {name: _count(event.data, name) for name in ("input_tokens", "output_tokens", "cached_input_tokens")}
    about = counts | {"total_cost_usd": _money(event.data), "session_id": session_of(event.data)}
    if event.kind == "error":
        return AgentEvent("error", {"error": whole(event.data.get("error") or "the agent failed and did not say why"), **about})
    output = whole(event.data.get("output") or said)
    if schema is not None:
        try:
            output = await fit(output, schema)
        except DoesNotFit as error:
            return AgentEvent("error", {"error": str(error), **about})
    return AgentEvent("done", {"output": output, **about})


def _count(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) and 0 <= value < 1 << 53 else 0


def _money(data: Mapping[str, Any]) -> float:
    value = data.get("total_cost_usd")
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e9 else 0.0
