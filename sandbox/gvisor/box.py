"""One gVisor box: how it is started, frozen with its memory, and brought back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.box import Freeze, FreezeReport
from sandbox.errors import BoxBusy, BoxDead, HostUnfit
from sandbox.gvisor.keeper import Keeper, View, start_keeper
from sandbox.gvisor.runsc import bundle
from sandbox.image import FILES, Manifest, Part, measure
from sandbox.inbox import wire
from sandbox.launch import overlay_binds
from sandbox.layered_box import LayeredBox
from sandbox.limits import Hits, Limits
from sandbox.link import Callbacks, SupervisorLink
from sandbox.running import Running
from sandbox.store import BoxRecord
from sandbox.usage import MemoryWatch
from sandbox.users import own, pair

if TYPE_CHECKING:
    from sandbox.gvisor.driver import GvisorDriver

_ROOT, _IMAGE, _MEMORY, _RUNTIME = "/box/root", "/box/image", "/box/memory", "/box/runtime"
RESTORE_S = 60.0
_OWN_MEMORY_BYTES = 512 << 20  # of runsc, and room for what a program allocates before its excess is noticed
_BOUNDED_WITHIN = frozenset({"memory", "pids"})


@dataclass(slots=True)
class GvisorRunning(Running):
    """A started box and its keeper."""

    link: SupervisorLink
    keeper: Keeper

    async def stop(self) -> None:
        self.link.close()
        await self.keeper.stop()


class GvisorBox(LayeredBox):
    """Its files are layers on the host; its processes live in runsc's kernel."""

    def __init__(self, driver: GvisorDriver, record: BoxRecord) -> None:
        super().__init__(driver, record)
        self.runsc = driver.runsc
        self._parked: SupervisorLink | None = None  # of a box frozen with its memory: callers who still wait hang on it

    async def launch(self, callbacks: Callbacks) -> GvisorRunning:
        running = await self._open(callbacks, SupervisorLink(self.id, callbacks))
        running.keeper.start_box([*self.runsc.flags, "run", "--bundle=/box/bundle", self.id])
        await self._hear(running, running.link.wait_ready(), "start")
        return running

    @property
    def bounds(self) -> Limits:
        """What the host's control group enforces: more than the box may use, because runsc itself needs some."""
        return replace(self.limits, memory_bytes=self.limits.memory_bytes + _OWN_MEMORY_BYTES, pids=4 * self.limits.pids + 1024)

    @contextlib.asynccontextmanager
    async def watching(self, running: Running) -> AsyncIterator[Hits]:
        async with super().watching(running) as hits:
            with MemoryWatch(running.link, self.limits.memory_bytes).watching(hits):
                yield hits
            if await running.link.ask("full"):
                hits.note("pids")

    # Starting

    async def _open(self, callbacks: Callbacks, link: SupervisorLink) -> GvisorRunning:
        """A keeper in which the box's files are mounted, with the link on its pipes. Raises HostUnfit."""
        for name in ("memory", "log"):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)
            own(self.folder / name, self.record.uid)
        config = self.folder / "config.json"
        config.write_text(json.dumps(self._bundle()), encoding="utf-8")
        config.chmod(0o644)
        view = View(self.keeper.rootfs.bwrap, self._binds(config), self.folder / "log", pair(self.record.uid))
        keeper = await start_keeper(view, self.group.add)
        link.attach(keeper.box_out, keeper.box_in)
        return GvisorRunning(link, keeper)

    async def _hear(self, running: GvisorRunning, word: Awaitable[object], doing: str) -> None:
        """Wait for the supervisor; a box that does not answer is stopped. Raises BoxDead with what runsc says."""
        try:
            await word
        except (BoxDead, TimeoutError) as error:
            words = running.keeper.complaint("box")
            await running.stop()
            raise BoxDead(f"runsc did not {doing} box {self.id}: {words or error}") from error
        except BaseException:
            await running.stop()
            raise

    def _binds(self, config: Path) -> list[str]:
        """What the keeper mounts."""
        fs, folder = self.keeper.rootfs, self.folder
        words = [*fs.binds, *fs.links, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/box/state"]  # noqa: S108
        words += ["--dir", _ROOT, *overlay_binds(fs.skeleton, self.lower, folder, _ROOT)]
        words += ["--ro-bind", str(fs.runtime), _RUNTIME, "--ro-bind", str(self.runsc.path), "/box/runsc"]
        words += ["--ro-bind", str(config), "/box/bundle/config.json", "--bind", str(folder / "log"), "/box/log"]
        words += ["--bind", str(folder / "memory"), _MEMORY, "--ro-bind-try", str(folder / "image"), _IMAGE]
        for number, mount in enumerate(self.mounts):
            words += ["--ro-bind", str(mount.source), f"/box/mounts/{number}"]
        return words

    def _bundle(self) -> dict[str, object]:
        fs = self.keeper.rootfs
        binds = [(path, path) for path in fs.programs] + [(_RUNTIME, "/.box")]
        binds += [(f"/box/mounts/{number}", mount.target) for number, mount in enumerate(self.mounts)]
        arguments = [*self.limits.rlimits(_BOUNDED_WITHIN), f"pids={self.limits.pids}", "user=1000", "keys", "filter=/.box/seccomp.bpf"]
        return bundle(_ROOT, [*fs.supervisor, *arguments], binds)

    # Freezing

    async def write_image(self, folder: Path, running: Running | None) -> tuple[FreezeReport, Manifest]:
        """Write memory and files; the memory is given up only after the image has been tried."""
        if not isinstance(running, GvisorRunning):
            return await super().write_image(folder, running)
        link, warm = running.link, self.record.frozen is Freeze.WARM
        running.wake_up()
        stopped = await link.ask("ps" if warm else "stop")
        link.stop_clock()
        try:
            await link.ask("hold")
            note = await self._save_memory(running)
            parts = {} if note else await self._collect_memory(folder)
            self._check_loss(note, link)
            parts[FILES] = await asyncio.to_thread(self.packer.pack, self.upper, folder / FILES)
        except BaseException:
            await self._go_on(running, warm=warm)
            raise
        if note is None:
            link.detach()
            self._parked, self.running = link, None
            await running.keeper.stop()
        await self.halt()
        manifest = self.manifest(parts=parts, memory=note is None, engine=self.runsc.version, next_id=link.next_id)
        report = FreezeReport(Freeze.COLD, memory=note is None, processes=stopped, image_bytes=manifest.size_bytes, note=note)
        return report, manifest

    def _check_loss(self, note: str | None, link: SupervisorLink) -> None:
        """Refuse to give up processes that somebody waits for."""
        if note and link.active:
            raise BoxBusy(f"box {self.id} cannot be frozen with its memory, and runs {link.active} command(s): {note}")

    async def _save_memory(self, running: GvisorRunning) -> str | None:
        """Write the memory and try to bring it back; returns what went wrong. The box itself stays."""
        call = [*self.runsc.flags, "checkpoint", *self.runsc.checkpoint, "--leave-running", f"--image-path={_MEMORY}", self.id]
        code, words = await running.keeper.call(call)
        if code:
            return f"runsc could not save it: {_last(words)}"
        trial = self.folder / "memory" / "trial"
        trial.write_bytes(wire.pack(b"q", 1, b"go on"))
        trial.chmod(0o644)
        call = [*self.runsc.flags, "restore", "--bundle=/box/bundle", f"--image-path={_MEMORY}", f"tr{self.id[2:]}"]
        code, words = await running.keeper.call(call, stdin=f"{_MEMORY}/trial", stdout="/box/log/trial")
        trial.unlink()
        answer = (self.folder / "log" / "trial").read_bytes()
        if not answer.startswith(wire.pack(b"a", 1, b"0")):
            return f"what runsc saved could not be restored: {_last(words) or f'exit code {code}'}"
        return None

    async def _collect_memory(self, folder: Path) -> dict[str, Part]:
        """Move what runsc wrote into the image."""
        parts = {}
        for file in sorted((self.folder / "memory").glob("*.img")):
            parts[file.name] = await asyncio.to_thread(measure, file)
            file.rename(folder / file.name)
        return parts

    async def _go_on(self, running: GvisorRunning, *, warm: bool) -> None:
        """The freeze did not come about: the box is as it was."""
        with contextlib.suppress(BoxDead):
            await running.link.ask("go on")
            if warm:
                running.sleep()
            else:
                await running.link.ask("cont")
                running.link.start_clock()

    async def restore(self) -> str | None:
        manifest = self.record.image
        if manifest is None or not manifest.memory:
            return await super().restore()
        await asyncio.to_thread(manifest.verify, self.folder / "image")
        await self.unpack_files()
        try:
            await self._restore_memory(manifest)
        except (BoxDead, HostUnfit) as error:
            await self.halt()
            self._lose_waiters()
            await self.boot()
            return f"its processes could not be brought back: {error}"
        return None

    async def _restore_memory(self, manifest: Manifest) -> None:
        callbacks, parked = self.callbacks, self._parked
        link = parked or SupervisorLink(self.id, callbacks, manifest.next_id)
        self.group.open(self.bounds)
        running = await self._open(callbacks, link)
        restore = [*self.runsc.flags, "restore", "--bundle=/box/bundle", f"--image-path={_IMAGE}", self.id]
        running.keeper.start_box(restore)
        await self._hear(running, link.ask("go on", RESTORE_S), "restore")
        self.running, self._parked = running, None
        if parked is None:
            await link.ask("orphan")
        await link.ask("cont")

    def _lose_waiters(self) -> None:
        if self._parked is not None:
            self._parked.close()
            self._parked = None

    async def halt(self) -> None:
        await super().halt()
        self._lose_waiters()


def _last(words: str) -> str:
    """The last line of a complaint."""
    return words.splitlines()[-1][-300:] if words else ""
