"""One box of the bubblewrap driver."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sandbox.box import (
    DEFAULT_OUTPUT_BYTES,
    HOME,
    Box,
    BoxState,
    Command,
    ExecResult,
    FileInfo,
    Freeze,
    FreezeReport,
    ResumeReport,
    Session,
    Stream,
)
from sandbox.errors import BadRequest, BoxBusy, BoxDead, BoxFileError, SandboxError
from sandbox.image import Manifest, Packer
from sandbox.launch import Running, launch
from sandbox.limits import ControlGroup, Limits
from sandbox.process import BoxSession, exec_words, run_to_end
from sandbox.store import BoxRecord, limits_of
from sandbox.usage import DiskWatch
from sandbox.users import own

if TYPE_CHECKING:
    from sandbox.bubblewrap import BubblewrapDriver

FILE_DEADLINE_S = 60.0
MAX_FILE_BYTES = 256 << 20


class BubblewrapBox(Box):
    """A box whose processes hang on one supervisor, and whose files are one upper layer over others."""

    driver = "bubblewrap"

    def __init__(self, driver: BubblewrapDriver, record: BoxRecord) -> None:
        self.id = record.id
        self.record = record
        self._driver = driver
        self._running: Running | None = None
        self._group = ControlGroup(record.id)
        self._disk = DiskWatch(self._folder / "upper", record.limits.disk_bytes)
        self._lock = asyncio.Lock()  # one change of state at a time

    @property
    def state(self) -> BoxState:
        if self.record.state is BoxState.IDLE and self._running is not None and self._running.link.active:
            return BoxState.RUNNING
        return self.record.state

    @property
    def frozen(self) -> Freeze | None:
        return self.record.frozen

    @property
    def labels(self) -> Mapping[str, str]:
        return self.record.labels

    @property
    def created_at(self) -> datetime:
        return self.record.created_at

    @property
    def limits(self) -> Limits:
        """The bounds it was made with."""
        return limits_of(self.record)

    @property
    def _folder(self) -> Path:
        return self._driver.store.box_dir(self.id)

    # Processes

    def start(self, command: Command) -> Session:
        words = exec_words(command, self.record.env)
        return BoxSession(self._live().link, words, tty=command.tty is not None)

    async def exec(
        self,
        command: Command,
        *,
        timeout_s: float,
        stdin: bytes | IO[bytes] | None = None,
        max_output_bytes: int = DEFAULT_OUTPUT_BYTES,
        on_output: Callable[[Stream, bytes], None] | None = None,
    ) -> ExecResult:
        return await self._run(
            exec_words(command, self.record.env), timeout_s=timeout_s, stdin=stdin, max_output_bytes=max_output_bytes, on_output=on_output
        )

    async def _run(
        self,
        words: list[bytes],
        *,
        timeout_s: float,
        stdin: bytes | IO[bytes] | None = None,
        max_output_bytes: int = DEFAULT_OUTPUT_BYTES,
        on_output: Callable[[Stream, bytes], None] | None = None,
    ) -> ExecResult:
        running = self._live()
        before = self._group.hits()
        with self._disk.watching(lambda: running.link.tell("killall", "0")) as disk:
            result = await run_to_end(
                running.link, words, timeout_s=timeout_s, stdin=stdin, max_output_bytes=max_output_bytes, on_output=on_output
            )
        hit = "disk" if disk.exceeded else next((name for name, count in self._group.hits().items() if count > before.get(name, 0)), None)
        return _with_limit(result, hit)

    # Files

    async def read_file(self, path: str, *, offset: int = 0, length: int | None = None) -> bytes:
        if length is not None and length > MAX_FILE_BYTES:
            raise BadRequest(f"at most {MAX_FILE_BYTES >> 20} MB can be read at once; ask for ranges")
        words = [b"read", _path(path), b"%d" % offset, b"%d" % (-1 if length is None else length)]
        data = await self._file(path, words, max_output_bytes=MAX_FILE_BYTES)
        if length is None and len(data) >= MAX_FILE_BYTES:
            raise BadRequest(f"{path} is larger than {MAX_FILE_BYTES >> 20} MB; read it in ranges")
        return data

    async def write_file(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        await self._file(path, [b"write", _path(path), b"%o" % mode], stdin=data)

    async def list_dir(self, path: str) -> list[FileInfo]:
        return _infos(await self._file(path, [b"list", _path(path)], max_output_bytes=64 << 20))

    async def stat(self, path: str) -> FileInfo:
        return _infos(await self._file(path, [b"stat", _path(path)]))[0]

    async def mkdir(self, path: str) -> None:
        await self._file(path, [b"mkdir", _path(path)])

    async def rename(self, old: str, new: str) -> None:
        await self._file(old, [b"rename", _path(old), _path(new)])

    async def remove(self, path: str) -> None:
        await self._file(path, [b"remove", _path(path)])

    async def _file(
        self, path: str, words: list[bytes], *, stdin: bytes | None = None, max_output_bytes: int = DEFAULT_OUTPUT_BYTES
    ) -> bytes:
        result = await self._run([b"file", *words], timeout_s=FILE_DEADLINE_S, stdin=stdin, max_output_bytes=max_output_bytes)
        if result.exit_code == 0:
            return result.stdout
        number, _, text = result.stderr.partition(b"\0")
        if result.timed_out or not number.isdigit():
            raise BoxFileError(5, f"the file operation did not end: {result.stderr[:200].decode('utf-8', 'replace')}", path)
        raise BoxFileError(int(number), text.decode("utf-8", "replace"), path)

    # State

    async def boot(self) -> None:
        """Start the supervisor over the files that are there."""
        self._group = ControlGroup(self.id)
        self._group.open(self.limits)
        plan = self._driver.plan(self.record, controls=self._group.controls)
        try:
            self._running = await launch(self.id, plan, self._died)
            self._group.add(self._running.init_pid)
        except BaseException:
            await self.halt()
            raise
        self._save(BoxState.IDLE)

    async def halt(self) -> None:
        """End all processes; the files and the record stay."""
        running, self._running = self._running, None
        if running is not None:
            await running.stop()
        self._group.close()

    async def snapshot(self) -> str:
        async with self._lock, self._quiet():
            layer, folder = self._driver.store.new_layer(self.record.uid, self.record.layers)
            alive = self._running is not None and (self.record.frozen is Freeze.WARM or await self._running.link.ask("ps") > 0)
            if alive or self.record.frozen is Freeze.COLD:
                await self._copy_upper(folder / "fs")
            else:
                await self._move_upper(folder / "fs", layer.id)
            self._driver.store.save_layer(layer)
            return layer.id

    async def _copy_upper(self, target: Path) -> None:
        """Keep a copy of the files, because processes still write to the originals, or they lie in an image."""
        packer = Packer(self._driver.rootfs, self.record.uid)
        if self.record.image is not None:
            await asyncio.to_thread(packer.unpack_anew, self._folder / "image.tar.zst", target)
        else:
            await asyncio.to_thread(packer.copy, self._folder / "upper", target)

    async def _move_upper(self, target: Path, layer_id: str) -> None:
        """The upper layer becomes the snapshot and the box goes on with an empty one: constant time."""
        await self.halt()
        upper = self._folder / "upper"
        upper.rename(target)
        upper.mkdir(mode=0o755)
        own(upper, self.record.uid)
        self.record.layers = (*self.record.layers, layer_id)
        self._driver.store.save_box(self.record)
        await self.boot()

    async def freeze(self, kind: Freeze) -> FreezeReport:
        async with self._lock:
            started = time.monotonic()
            if self.record.frozen is kind:
                raise BoxBusy(f"box {self.id} is frozen already ({kind})")
            if kind is Freeze.WARM:
                stopped = await self._live().link.ask("stop")
                self._save(BoxState.PAUSED, Freeze.WARM)
                return FreezeReport(kind, True, stopped, 0, time.monotonic() - started)
            return await self._freeze_cold(started)

    async def _freeze_cold(self, started: float) -> FreezeReport:
        ended = 0
        if self._running is not None:
            if self._running.link.active:
                count = self._running.link.active
                raise BoxBusy(f"box {self.id} runs {count} command(s), which a cold freeze would lose; wait, kill them or freeze warm")
            ended = await self._running.link.ask("killall")
        self._driver.store.check_room()
        await self.halt()
        folder, packer = self._folder, Packer(self._driver.rootfs, self.record.uid)
        packed = await asyncio.to_thread(packer.pack, folder / "upper", folder / "image.part")
        (folder / "image.part").replace(folder / "image.tar.zst")
        self.record.image = Manifest(
            driver=self.driver,
            box_id=self.id,
            frozen_at=time.time(),
            archive_bytes=packed.archive_bytes,
            archive_sha256=packed.archive_sha256,
            content_bytes=packed.content_bytes,
            content_sha256=packed.content_sha256,
            layers=self.record.layers,
        )
        self._save(BoxState.PAUSED, Freeze.COLD)
        self._discard("upper")
        return FreezeReport(Freeze.COLD, False, ended, packed.archive_bytes, time.monotonic() - started)

    async def resume(self) -> ResumeReport:
        async with self._lock:
            started, kind = time.monotonic(), self.record.frozen
            if kind is None:
                raise BoxBusy(f"box {self.id} is not frozen")
            away = (datetime.now(UTC) - (self.record.frozen_at or datetime.now(UTC))).total_seconds()
            if kind is Freeze.WARM:
                await self._live(frozen_too=True).link.ask("cont")
                self._save(BoxState.IDLE)
            else:
                await self._thaw_files()
                await self.boot()
            return ResumeReport(kind, kind is Freeze.WARM, away, time.monotonic() - started)

    async def _thaw_files(self) -> None:
        """Unpack the image, after checking it; without one the files never left the upper layer."""
        if self.record.image is None:
            return
        archive, upper = self._folder / "image.tar.zst", self._folder / "upper"
        packer = Packer(self._driver.rootfs, self.record.uid)
        await asyncio.to_thread(packer.verify, archive, self.record.image)
        self._discard("upper")
        upper.mkdir(mode=0o755)
        own(upper, self.record.uid)
        await asyncio.to_thread(packer.unpack, archive, upper)
        self.record.image = None
        self._driver.store.save_box(self.record)
        await asyncio.to_thread(archive.unlink)

    async def delete(self) -> None:
        async with self._lock:
            if self.record.state is BoxState.DELETED:
                return
            await self.halt()
            self.record.state = BoxState.DELETED
            self._driver.forget(self.id)
            folder = self._driver.store.discard(self._folder)
            if folder is not None:
                self._driver.remove_later(folder, self.record.uid)

    def _discard(self, name: str) -> None:
        folder = self._driver.store.discard(self._folder / name)
        if folder is not None:
            self._driver.remove_later(folder, self.record.uid)

    def _live(self, *, frozen_too: bool = False) -> Running:
        """The running supervisor. Raises BoxBusy while frozen, BoxDead when it is gone."""
        if self.record.state is BoxState.PAUSED and not frozen_too:
            raise BoxBusy(f"box {self.id} is frozen; resume it first")
        if self._running is None or self._running.link.dead:
            raise BoxDead(f"box {self.id} is not running ({self.record.state})")
        return self._running

    def _died(self) -> None:
        """The supervisor went away by itself: the files are still there, so the box can be resumed from them."""
        if self.record.state in (BoxState.IDLE, BoxState.PAUSED):
            with contextlib.suppress(SandboxError, OSError):  # a full disk must not hide the death
                self._save(BoxState.PAUSED, Freeze.COLD)

    def _save(self, state: BoxState, frozen: Freeze | None = None) -> None:
        self.record.state, self.record.frozen = state, frozen
        self.record.frozen_at = datetime.now(UTC) if frozen else None
        self._driver.store.save_box(self.record)

    @contextlib.asynccontextmanager
    async def _quiet(self) -> AsyncIterator[None]:
        """Nothing in the box writes meanwhile."""
        if self.record.frozen is not None:
            yield
            return
        link = self._live().link
        if link.active or await link.ask("ps"):
            await link.ask("stop")
            try:
                yield
            finally:
                await link.ask("cont")
        else:
            yield


def _path(path: str) -> bytes:
    if not path or "\0" in path:
        raise BadRequest("a path is needed, without NUL bytes")
    full = path if path.startswith("/") else f"{HOME}/{path}"
    return os.path.normpath(full).encode("utf-8", "surrogateescape")


def _infos(data: bytes) -> list[FileInfo]:
    """Records as the supervisor writes them; a malformed answer is an error of the box."""
    fields = data.split(b"\0")[:-1]
    try:
        return [
            FileInfo(os.fsdecode(name), kind.decode("ascii"), int(mode), int(size), int(modified))
            for kind, mode, size, modified, name in zip(*[iter(fields)] * 5, strict=True)
        ]
    except ValueError as error:
        raise BoxFileError(5, "the box gave a malformed answer", "") from error


def _with_limit(result: ExecResult, limit: str | None) -> ExecResult:
    if limit is None:
        return result
    return ExecResult(
        result.exit_code, result.signal, result.stdout, result.stderr, result.dropped_bytes, result.timed_out, limit, result.duration_s
    )
