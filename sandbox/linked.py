"""A box that is reached through its supervisor: programs, files, states. What its files lie on is its driver's business."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import dataclasses
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import IO, Any, TypeVar

import structlog

from sandbox.box import (
    DEFAULT_OUTPUT_BYTES,
    BoxState,
    Command,
    ExecResult,
    Freeze,
    FreezeReport,
    ResumeReport,
    Session,
    Stream,
)
from sandbox.channel import Channel
from sandbox.errors import BadRequest, BoxBusy, BoxDead, NothingListens, SandboxError
from sandbox.gateway.connection import ChannelConnection
from sandbox.gateway.gateway import Gateway
from sandbox.limits import ControlGroup
from sandbox.link import Callbacks, SupervisorLink
from sandbox.process import BoxSession, exec_words, run_to_end
from sandbox.recorded import RecordedBox
from sandbox.running import Running
from sandbox.store import BoxRecord, Store
from sandbox.watch import Watch

log = structlog.get_logger()

_T = TypeVar("_T")
_CHANGES: set[asyncio.Task[Any]] = set()  # tasks live as long as somebody holds them

HOOK_DEADLINE_S = 10.0
CONNECT_S = 5.0
INIT_LOG = "/tmp/init.log"  # noqa: S108 - of the box
_TRIES = 5


class LinkedBox(RecordedBox):
    """One box: its record on disk, and its running processes while it is live or warm."""

    def __init__(self, store: Store, record: BoxRecord, gateway: Gateway) -> None:
        super().__init__(store, record, gateway)
        self.running: Running | None = None
        self._watch: Watch | None = None
        self.last_used = time.monotonic()
        self._lock = asyncio.Lock()  # one change of state at a time

    @property
    def state(self) -> BoxState:
        if self.record.state is BoxState.IDLE and self.running is not None and self.running.link.active:
            return BoxState.RUNNING
        return self.record.state

    @property
    def callbacks(self) -> Callbacks:
        """Whom its link tells what."""
        return Callbacks(died=self.died, connected=self.gateway.connected(self.id))

    def up(self, running: Running) -> None:
        """Its processes run from here on."""
        self.running, self._watch = running, self.watch(running)

    def down(self) -> Running | None:
        """They do not any more; returns what there is to stop."""
        running, self.running = self.running, None
        if self._watch is not None:
            self._watch.stop()
        return running

    async def halt(self) -> None:
        """End all processes; the files and the record stay."""
        running = self.down()
        if running is not None:
            await running.stop()

    async def put_down(self) -> None:
        """The server stops: end all processes, after freezing those that can be."""
        async with self._lock:
            await self.halt()

    async def end_programs(self, running: Running | None) -> int:
        """End all programs, as a freeze without memory does; returns how many. Raises BoxBusy if somebody waits for one."""
        if running is None:
            return 0
        if running.link.active:
            count = running.link.active
            raise BoxBusy(f"box {self.id} runs {count} command(s), which a cold freeze would lose; wait, kill them or freeze warm")
        return await running.link.ask("killall")

    # What drivers add

    @property
    @abc.abstractmethod
    def group(self) -> ControlGroup:
        """The control group that bounds it."""

    @abc.abstractmethod
    def watch(self, running: Running) -> Watch:
        """What enforces the limits that its control group does not."""

    @abc.abstractmethod
    async def boot(self) -> None:
        """Start the processes over the files that are there."""

    @abc.abstractmethod
    async def freeze_cold(self, running: Running | None) -> FreezeReport:
        """Bring everything to disk and end the processes. Raises BoxBusy, DiskFull."""

    @abc.abstractmethod
    async def thaw(self) -> str | None:
        """Bring a cold box back; returns why processes that were frozen did not come back. Raises ImageCorrupt."""

    @abc.abstractmethod
    async def take_snapshot(self) -> str:
        """See `snapshot`."""

    @abc.abstractmethod
    async def give_up_memory(self) -> None:
        """Forget frozen processes, so that `thaw` brings the files alone."""

    @abc.abstractmethod
    async def discard(self) -> None:
        """Remove its files."""

    # Programs

    def start(self, command: Command) -> Session:
        words = exec_words(command, self.env())
        return BoxSession(lambda: self._use(lambda link: link.start(b"x", words)), tty=command.tty is not None)

    async def exec(
        self,
        command: Command,
        *,
        timeout_s: float,
        stdin: bytes | IO[bytes] | None = None,
        max_output_bytes: int = DEFAULT_OUTPUT_BYTES,
        on_output: Callable[[Stream, bytes], None] | None = None,
    ) -> ExecResult:
        words = exec_words(command, self.env())
        return await self.run(b"x", words, timeout_s=timeout_s, stdin=stdin, max_output_bytes=max_output_bytes, on_output=on_output)

    async def connect(self, port: int) -> ChannelConnection:
        if not 0 < port < 1 << 16:
            raise BadRequest(f"there is no port {port}")
        channel = await self._use(lambda link: link.visit(port))
        try:
            async with asyncio.timeout(CONNECT_S):
                if await channel.pid():
                    return ChannelConnection(channel)
        except TimeoutError:
            pass
        except BaseException:
            channel.leave()
            raise
        channel.leave()
        raise NothingListens(f"nothing listens on port {port} of box {self.id}")

    async def run_init(self) -> None:
        """Start its `init` command in the background, if it has one."""
        if self.record.init:
            await self._hook(f'(sh -c "$0" >{INIT_LOG} 2>&1 </dev/null &)', {}, self.record.init)

    async def _use(self, use: Callable[[SupervisorLink], Channel]) -> Channel:
        """Use the link, in a frozen box after resuming it."""
        for _ in range(_TRIES):
            if self.record.state is BoxState.PAUSED:
                await self.wake()
            async with self._lock:
                if self.record.state is not BoxState.PAUSED:  # nobody froze it again meanwhile, and it did not die
                    self.last_used = time.monotonic()
                    return use(self._live().link)
        raise BoxBusy(f"box {self.id} was frozen again, or ended, each of {_TRIES} times it was resumed")

    async def run(
        self,
        kind: bytes,
        words: list[bytes],
        *,
        timeout_s: float,
        stdin: bytes | IO[bytes] | None = None,
        max_output_bytes: int = DEFAULT_OUTPUT_BYTES,
        on_output: Callable[[Stream, bytes], None] | None = None,
    ) -> ExecResult:
        channel = await self._use(lambda link: link.start(kind, words))
        try:
            link = self._live().link
            before = self._hits(link)
            result = await run_to_end(channel, timeout_s=timeout_s, stdin=stdin, max_output_bytes=max_output_bytes, on_output=on_output)
        except BaseException:
            channel.kill()
            channel.leave()
            raise
        self.last_used = time.monotonic()
        hit = next(iter(self._hits(link) - before), None)
        return dataclasses.replace(result, limit=hit) if hit else result

    def _hits(self, link: SupervisorLink) -> Counter[str]:
        """How often each limit was hit so far."""
        return link.hits + Counter(self.group.hits())

    # Freezing

    @property
    def idle_s(self) -> float:
        """Seconds since it was last used; 0 while something runs for a caller or talks to the gateway."""
        running = self.running
        return 0.0 if running is not None and running.link.busy else time.monotonic() - self.last_used

    async def freeze(self, kind: Freeze) -> FreezeReport:
        self._check_there()
        return await self._freeze_after_hook(kind)

    async def _freeze_after_hook(self, kind: Freeze, idle_s: float | None = None) -> FreezeReport:
        if self.record.frozen is None and self.record.before_freeze:
            used = self.last_used
            await self._hook(self.record.before_freeze, {})
            self.last_used = used
        return await to_its_end(self._freeze(kind, idle_s))

    async def _freeze(self, kind: Freeze, idle_s: float | None) -> FreezeReport:
        """Freeze; with `idle_s`, only if it has been idle that long by now."""
        async with self._lock:
            self._check_there()
            if idle_s is not None and self.idle_s <= idle_s:
                raise BoxBusy(f"box {self.id} is in use again")
            if self.record.frozen is kind:
                raise BoxBusy(f"box {self.id} is frozen already ({kind})")
            started = time.monotonic()
            await self.gateway.cut(self.id)
            if self.running is not None:
                self.running.link.end_visits()
            if kind is Freeze.WARM:
                report = await self._freeze_warm()
            else:
                report = await self.freeze_cold(self._live(frozen_too=True) if self.running else None)
            return dataclasses.replace(report, duration_s=time.monotonic() - started)

    async def settle(self, warm_after_s: float, cold_after_s: float) -> None:
        """Freeze it if it has been idle for so long and nothing is lost by it."""
        if self.record.keep_alive or self.running is None or self.running.link.dead:
            return
        with contextlib.suppress(BoxBusy):  # somebody needs it after all
            if self.record.frozen is None and self.idle_s > warm_after_s:
                await self._freeze_after_hook(Freeze.WARM, warm_after_s)
            elif self.record.frozen is Freeze.WARM and self.idle_s > cold_after_s and await self.can_go_cold():
                await self._freeze_after_hook(Freeze.COLD, cold_after_s)

    async def can_go_cold(self) -> bool:
        """True if a cold freeze would lose no process."""
        return await self._live(frozen_too=True).link.ask("ps") == 0

    async def _freeze_warm(self) -> FreezeReport:
        running = self._live()
        stopped = await running.pause()
        running.link.stop_clock()
        self.save(BoxState.PAUSED, Freeze.WARM)
        return FreezeReport(Freeze.WARM, memory=True, processes=stopped)

    async def resume(self, *, memory: bool = True) -> ResumeReport:
        self._check_there()
        report = await to_its_end(self._resume_locked(memory=memory))
        if not report.memory:
            await self.run_init()
        if self.record.after_resume:
            variables = {"BOX_AWAY_S": f"{report.away_s:.0f}", "BOX_RESTORED": "memory" if report.memory else "files"}
            await self._hook(self.record.after_resume, variables)
        return report

    async def _resume_locked(self, *, memory: bool) -> ResumeReport:
        async with self._lock:
            if self.record.frozen is None:
                raise BoxBusy(f"box {self.id} is not frozen")
            if not memory:
                await self.give_up_memory()
            return await self._resume()

    async def snapshot(self) -> str:
        self._check_there()
        return await to_its_end(self.take_snapshot())

    async def wake(self) -> None:
        """Resume it if it is frozen, whoever asks first."""
        with contextlib.suppress(BoxBusy):
            await self.resume()

    async def _resume(self) -> ResumeReport:
        started, kind = time.monotonic(), self.record.frozen or Freeze.COLD
        away = (datetime.now(UTC) - (self.record.frozen_at or datetime.now(UTC))).total_seconds()
        note = None
        if kind is Freeze.WARM:
            await self._live(frozen_too=True).unpause()
            memory = True
        else:
            memory = self.record.image is not None and self.record.image.memory
            note = await self.thaw()
            memory = memory and note is None
        self._live(frozen_too=True).link.start_clock()
        self.save(BoxState.IDLE)
        self.last_used = time.monotonic()
        return ResumeReport(kind, memory=memory, away_s=away, duration_s=time.monotonic() - started, note=note)

    async def _hook(self, script: str, env: Mapping[str, str], *arguments: str) -> None:
        """Run a command of the box's owner; a failure is told in the log and holds nothing up."""
        result = await self.exec(Command(["sh", "-c", script, *arguments], env=env), timeout_s=HOOK_DEADLINE_S)
        if result.exit_code:
            log.warning("a command of the box's owner failed", box=self.id, exit_code=result.exit_code, timed_out=result.timed_out)

    # Life and death

    async def delete(self) -> None:
        await to_its_end(self._delete())

    async def _delete(self) -> None:
        async with self._lock:
            if self.record.state is BoxState.DELETED:
                return
            await self.gateway.detach(self.id)
            await self.halt()
            self.record.state = BoxState.DELETED
            await self.discard()

    def died(self) -> None:
        """The supervisor went away by itself: the files are still there, so the box can be resumed from them."""
        if self.record.state in (BoxState.IDLE, BoxState.PAUSED):
            with contextlib.suppress(SandboxError, OSError):  # a full disk must not hide the death
                self.save(BoxState.PAUSED, Freeze.COLD)

    def _check_there(self) -> None:
        if self.record.state is BoxState.DELETED:
            raise BoxDead(f"box {self.id} was deleted")

    def _live(self, *, frozen_too: bool = False) -> Running:
        """The running supervisor. Raises BoxBusy while frozen, BoxDead when it is gone."""
        if self.record.state is BoxState.PAUSED and not frozen_too:
            raise BoxBusy(f"box {self.id} is frozen; resume it first")
        if self.running is None or self.running.link.dead:
            raise BoxDead(f"box {self.id} is not running ({self.record.state})")
        return self.running

    @contextlib.asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """Nothing in the box writes meanwhile."""
        if self.record.frozen is not None:
            yield
            return
        link = self._live().link
        if not link.active and not await link.ask("ps"):
            yield
            return
        try:
            await link.ask("stop")
            yield
        finally:
            await link.ask("cont")


async def to_its_end(change: Coroutine[Any, Any, _T]) -> _T:
    """Wait for a change of state, which goes on when the one who waits for it is cancelled: a box is never left half-way."""
    task = asyncio.ensure_future(change)
    _CHANGES.add(task)
    task.add_done_callback(_CHANGES.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_tell_failure)
        raise


def _tell_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.warning("a change of a box's state failed after its caller had gone", error=str(task.exception()))
