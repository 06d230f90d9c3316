"""Command line agents: a program in the box whose output is read line by line, and whose every way of ending is known."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Any

import structlog

from runner.harness.agent import Agent, AgentEvent, ErrorKind, Task, failed
from sandbox.box import Box, Command, Process, Stream
from sandbox.errors import SandboxError

log = structlog.get_logger()

_LINE_BYTES = 2 << 20
_ALL_BYTES = 128 << 20
_TAIL_BYTES = 4000
_END_S = 10.0
SAFE_DIRECTORY = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
"""For git in a checkout that belongs to another uid of the box."""
_END_GROUP = ("/bin/sh", "-c", 'kill -9 "-$1" 2>/dev/null; :', "end")  # what it has left behind in the background


class Reader(abc.ABC):
    """Reads what one run of a program prints, and knows its last word.

    Attributes:
        session_id: as the program named it; empty until it has.
        text: what it wrote last, which is its output unless it says otherwise.
    """

    def __init__(self) -> None:
        self.session_id = ""
        self.text = ""
        self.failure: AgentEvent | None = None

    @abc.abstractmethod
    def read(self, line: Mapping[str, Any]) -> Iterator[AgentEvent]:
        """What one line means; unknown ones mean nothing."""

    @abc.abstractmethod
    def ended_well(self) -> bool:
        """True if the program has said that it is done."""

    def done(self) -> dict[str, Any]:
        """What the `done` event holds."""
        return {"output": self.text, "session_id": self.session_id}


class CommandAgent(Agent):
    """An agent that is a program of the host, mounted read-only into the box."""

    @abc.abstractmethod
    def argv(self, task: Task) -> list[str]:
        """How it is called; the prompt goes to its standard input."""

    @abc.abstractmethod
    def env(self, task: Task) -> dict[str, str]:
        """Its environment beside the box's own."""

    @abc.abstractmethod
    def reader(self) -> Reader:
        """Reads one run."""

    def folder(self, task: Task) -> str:
        """Where it is started."""
        return task.folder

    def files(self, task: Task) -> dict[str, bytes]:
        """Files it needs in the box, written anew for every run."""
        return {}

    async def run(self, box: Box, task: Task) -> AsyncGenerator[AgentEvent, None]:
        """As `Agent.run`."""
        for path, data in self.files(task).items():
            await box.write_file(path, data)
        reader, errors = self.reader(), bytearray()
        async with box.start(Command(self.argv(task), cwd=self.folder(task), env=self.env(task))) as process:
            pid = await process.pid()
            feeding = asyncio.ensure_future(_feed(process, task.prompt.encode()))
            try:
                async with contextlib.aclosing(_lines(process, errors, task.idle_s)) as lines:
                    async for line in lines:
                        for event in reader.read(line):
                            yield event
                code = await _exit_code(process)
            except _GaveUp as error:
                yield error.event
                return
            finally:
                feeding.cancel()
                await asyncio.wait([feeding])
        if pid:
            try:
                await box.exec(Command([*_END_GROUP, str(pid)]), timeout_s=_END_S)
            except SandboxError as error:  # what it has said is said
                log.warning("what an agent left behind could not be ended", box=box.id, error=str(error))
        yield self._last_word(reader, code, bytes(errors))

    def _last_word(self, reader: Reader, code: int | None, errors: bytes) -> AgentEvent:
        """Done only if everything says so: exit code, closing event, output."""
        if reader.failure is not None:
            return reader.failure
        if code is None:
            return failed("idle", f"{self.name} printed its last word but did not end", session_id=reader.session_id)
        if code == 0 and reader.ended_well() and reader.done()["output"]:
            return AgentEvent("done", reader.done())
        said = errors.decode("utf-8", "replace").strip()[-1000:]
        if code == 0:
            return failed("no_result", f"{self.name} ended without a result" + (f": {said}" if said else ""), session_id=reader.session_id)
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return failed(self.kind_of(said), f"{self.name} {ended}" + (f": {said}" if said else ""), session_id=reader.session_id)

    def kind_of(self, said: str) -> ErrorKind:
        """What kind of error the program's last words on stderr are."""
        return "crashed"


class _GaveUp(Exception):
    def __init__(self, event: AgentEvent) -> None:
        super().__init__(event.data["error"])
        self.event = event


async def _feed(process: Process, prompt: bytes) -> None:
    """A program that does not read its prompt says so by what it prints or does not print."""
    with contextlib.suppress(SandboxError, OSError):
        await process.write(prompt)
        await process.close_stdin()


async def _lines(process: Process, errors: bytearray, idle_s: float) -> AsyncGenerator[Mapping[str, Any], None]:
    """The JSON objects that a program prints, a line each; other lines are passed over."""
    rest, total = bytearray(), 0
    async for stream, piece in _pieces(process, idle_s):
        total += len(piece)
        if total > _ALL_BYTES or len(rest) > _LINE_BYTES:
            raise _GaveUp(failed("flood", f"the agent printed more than {_ALL_BYTES >> 20} MB, or {_LINE_BYTES >> 20} MB on one line"))
        if stream == "stderr":
            errors += piece
            del errors[:-_TAIL_BYTES]
            continue
        rest += piece
        if b"\n" in piece:
            *lines, last = rest.split(b"\n")
            rest = bytearray(last)
            for line in lines:
                if (said := _object(line)) is not None:
                    yield said
    if (said := _object(rest)) is not None:
        yield said


async def _pieces(process: Process, idle_s: float) -> AsyncIterator[tuple[Stream, bytes]]:
    output = process.output()
    while True:
        try:
            async with asyncio.timeout(idle_s):
                piece = await anext(output)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _GaveUp(failed("idle", f"the agent said nothing for {idle_s:g} s and was ended")) from None
        yield piece


async def _exit_code(process: Process) -> int | None:
    """None for one that goes on although it has closed its output; it is killed on the way out."""
    try:
        async with asyncio.timeout(_END_S):
            return await process.wait()
    except TimeoutError:
        return None


def _object(line: bytes | bytearray) -> Mapping[str, Any] | None:
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def part(said: object, *path: str | int) -> Any:
    """What lies at a path of something that was printed, None where anything on the way is missing or other than thought."""
    for key in path:
        if isinstance(said, dict) and isinstance(key, str):
            said = said.get(key)
        elif isinstance(said, list) and isinstance(key, int) and key < len(said):
            said = said[key]
        else:
            return None
    return said


def text_of(value: object) -> str:
    """A tool's result as text, whichever shape the program gave it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(str(part(item, "text") or "") for item in value)
    return "" if value is None else json.dumps(value)
