"""Drivers whose boxes are overlay layers below one data directory: making, forking, sweeping them."""

from __future__ import annotations

import abc
import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path

import structlog

from sandbox.box import Box, BoxSpec, BoxState, Freeze
from sandbox.driver import Capabilities
from sandbox.errors import SandboxError
from sandbox.image import Packer, share
from sandbox.layered_box import MAX_LAYERS, LayeredBox
from sandbox.limits import remove_groups
from sandbox.rootfs import BOX_FOLDERS
from sandbox.store import BoxRecord, LayerRecord
from sandbox.stored import StoredDriver, WayOut
from sandbox.transfer import Carrier
from sandbox.users import own, pick_uid
from sandbox.watch import bytes_below

log = structlog.get_logger()


class LayeredDriver(StoredDriver[LayeredBox]):
    """Overlay layers for files; what isolates the processes is its subclasses' business."""

    def __init__(self, data_dir: Path, way_out: WayOut | None = None) -> None:
        super().__init__(data_dir, way_out)
        self._capabilities: Capabilities | None = None
        self._going: set[Path] = set()  # folders that are being removed

    async def set_up(self, opened: contextlib.AsyncExitStack) -> None:
        await super().set_up(opened)
        self._capabilities = self.find_capabilities()

    @property
    def capabilities(self) -> Capabilities:
        if self._capabilities is None:
            raise SandboxError("the driver is not open")
        return self._capabilities

    async def make(self, spec: BoxSpec) -> LayeredBox:
        layer = self.store.layer(spec.snapshot) if spec.snapshot else None
        if layer is not None and len(layer.layers) > MAX_LAYERS:
            layer = await self._flatten(layer)
        uid = layer.uid if layer else pick_uid(self.store.uids())
        box_id, folder = self.store.new_box(uid)
        for name in ("upper", "work", *(() if layer else (f"upper/{part}" for part in BOX_FOLDERS))):
            (folder / name).mkdir(mode=0o700 if name == "work" else 0o755)
            own(folder / name, uid)
        if layer is None:
            for name in ("tmp", "var/tmp"):
                (folder / "upper" / name).chmod(0o1777)
        return await self.start(self.record(box_id, spec, uid=uid, layers=layer.layers if layer else ()), spec.attach_headers)

    async def fork(self, box: Box, spec: BoxSpec | None = None) -> Box:
        source = self.get(box.id)
        if spec is None and source.record.image is not None and source.record.image.memory:
            return await self._fork_frozen(source)
        return await super().fork(box, spec)

    async def _fork_frozen(self, source: LayeredBox) -> Box:
        """A copy of a box that is frozen with its memory: the image is shared, the processes go on in both."""
        async with source.kept() as image:
            box_id, folder = self.store.new_box(source.record.uid)
            await asyncio.to_thread(share, source.folder / "image", folder / "image")
        self.store.save_headers(box_id, self.store.headers(source.id))
        update = {"id": box_id, "created_at": datetime.now(UTC), "expires_at": None, "image": image}
        forked = self.adopt(source.record.model_copy(update=update))
        (folder / "work").mkdir(mode=0o700)
        own(folder / "work", source.record.uid)
        forked.save(BoxState.PAUSED, Freeze.COLD)
        try:
            await forked.resume()
        except BaseException:
            await forked.delete()
            raise
        return forked

    async def carry_out(self, box_id: str, folder: Path) -> None:
        box = self.get(box_id)
        async with box.kept():
            await asyncio.to_thread(Carrier(self.store, self.rootfs, self.name).write, box.record, folder)

    async def carry_in(self, folder: Path) -> Box:
        return self.adopt(await asyncio.to_thread(Carrier(self.store, self.rootfs, self.name).read, folder))

    async def sweep(self) -> None:
        await self.delete_expired()
        self.store.discard_unused()
        for folder, uid in self.store.trash():
            self.remove_later(folder, uid)

    @abc.abstractmethod
    def find_capabilities(self) -> Capabilities:
        """See `capabilities`."""

    def remove_later(self, folder: Path, uid: int | None) -> None:
        """Remove a discarded folder without making anyone wait; what fails stays for the next sweep."""
        if folder not in self._going:
            self._going.add(folder)
            self.later(self._remove(folder, uid))

    async def _remove(self, folder: Path, uid: int | None) -> None:
        try:
            await asyncio.to_thread(Packer(self.rootfs, uid).remove, folder)
            await asyncio.to_thread(folder.rmdir)
        except (SandboxError, OSError) as error:
            log.warning("a deleted box's files remain", folder=str(folder), error=str(error))
        finally:
            self._going.discard(folder)

    def mend(self, record: BoxRecord) -> None:
        if record.layers and not self.store.layer_fs(record.layers[-1]).exists():
            record.layers = record.layers[:-1]  # the server died before the upper layer became this snapshot

    async def take_over(self) -> None:
        await super().take_over()
        await asyncio.to_thread(remove_groups, list(self.known))

    async def snapshot_bytes(self, snapshot_id: str) -> int:
        self.store.layer(snapshot_id)
        return await asyncio.to_thread(bytes_below, self.store.layer_fs(snapshot_id))

    async def _flatten(self, layer: LayerRecord) -> LayerRecord:
        """Copy a tall stack of layers into one, so that it fits into a mount."""
        flat, folder = self.store.new_layer(layer.uid, ())
        (folder / "fs").mkdir(mode=0o755)
        own(folder / "fs", layer.uid)
        lower = [self.store.layer_fs(name) for name in layer.layers]
        await asyncio.to_thread(Packer(self.rootfs, layer.uid).merge, lower, folder / "fs")
        # Nobody knows its id: it lives as long as a box rests on it.
        flat = flat.model_copy(update={"deleted": True})
        self.store.save_layer(flat)
        return flat
