"""Makes Docker boxes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
from pathlib import Path

import structlog
from pydantic import ValidationError

from sandbox.box import Box, BoxSpec, Mount
from sandbox.docker.box import DockerBox
from sandbox.docker.engine import Engine
from sandbox.driver import Capabilities
from sandbox.errors import BoxBusy, BoxNotFound, HostUnfit, ImageCorrupt, SandboxError
from sandbox.gateway.settings import PORT
from sandbox.image import Part, measure
from sandbox.limits import Limits
from sandbox.store import BoxRecord
from sandbox.stored import StoredDriver, WayOut

log = structlog.get_logger()

_SNAPSHOTS = "box-review-snapshot"


class DockerDriver(StoredDriver[DockerBox]):
    """Boxes as containers; records below `data_dir`, files with the engine."""

    name = "docker"

    def __init__(self, data_dir: Path, way_out: WayOut | None = None, *, runtime: str = "", image: str = "") -> None:
        """Args:
        runtime: `runc`, `runsc`, or empty for the better one the engine has.
        image: what boxes start from, with a Python 3.8 or newer in it; empty takes the host's own programs.
        """
        super().__init__(data_dir, way_out)
        self._runtime, self._image = runtime, image
        self._engine: Engine | None = None
        self._base = ""

    async def set_up(self, opened: contextlib.AsyncExitStack) -> None:
        owner = hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:16]
        self._engine = await Engine.connect(owner, self._runtime)
        opened.push_async_callback(self._engine.close)
        self._check_runtime()
        await super().set_up(opened)
        self._base = await self._find_image() if self._image else await self.engine.base_image(self.rootfs)

    @property
    def engine(self) -> Engine:
        """The Docker engine."""
        if self._engine is None:
            raise SandboxError("the driver is not open")
        return self._engine

    @property
    def capabilities(self) -> Capabilities:
        kernel = "the host's kernel" if self.engine.shares_kernel else "gVisor's kernel"
        return Capabilities(
            isolation=f"Docker container on {kernel}: uid 1000, no capabilities, no new privileges, system call filter, no network",
            limits=frozenset({"memory", "cpu", "disk"} | ({"pids"} if self.engine.shares_kernel else set())),
            notices=(),
            freezes_memory=False,
            own_kernel=not self.engine.shares_kernel,
        )

    @property
    def mounts(self) -> list[Mount]:
        """What every box sees of the host."""
        programs = [] if self._image else [Mount(Path(path), path) for path in self.rootfs.programs]
        return [*programs, Mount(self.rootfs.runtime, "/.box")]

    def command(self, limits: Limits) -> list[str]:
        """The first process."""
        python, *rest = self.rootfs.supervisor
        own_kernel = () if self.engine.shares_kernel else ("keys", "user=1000")
        arguments = [f"{PORT}=gateway", *limits.rlimits({"memory", "pids"}), *own_kernel, "filter=/.box/seccomp.bpf"]
        return ["python3" if self._image else python, *rest, *arguments]

    def snapshot_tag(self, snapshot_id: str) -> str:
        """The image of a snapshot."""
        return f"{_SNAPSHOTS}:{snapshot_id}"

    async def make(self, spec: BoxSpec) -> DockerBox:
        base = self._base
        if spec.snapshot:
            self.store.layer(spec.snapshot)
            base = await self.engine.digest(self.snapshot_tag(spec.snapshot)) or ""
            if not base:
                raise BoxNotFound(f"no snapshot {spec.snapshot!r}: the Docker engine has lost its image")
        box_id, _ = self.store.new_box(None)
        return await self.start(self.record(box_id, spec, base=base), spec.attach_headers)

    async def snapshot_bytes(self, snapshot_id: str) -> int:
        self.store.layer(snapshot_id)
        return await self.engine.added_bytes(self.snapshot_tag(snapshot_id))

    async def delete_snapshot(self, snapshot_id: str) -> None:
        await super().delete_snapshot(snapshot_id)
        await self.engine.untag(self.snapshot_tag(snapshot_id))

    async def carry_out(self, box_id: str, folder: Path) -> None:
        box = self.get(box_id)
        if box.record.image is None:
            raise BoxBusy(f"box {box_id} is not frozen cold")
        await asyncio.to_thread(folder.mkdir, parents=True)
        await self.engine.save(box.tag, folder / "image.tar")
        part = await asyncio.to_thread(measure, folder / "image.tar")
        (folder / "image.json").write_text(part.model_dump_json(), encoding="utf-8")
        (folder / "box.json").write_text(box.record.model_dump_json(), encoding="utf-8")

    async def carry_in(self, folder: Path) -> Box:
        record, archive = await asyncio.to_thread(_carried, folder)
        if record.id in self.known:
            raise BoxBusy(f"box {record.id} is here already")
        await self.engine.load(archive)
        self.store.adopt_box(record.id, None)
        self.store.save_box(record)
        return self.adopt(record)

    async def sweep(self) -> None:
        await self.delete_expired()
        self.store.discard_unused()
        for folder, _ in self.store.trash():
            await asyncio.to_thread(shutil.rmtree, folder, onerror=_tell)
        for name, container in (await self.engine.containers()).items():
            if name not in self.known:
                await self.engine.remove(container)
        for tag in await self.engine.tags(_SNAPSHOTS):
            if tag.partition(":")[2] not in {layer.id for layer in self.store.layer_records() if not layer.deleted}:
                await self.engine.untag(tag)
        await self.engine.prune()

    def new_box(self, record: BoxRecord) -> DockerBox:
        return DockerBox(self, record)

    async def _find_image(self) -> str:
        digest = await self.engine.digest(self._image)
        if digest is None:
            raise HostUnfit(f"the Docker engine has no image {self._image!r}; build or pull it first (make image, docker pull)")
        return digest

    def _check_runtime(self) -> None:
        """Under gVisor, files must lie where the engine can see them."""
        if not self.engine.shares_kernel and "--overlay2=none" not in self.engine.runtime_args:
            raise HostUnfit(
                "Docker's runtime runsc keeps files where snapshots cannot find them: add "
                '"runtimeArgs": ["--overlay2=none"] to it in /etc/docker/daemon.json and restart Docker, or set BOX_DOCKER_RUNTIME=runc'
            )


def _tell(_call: object, path: str, error: tuple[object, BaseException, object]) -> None:
    """A file that could not be removed stays for the next sweep."""
    log.warning("a deleted box's files remain", file=path, error=str(error[1]))


def _carried(folder: Path) -> tuple[BoxRecord, Path]:
    """What a folder says it holds, and that it is as it was written."""
    archive = folder / "image.tar"
    try:
        record = BoxRecord.model_validate_json((folder / "box.json").read_bytes())
        written = Part.model_validate_json((folder / "image.json").read_bytes())
        found = measure(archive)
    except (OSError, ValidationError) as error:
        raise ImageCorrupt(f"{folder} does not hold a carried box: {error}") from error
    if found != written or record.image is None:
        raise ImageCorrupt(f"{archive} does not match what was written; the carried box is damaged")
    return record, archive
