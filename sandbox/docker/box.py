"""One Docker box: a container whose first process is our supervisor."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.box import BoxState, Freeze, FreezeReport
from sandbox.docker.engine import Engine
from sandbox.docker.wire import Wire
from sandbox.errors import BoxDead, ImageCorrupt
from sandbox.image import Manifest, Part
from sandbox.limits import ControlGroup
from sandbox.link import SupervisorLink
from sandbox.linked import LinkedBox
from sandbox.running import Running
from sandbox.store import BoxRecord
from sandbox.watch import Watch, bytes_below

if TYPE_CHECKING:
    from sandbox.docker.driver import DockerDriver

_END_S = 3
_NOWHERE = Path("/nonexistent")


@dataclass(slots=True)
class DockerRunning(Running):
    """A started container and the copying of its stdin and stdout."""

    link: SupervisorLink
    wire: Wire
    engine: Engine
    container: str

    async def stop(self) -> None:
        frozen = self.link.stopped
        self.link.close()
        if not frozen:
            # It ends by itself when nobody speaks to it. Killed at that moment, gVisor with many processes left containerd waiting for
            # up to a minute.
            await self.engine.ended(self.container, _END_S)
        await self.engine.kill(self.container)
        await self.wire.close()


class DockerBox(LinkedBox):
    """Its files are the container's; a cold box is an image without a container."""

    def __init__(self, driver: DockerDriver, record: BoxRecord) -> None:
        super().__init__(driver.store, record, driver.gateway)
        self.host = driver
        self._group = ControlGroup(record.id)
        self._upper = _NOWHERE

    @property
    def tag(self) -> str:
        """The image of the box while it is frozen cold."""
        return f"box-review-frozen:{self.id}"

    async def boot(self) -> None:
        await self.halt()
        engine = self.host.engine
        if not self.record.container:
            limits = self.limits if engine.shares_kernel else self.limits.around_own_kernel()
            mounts = [*self.host.mounts, *self.mounts]
            self.record.container = await engine.create(self.id, self.record.base, self.host.command(self.limits), mounts, limits)
            self.store.save_box(self.record)
        else:
            await engine.kill(self.record.container)  # of a server that was killed
        wire = Wire(await engine.attach(self.record.container))
        link = SupervisorLink(self.id, self.callbacks)
        link.attach(*[wire.link_end.detach()] * 2)
        running = DockerRunning(link, wire, engine, self.record.container)
        try:
            await engine.start(self.record.container)
            await link.wait_ready()
            state = await engine.inspect(self.record.container)
        except (BoxDead, TimeoutError) as error:
            await running.stop()
            raise BoxDead(f"the container of box {self.id} did not start its first process: {error}") from error
        except BaseException:
            await running.stop()
            raise
        self._group = ControlGroup.around(state["State"]["Pid"])
        self._upper = Path((state.get("GraphDriver", {}).get("Data") or {}).get("UpperDir", _NOWHERE))
        self.up(running)
        self.save(BoxState.IDLE)

    @property
    def group(self) -> ControlGroup:
        return self._group

    def watch(self, running: Running) -> Watch:
        watch = Watch(running.link)
        watch.disk(self._written, self.limits.disk_bytes)
        if not self.host.engine.shares_kernel:
            watch.memory(self.limits.memory_bytes)
            watch.pids(self.limits.pids)
        return watch

    async def _written(self) -> int:
        """Bytes in the container's own layer; only the engine can tell where that is not readable."""
        if os.access(self._upper, os.R_OK | os.X_OK):
            return await asyncio.to_thread(bytes_below, self._upper)
        return await self.host.engine.written_bytes(self.record.container)

    async def take_snapshot(self) -> str:
        async with self._lock, self.quiet():
            layer, _ = self.store.new_layer(None, ())
            if self.record.frozen is Freeze.COLD and self.record.image is not None:
                await self.host.engine.retag(self.tag, self.host.snapshot_tag(layer.id))
            else:
                await self.host.engine.commit(self.record.container, self.host.snapshot_tag(layer.id))
            self.store.save_layer(layer)
            return layer.id

    async def freeze_cold(self, running: Running | None) -> FreezeReport:
        ended = await self.end_programs(running)
        digest, size = await self.host.engine.commit(self.record.container, self.tag)
        await self.halt()
        await self.host.engine.remove(self.record.container)
        image = Part(bytes=size, sha256=digest.removeprefix("sha256:"))
        self.record.container = ""
        self.record.image = Manifest(driver=self.driver, box_id=self.id, frozen_at=time.time(), layers=(), parts={self.tag: image})
        self.save(BoxState.PAUSED, Freeze.COLD)
        return FreezeReport(Freeze.COLD, memory=False, processes=ended, image_bytes=size)

    async def thaw(self) -> str | None:
        image = self.record.image
        if image is not None:
            written = f"sha256:{image.parts[self.tag].sha256}"
            digest = await self.host.engine.digest(self.tag)
            if digest != written:
                raise ImageCorrupt(f"the Docker image {self.tag} is {digest or 'gone'}, where {written} was frozen")
            self.record.base, self.record.image = written, None
        await self.boot()
        if image is not None:
            await self.host.engine.untag(self.tag)
        return None

    async def give_up_memory(self) -> None:
        await self.halt()
        self.save(BoxState.PAUSED, Freeze.COLD)

    async def discard(self) -> None:
        self.host.forget(self.id)
        if self.record.container:
            await self.host.engine.remove(self.record.container)
        await self.host.engine.untag(self.tag)
        folder = self.store.discard(self.folder)
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder)
