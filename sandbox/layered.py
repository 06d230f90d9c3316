"""Drivers whose boxes are overlay layers below one data directory: making, forking, sweeping them."""

from __future__ import annotations

import abc
import asyncio
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from sandbox.box import Box, BoxSpec, BoxState, Capabilities, Driver, Freeze
from sandbox.errors import BoxNotFound, SandboxError
from sandbox.image import Packer, share
from sandbox.layered_box import LayeredBox
from sandbox.limits import sweep_groups
from sandbox.rootfs import BOX_FOLDERS, Rootfs, build
from sandbox.store import BoxRecord, LayerRecord, LimitsRecord, Store
from sandbox.transfer import Carrier
from sandbox.users import own, pick_uid

log = structlog.get_logger()

MAX_LAYERS = 30  # beyond this the layers of a snapshot are copied into one


class LayeredDriver(Driver):
    """Keeps its boxes below `data_dir`, which it holds alone while it is open."""

    def __init__(self, data_dir: Path) -> None:
        self.store = Store(data_dir)
        self._data_dir = data_dir
        self._boxes: dict[str, LayeredBox] = {}
        self._capabilities: Capabilities | None = None
        self._rootfs: Rootfs | None = None
        self._removals: dict[Path, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.store.open)
        try:
            self._rootfs = await asyncio.to_thread(build, self._data_dir)
            await self._take_over()
            self._capabilities = self.find_capabilities()
        except BaseException:
            self.store.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await asyncio.gather(*(box.put_down() for box in self._boxes.values()))
        if self._removals:
            await asyncio.gather(*self._removals.values(), return_exceptions=True)
        self.store.close()

    @property
    def rootfs(self) -> Rootfs:
        """What boxes start from."""
        if self._rootfs is None:
            raise SandboxError("the driver is not open")
        return self._rootfs

    @property
    def capabilities(self) -> Capabilities:
        if self._capabilities is None:
            raise SandboxError("the driver is not open")
        return self._capabilities

    async def create(self, spec: BoxSpec) -> Box:
        self.store.check_room()
        layer = self.store.layer(spec.snapshot) if spec.snapshot else None
        if layer is not None and len(layer.layers) > MAX_LAYERS:
            layer = await self._flatten(layer)
        uid = layer.uid if layer else pick_uid(self.store.uids())
        box_id, folder = self.store.new_box(uid)
        record = BoxRecord(
            id=box_id,
            driver=self.name,
            created_at=datetime.now(UTC),
            expires_at=None if spec.ttl_s is None else datetime.now(UTC) + timedelta(seconds=spec.ttl_s),
            uid=uid,
            layers=layer.layers if layer else (),
            limits=LimitsRecord(**asdict(spec.limits)),
            env=dict(spec.env),
            mounts=tuple((str(mount.source), mount.target) for mount in spec.mounts),
            labels=dict(spec.labels),
            keep_alive=spec.keep_alive,
            before_freeze=spec.before_freeze,
            after_resume=spec.after_resume,
        )
        for name in ("upper", "work", *(() if layer else (f"upper/{part}" for part in BOX_FOLDERS))):
            (folder / name).mkdir(mode=0o700 if name == "work" else 0o755)
            own(folder / name, uid)
        if layer is None:
            for name in ("tmp", "var/tmp"):
                (folder / "upper" / name).chmod(0o1777)
        box = self._adopt(record)
        self.store.save_box(record)
        try:
            await box.boot()
        except BaseException:
            await box.delete()
            raise
        return box

    def get(self, box_id: str) -> LayeredBox:
        box = self._boxes.get(box_id)
        if box is None:
            raise BoxNotFound(f"no box {box_id!r}")
        return box

    def boxes(self) -> list[Box]:
        return sorted(self._boxes.values(), key=lambda box: box.created_at)

    async def fork(self, box: Box, spec: BoxSpec | None = None) -> Box:
        source = self.get(box.id)
        if spec is None and source.record.image is not None and source.record.image.memory:
            return await self._fork_frozen(source)
        snapshot = await source.snapshot()
        given = spec or BoxSpec(limits=source.limits, env=source.record.env, mounts=source.mounts, labels=source.record.labels)
        try:
            return await self.create(replace(given, snapshot=snapshot))
        finally:
            await self.delete_snapshot(snapshot)  # its files stay while a box rests on them

    async def _fork_frozen(self, source: LayeredBox) -> Box:
        """A copy of a box that is frozen with its memory: the image is shared, the processes go on in both."""
        async with source.kept() as image:
            box_id, folder = self.store.new_box(source.record.uid)
            await asyncio.to_thread(share, source.folder / "image", folder / "image")
        update = {"id": box_id, "created_at": datetime.now(UTC), "expires_at": None, "image": image}
        forked = self._adopt(source.record.model_copy(update=update))
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
            await asyncio.to_thread(Carrier(self.store, self.rootfs).write, box.record, folder)

    async def carry_in(self, folder: Path) -> Box:
        return self._adopt(await asyncio.to_thread(Carrier(self.store, self.rootfs).read, folder))

    async def freeze_idle(self, warm_after_s: float, cold_after_s: float) -> None:
        for box in list(self._boxes.values()):
            try:
                await box.settle(warm_after_s, cold_after_s)
            except (SandboxError, OSError) as error:
                log.warning("an idle box was not frozen; it is tried again", box=box.id, error=str(error))

    async def delete_snapshot(self, snapshot_id: str) -> None:
        record = self.store.layer(snapshot_id)
        self.store.save_layer(record.model_copy(update={"deleted": True}))

    async def sweep(self) -> None:
        now = datetime.now(UTC)
        for box in list(self._boxes.values()):
            if box.record.expires_at is not None and box.record.expires_at < now:
                await box.delete()
        self.store.discard_unused()
        for folder, uid in self.store.trash():
            self.remove_later(folder, uid)

    @abc.abstractmethod
    def new_box(self, record: BoxRecord) -> LayeredBox:
        """The box of a record, not yet started."""

    @abc.abstractmethod
    def find_capabilities(self) -> Capabilities:
        """See `capabilities`."""

    def forget(self, box_id: str) -> None:
        """A box was deleted."""
        self._boxes.pop(box_id, None)

    def remove_later(self, folder: Path, uid: int | None) -> None:
        """Remove a discarded folder without making anyone wait; what fails stays for the next sweep."""
        if folder not in self._removals:
            self._removals[folder] = asyncio.ensure_future(self._remove(folder, uid))

    async def _remove(self, folder: Path, uid: int | None) -> None:
        try:
            await asyncio.to_thread(Packer(self.rootfs, uid).remove, folder)
            await asyncio.to_thread(folder.rmdir)
        except (SandboxError, OSError) as error:
            log.warning("a deleted box's files remain", folder=str(folder), error=str(error))
        finally:
            del self._removals[folder]

    def _adopt(self, record: BoxRecord) -> LayeredBox:
        box = self.new_box(record)
        self._boxes[record.id] = box
        return box

    async def _take_over(self) -> None:
        """Boxes that lived when the last server died have lost their processes, not their files: they are paused."""
        for record in self.store.box_records():
            if record.state in (BoxState.IDLE, BoxState.RUNNING) or record.frozen is Freeze.WARM:
                record.state, record.frozen = BoxState.PAUSED, Freeze.COLD
                record.frozen_at = record.frozen_at or datetime.now(UTC)
                self.store.save_box(record)
            box = self._adopt(record)
            if record.state is BoxState.CREATING:
                await box.delete()
        sweep_groups(frozenset())
        await self.sweep()

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
