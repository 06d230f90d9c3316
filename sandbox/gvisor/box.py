"""One gVisor box: how it is started, frozen with its memory, and brought back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.box import Freeze, FreezeReport
from sandbox.errors import BoxBusy, BoxDead, HostUnfit, ImageCorrupt, SandboxError
from sandbox.gateway.settings import PORT
from sandbox.gvisor.keeper import Keeper, View, start_keeper
from sandbox.gvisor.runsc import bundle
from sandbox.image import FILES, Manifest, Part, measure
from sandbox.inbox import wire
from sandbox.launch import overlay_binds
from sandbox.layered_box import LayeredBox
from sandbox.limits import Limits
from sandbox.link import Callbacks, SupervisorLink
from sandbox.running import Running
from sandbox.store import MIN_FREE_BYTES, BoxRecord
from sandbox.users import own, pair
from sandbox.watch import Watch

if TYPE_CHECKING:
    from sandbox.gvisor.driver import GvisorDriver

_ROOT, _IMAGE, _MEMORY, _RUNTIME = "/box/root", "/box/image", "/box/memory", "/box/runtime"
RESTORE_S = 60.0
_BOUNDED_WITHIN = frozenset({"memory", "pids"})


@dataclass(slots=True)
class GvisorRunning(Running):
    """A started box and its keeper."""

    link: SupervisorLink
    keeper: Keeper

    async def pause(self) -> int:
        count = await self.link.ask("ps")
        self.keeper.signal_all("STOP")  # the kernel of the box too: idle, it uses some 3 % of a processor
        return count

    async def unpause(self) -> None:
        self.keeper.signal_all("CONT")

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
        running = await self._open(SupervisorLink(self.id, callbacks))
        running.keeper.start_box([*self.runsc.flags, "run", "--bundle=/box/bundle", self.id])
        await self._hear(running, running.link.wait_ready(), "start")
        return running

    @property
    def bounds(self) -> Limits:
        return self.limits.around_own_kernel()

    def watch(self, running: Running) -> Watch:
        watch = super().watch(running)
        watch.memory(self.limits.memory_bytes)
        return watch

    # Starting

    async def _open(self, link: SupervisorLink) -> GvisorRunning:
        """A keeper in which the box's files are mounted, with the link on its pipes. Raises HostUnfit."""
        for name in ("memory", "log"):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)
            own(self.folder / name, self.record.uid)
        config = self.folder / "config.json"
        config.write_text(json.dumps(self._bundle()), encoding="utf-8")
        config.chmod(0o644)
        view = View(self.host.rootfs.bwrap, self._binds(config), self.folder / "log", pair(self.record.uid))
        keeper = await start_keeper(view, self.group.add)
        link.attach(keeper.box_out, keeper.box_in)
        return GvisorRunning(link, keeper)

    async def _hear(self, running: GvisorRunning, word: Awaitable[object], doing: str) -> None:
        """Wait for the supervisor; a box that does not answer is stopped. Raises BoxDead with what runsc says."""
        try:
            await word
        except (BoxDead, TimeoutError) as error:
            reason = running.keeper.explain(doing)
            await running.stop()
            raise reason from error
        except BaseException:
            await running.stop()
            raise

    def _binds(self, config: Path) -> list[str]:
        """What the keeper mounts."""
        fs, folder = self.host.rootfs, self.folder
        words = [*fs.binds, *fs.links, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/box/state"]  # noqa: S108
        words += ["--dir", _ROOT, *overlay_binds(fs.skeleton, self.lower, folder, _ROOT)]
        words += ["--ro-bind", str(fs.runtime), _RUNTIME, "--ro-bind", str(self.runsc.path), "/box/runsc"]
        words += ["--ro-bind", str(config), "/box/bundle/config.json", "--bind", str(folder / "log"), "/box/log"]
        words += ["--bind", str(folder / "memory"), _MEMORY, "--ro-bind-try", str(folder / "image"), _IMAGE]
        for number, mount in enumerate(self.mounts):
            words += ["--ro-bind", str(mount.source), f"/box/mounts/{number}"]
        return words

    def _bundle(self) -> dict[str, object]:
        fs = self.host.rootfs
        binds = [(path, path) for path in fs.programs] + [(_RUNTIME, "/.box")]
        binds += [(f"/box/mounts/{number}", mount.target) for number, mount in enumerate(self.mounts)]
        arguments = [f"{PORT}=gateway", f"pids={self.limits.pids}", "user=1000", "keys", "filter=/.box/seccomp.bpf"]
        return bundle(_ROOT, [*fs.supervisor, *arguments], binds, self.limits.rlimits(_BOUNDED_WITHIN))

    # Freezing

    async def write_image(self, folder: Path, running: Running | None) -> tuple[FreezeReport, Manifest]:
        """Write memory and files; the memory is given up only after the image has been tried."""
        if not isinstance(running, GvisorRunning):
            return await super().write_image(folder, running)
        link, warm = running.link, self.record.frozen is Freeze.WARM
        if warm:
            await running.unpause()
        stopped = await link.ask("stop")
        link.stop_clock()
        try:
            note, parts = await self._save(running, folder)
            self._check_loss(note, link)
            for name in parts.keys() - {FILES}:
                (self.folder / "memory" / name).rename(folder / name)
        except BaseException:
            await self._go_on(running, warm=warm)
            raise
        if note is None:
            self.down()
            link.detach()
            await running.keeper.stop()
        await self.halt()
        self._parked = link if note is None else None
        manifest = self.manifest(parts=parts, memory=note is None, engine=self.runsc.version, next_id=link.next_id)
        report = FreezeReport(Freeze.COLD, memory=note is None, processes=stopped, image_bytes=manifest.size_bytes, note=note)
        return report, manifest

    def _check_loss(self, note: str | None, link: SupervisorLink) -> None:
        """Refuse to give up processes that somebody waits for."""
        if note and link.active:
            raise BoxBusy(f"box {self.id} cannot be frozen with its memory, and runs {link.active} command(s): {note}")

    async def _save(self, running: GvisorRunning, folder: Path) -> tuple[str | None, dict[str, Part]]:
        """Write files and memory and try the memory; returns why it cannot be kept, and the parts of the image."""
        held_open = await running.link.ask("deleted")
        # A kernel that cannot write all of its memory does not survive the attempt.
        self.store.check_room(int(1.1 * await running.link.ask("memory")) + MIN_FREE_BYTES)
        await running.link.hold()
        if not held_open:
            await self._save_memory(running)
        packing = asyncio.to_thread(self.packer.pack, self.upper, folder / FILES)
        if held_open:
            return f"programs hold {held_open} deleted file(s) open, which runsc cannot save", {FILES: await packing}
        note, memory, files = await asyncio.gather(self._try_memory(running), self._measure_memory(), packing)
        return note, {FILES: files} | ({} if note else memory)

    async def _save_memory(self, running: GvisorRunning) -> None:
        """Write the memory; the box itself stays. Raises SandboxError."""
        for old in (self.folder / "memory").iterdir():
            old.unlink()
        call = [*self.runsc.flags, "checkpoint", *self.runsc.checkpoint, "--leave-running", f"--image-path={_MEMORY}", self.id]
        call += ["&&", "chmod", "666", f"{_MEMORY}/*.img"]  # for the server, which shares them among forks; the folder is closed
        try:
            code, words = await running.keeper.call(call)
        except BoxDead as error:
            raise BoxDead(f"the kernel of box {self.id} failed while it was saved; its files are kept, its processes are lost") from error
        if code:
            raise SandboxError(f"runsc could not save the memory of box {self.id}: {_last(words)}")

    async def _try_memory(self, running: GvisorRunning) -> str | None:
        """Bring what was saved back in a sandbox beside the box; returns what went wrong."""
        trial = self.folder / "memory" / "trial"
        trial.write_bytes(wire.pack(b"q", 1, b"go on"))
        trial.chmod(0o644)
        call = [*self.runsc.flags, "restore", "--bundle=/box/bundle", f"--image-path={_MEMORY}", f"tr{self.id[2:]}"]
        code, words = await running.keeper.call(call, stdin=f"{_MEMORY}/trial", stdout="/box/log/trial")
        trial.unlink()
        answer = (self.folder / "log" / "trial").read_bytes()
        if not any(frame[0] == b"a" for frame in wire.Frames().feed(answer)):
            return f"what runsc saved could not be restored: {_last(words) or f'exit code {code}'}"
        return None

    async def _measure_memory(self) -> dict[str, Part]:
        """What runsc wrote, by name."""
        return {file.name: await asyncio.to_thread(measure, file) for file in sorted((self.folder / "memory").glob("*.img"))}

    async def _go_on(self, running: GvisorRunning, *, warm: bool) -> None:
        """The freeze did not come about: the box is as it was."""
        with contextlib.suppress(BoxDead):
            running.link.release()
            await running.link.ask("go on")
            await running.link.ask("cont")
            if warm:
                await running.pause()
            else:
                running.link.start_clock()

    async def restore(self) -> str | None:
        manifest = self.record.image
        if manifest is None or not manifest.memory:
            return await super().restore()
        folder = self.folder / "image"
        await asyncio.to_thread(manifest.verify, folder, [FILES])
        await self.unpack_files()
        verifying = asyncio.create_task(asyncio.to_thread(manifest.verify, folder, manifest.parts.keys() - {FILES}))
        try:
            await self._restore_memory(manifest, verifying)
        except (BoxDead, HostUnfit, ImageCorrupt) as error:
            await self.halt()
            await verifying  # a damaged image is told as such, and stays
            await self.boot()
            other = (
                f" (saved by runsc {manifest.engine}, and this is {self.runsc.version})" if manifest.engine != self.runsc.version else ""
            )
            return f"its processes could not be brought back: {error}{other}"
        return None

    async def _restore_memory(self, manifest: Manifest, verified: asyncio.Task[None]) -> None:
        """Bring the processes back; they go on only after the image has been found sound."""
        link = self._parked or SupervisorLink(self.id, self.callbacks, manifest.next_id)
        self.open_group()
        running = await self._open(link)
        self.up(running)
        running.keeper.start_box([*self.runsc.flags, "restore", "--bundle=/box/bundle", f"--image-path={_IMAGE}", self.id])
        await self._hear(running, link.ask("go on", RESTORE_S), "restore")
        await verified
        if self._parked is None:
            await link.ask("orphan")
        await link.ask("cont")
        self._parked = None

    async def can_go_cold(self) -> bool:
        return True

    async def put_down(self) -> None:
        running = self.running
        with contextlib.suppress(SandboxError, OSError):
            if running is not None and self.frozen is not Freeze.COLD and (self.frozen is Freeze.WARM or await running.link.ask("ps")):
                await self.freeze(Freeze.COLD)
        await super().put_down()

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
