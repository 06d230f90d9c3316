"""A box whose files are one upper layer over others, as overlayfs joins them."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.box import BoxState, Freeze, FreezeReport
from sandbox.errors import BoxBusy
from sandbox.image import FILES, Manifest, Packer
from sandbox.limits import ControlGroup, Limits
from sandbox.link import Callbacks
from sandbox.linked import LinkedBox
from sandbox.running import Running
from sandbox.store import BoxRecord, LayerRecord
from sandbox.users import own
from sandbox.watch import Watch, bytes_below

if TYPE_CHECKING:
    from sandbox.layered import LayeredDriver


MAX_LAYERS = 30  # beyond this, layers are copied into one


class LayeredBox(LinkedBox):
    """Snapshot = the upper layer is kept; fork = a new one over the same layers; cold = it is packed."""

    def __init__(self, driver: LayeredDriver, record: BoxRecord) -> None:
        super().__init__(driver.store, record, driver.gateway)
        self.host = driver
        self._group = ControlGroup(record.id)

    @property
    def upper(self) -> Path:
        """What the box has written."""
        return self.folder / "upper"

    @property
    def lower(self) -> tuple[Path, ...]:
        """The layers under the upper one, lowest first."""
        return tuple(self.store.layer_fs(layer) for layer in self.record.layers)

    @property
    def packer(self) -> Packer:
        """Packs with the rights of the box."""
        return Packer(self.host.rootfs, self.record.uid)

    @abc.abstractmethod
    async def launch(self, callbacks: Callbacks) -> Running:
        """Start the processes. Raises HostUnfit, BoxDead."""

    @property
    def bounds(self) -> Limits:
        """What its control group enforces."""
        return self.limits

    @property
    def group(self) -> ControlGroup:
        return self._group

    def watch(self, running: Running) -> Watch:
        watch = Watch(running.link)
        watch.disk(lambda: asyncio.to_thread(bytes_below, self.upper), self.limits.disk_bytes)
        return watch

    async def boot(self) -> None:
        await self.halt()  # what is left of a box that died
        if not self.upper.exists():
            self.empty_upper()
        self.open_group()
        try:
            self.up(await self.launch(self.callbacks))
        except BaseException:
            await self.halt()
            raise
        self.save(BoxState.IDLE)

    async def halt(self) -> None:
        await super().halt()
        await self._close_group()

    def open_group(self) -> None:
        """A new control group for the processes that will be started."""
        self._group = ControlGroup(self.id)
        self._group.open(self.bounds)

    async def _close_group(self) -> None:
        """Remove the control group; the kernel needs a moment to see that its processes are gone."""
        for _ in range(40):
            if self.group.close():
                return
            await asyncio.sleep(0.025)

    async def take_snapshot(self) -> str:
        async with self._lock, self.quiet():
            layer, folder = self.store.new_layer(self.record.uid, self.record.layers)
            alive = self.running is not None and (self.record.frozen is Freeze.WARM or await self.running.link.ask("ps") > 0)
            if alive or self.record.frozen is Freeze.COLD or len(self.record.layers) >= MAX_LAYERS:
                await self._copy_upper(folder / "fs")
                self.store.save_layer(layer)
            else:
                await self._move_upper(folder / "fs", layer)
            return layer.id

    async def _copy_upper(self, target: Path) -> None:
        """Keep a copy of the files, because processes still write to the originals, or they lie in an image."""
        if self.record.image is not None:
            await asyncio.to_thread(self.packer.unpack_anew, self.folder / "image" / FILES, target)
        else:
            await asyncio.to_thread(self.packer.copy, self.upper, target)

    async def _move_upper(self, target: Path, layer: LayerRecord) -> None:
        """The upper layer becomes the snapshot and the box goes on with an empty one: constant time.

        Records come first: a server that dies in between finds a layer without files, and the files where they were.
        """
        await self.halt()
        self.store.save_layer(layer)
        self.record.layers = (*self.record.layers, layer.id)
        self.store.save_box(self.record)
        self.upper.rename(target)
        self.empty_upper()
        await self.boot()

    def empty_upper(self) -> None:
        """An upper layer without files, in place of one that is there."""
        self._drop("upper")
        self.upper.mkdir(mode=0o755)
        own(self.upper, self.record.uid)

    async def freeze_cold(self, running: Running | None) -> FreezeReport:
        self.store.check_room()
        part = self.folder / "image.part"
        self._drop(part.name)
        part.mkdir(mode=0o700)
        own(part, self.record.uid)
        try:
            report, manifest = await self.write_image(part, running)
        except BaseException:
            self._drop(part.name)
            if self.running is None:
                await self.boot()  # the files are where they were
            raise
        self._drop("image")
        part.rename(self.folder / "image")
        self.record.image = manifest
        self.save(BoxState.PAUSED, Freeze.COLD)
        self._drop("upper")
        return report

    async def write_image(self, folder: Path, running: Running | None) -> tuple[FreezeReport, Manifest]:
        """Write the box to `folder` and end its processes; here without their memory."""
        ended = await self.end_programs(running)
        await self.halt()
        parts = {FILES: await asyncio.to_thread(self.packer.pack, self.upper, folder / FILES)}
        manifest = self.manifest(parts=parts)
        return FreezeReport(Freeze.COLD, memory=False, processes=ended, image_bytes=manifest.size_bytes), manifest

    def manifest(self, **fields: object) -> Manifest:
        """What an image of this box says of itself."""
        known = {"driver": self.driver, "box_id": self.id, "frozen_at": time.time(), "layers": self.record.layers}
        return Manifest.model_validate(known | fields)

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[Manifest]:
        """Its image, which stays until the context ends. Raises BoxBusy if it is not frozen cold."""
        async with self._lock:
            if self.record.image is None:
                raise BoxBusy(f"box {self.id} is not frozen cold")
            yield self.record.image

    async def thaw(self) -> str | None:
        note = await self.restore()
        if self.record.image is not None:
            self.record.image = None
            self.store.save_box(self.record)
            self._drop("image")
        return note

    async def restore(self) -> str | None:
        """Bring files and processes back from the image; see `thaw`."""
        if self.record.image is not None:
            await asyncio.to_thread(self.record.image.verify, self.folder / "image")
            await self.unpack_files()
        await self.boot()
        return None

    async def give_up_memory(self) -> None:
        await self.halt()
        if self.record.image is not None:
            self.record.image = self.record.image.without_memory()
        self.save(BoxState.PAUSED, Freeze.COLD)

    async def unpack_files(self) -> None:
        """Write the files of the image into a new upper layer."""
        self.empty_upper()
        await asyncio.to_thread(self.packer.unpack, self.folder / "image" / FILES, self.upper)

    async def discard(self) -> None:
        self.host.forget(self.id)
        folder = self.store.discard(self.folder)
        if folder is not None:
            self.host.remove_later(folder, self.record.uid)

    def _drop(self, name: str) -> None:
        folder = self.store.discard(self.folder / name)
        if folder is not None:
            self.host.remove_later(folder, self.record.uid)
