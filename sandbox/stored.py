"""What drivers have in common that keep records of their boxes below a data directory."""

from __future__ import annotations

import abc
import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import structlog

from sandbox.box import Box, BoxSpec, BoxState, Freeze
from sandbox.driver import Driver
from sandbox.errors import BoxNotFound, SandboxError
from sandbox.gateway.access import BoxAccess, Host
from sandbox.gateway.authority import Authority
from sandbox.gateway.gateway import Gateway
from sandbox.gateway.headers import AttachedHeaders
from sandbox.gateway.provider import ModelSettings
from sandbox.gateway.settings import GatewaySettings
from sandbox.linked import LinkedBox
from sandbox.rootfs import Rootfs, build
from sandbox.standby import SPARE, Standby
from sandbox.store import BoxRecord, LimitsRecord, Store

log = structlog.get_logger()

_B = TypeVar("_B", bound=LinkedBox)


@dataclass(frozen=True, slots=True)
class WayOut:
    """How the gateway of a host is set up.

    Attributes:
        settings: ports, limits and exceptions.
        models: providers of models and how they are asked.
        host: makes what boxes share on their way out; tests put an internet of their own there.
    """

    settings: GatewaySettings = field(default_factory=GatewaySettings)
    models: ModelSettings | None = None
    host: Callable[[GatewaySettings, Authority], Host] = Host

    def gateway(self, authority: Authority) -> Gateway:
        """The gateway, not yet serving."""
        return Gateway(self.host(self.settings, authority), self.models)


class StoredDriver(Driver, Generic[_B]):
    """Keeps its boxes below `data_dir`, which it holds alone while it is open."""

    def __init__(self, data_dir: Path, way_out: WayOut | None = None) -> None:
        self.store = Store(data_dir)
        self.data_dir = data_dir
        self.known: dict[str, _B] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._way_out = way_out or WayOut()
        self._gateway: Gateway | None = None
        self._rootfs: Rootfs | None = None
        self._opened = contextlib.AsyncExitStack()
        self._standby: Standby[_B] = Standby(self._make_spare)

    @property
    def gateway(self) -> Gateway:
        if self._gateway is None:
            raise SandboxError("the driver is not open")
        return self._gateway

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as opened:
            await asyncio.to_thread(self.store.open)
            opened.callback(self.store.close)
            await self.set_up(opened)
            opened.push_async_callback(self._put_down)
            await opened.enter_async_context(self.gateway)
            await self.take_over()
            opened.push_async_callback(self.sweep)  # some of what was deleted could not go while boxes rested on it
            self._opened = opened.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._opened.aclose()

    async def set_up(self, opened: contextlib.AsyncExitStack) -> None:
        """Make what boxes need of this host. Raises HostUnfit."""
        await asyncio.to_thread(self.prepare)

    async def take_over(self) -> None:
        """Boxes that lived when the last server died have lost their processes, not their files: they are paused."""
        for record in self.store.box_records():
            if record.driver != self.name:
                continue
            self.mend(record)
            if record.state in (BoxState.IDLE, BoxState.RUNNING) or record.frozen is Freeze.WARM:
                record.state, record.frozen = BoxState.PAUSED, Freeze.COLD
                record.frozen_at = record.frozen_at or datetime.now(UTC)
                self.store.save_box(record)
            box = self.adopt(record)
            if record.state is BoxState.CREATING:
                await box.delete()
        await self.sweep()

    def mend(self, record: BoxRecord) -> None:
        """Correct what a server that died may have left wrong in a record."""

    async def _put_down(self) -> None:
        """End what runs, after freezing what can be."""
        await self._standby.close()
        await self.finish()
        await asyncio.gather(*(box.put_down() for box in self.known.values()), return_exceptions=True)
        await self.finish()

    def prepare(self) -> None:
        """Make what boxes start from, and the gateway. Raises HostUnfit."""
        self._rootfs = build(self.data_dir)
        authority = Authority(self.data_dir / "authority")
        authority.ca_bundle(self._rootfs.trust)
        self._gateway = self._way_out.gateway(authority)

    @property
    def rootfs(self) -> Rootfs:
        """What boxes start from."""
        if self._rootfs is None:
            raise SandboxError("the driver is not open")
        return self._rootfs

    @abc.abstractmethod
    def new_box(self, record: BoxRecord) -> _B:
        """The box of a record, not yet started."""

    def get(self, box_id: str) -> _B:
        box = self.known.get(box_id)
        if box is None:
            raise BoxNotFound(f"no box {box_id!r}")
        return box

    async def create(self, spec: BoxSpec) -> Box:
        self.check(spec)
        ready = await self._standby.take(spec)
        box = await self.make(spec) if ready is None else self._hand_out(ready, spec)
        try:
            await box.run_init()
        except BaseException:
            await box.delete()
            raise
        return box

    @abc.abstractmethod
    async def make(self, spec: BoxSpec) -> _B:
        """Make a box of a spec that was checked, and start it."""

    def keep_ready(self, count: int) -> None:
        self._standby.keep(count)

    async def _make_spare(self) -> _B:
        """An empty box that is in nobody's list, frozen warm."""
        self.check(SPARE)
        box = await self.make(SPARE)
        del self.known[box.id]
        try:
            await box.freeze(Freeze.WARM)
        except BaseException:
            await box.delete()
            raise
        return box

    def _hand_out(self, box: _B, spec: BoxSpec) -> _B:
        """Make an empty box that waits the one of a spec."""
        was = box.record
        box.record = self.record(box.id, spec, uid=was.uid, layers=was.layers, base=was.base)
        box.record.state, box.record.container = was.state, was.container
        self.store.save_headers(box.id, spec.attach_headers)
        self.store.save_box(box.record)
        self.know(box)
        return box

    def boxes(self) -> list[Box]:
        listed = [box for box in self.known.values() if box.record.labels != SPARE.labels]  # one that is just being made ahead is known
        return sorted(listed, key=lambda box: box.created_at)

    def check(self, spec: BoxSpec) -> None:
        """Refuse what no box can be made of, before anything is made. Raises DiskFull, BadRequest."""
        self.store.check_room()
        AttachedHeaders(spec.attach_headers)

    async def delete_snapshot(self, snapshot_id: str) -> None:
        record = self.store.layer(snapshot_id)
        self.store.save_layer(record.model_copy(update={"deleted": True}))

    async def fork(self, box: Box, spec: BoxSpec | None = None) -> Box:
        source = self.get(box.id)
        snapshot = await source.snapshot()
        given = spec or source.spec()
        try:
            return await self.create(replace(given, snapshot=snapshot))
        finally:
            await self.delete_snapshot(snapshot)  # its files stay while a box rests on them

    async def freeze_idle(self, warm_after_s: float, cold_after_s: float) -> None:
        for box in list(self.known.values()):
            try:
                await box.settle(warm_after_s, cold_after_s)
            except (SandboxError, OSError) as error:
                log.warning("an idle box was not frozen; it is tried again", box=box.id, error=str(error))

    async def delete_expired(self) -> None:
        """Delete boxes past their time."""
        now = datetime.now(UTC)
        for box in list(self.known.values()):
            if box.record.expires_at is not None and box.record.expires_at < now:
                await box.delete()

    def record(self, box_id: str, spec: BoxSpec, *, uid: int | None = None, layers: tuple[str, ...] = (), base: str = "") -> BoxRecord:
        """The record of a new box."""
        return BoxRecord(
            id=box_id,
            driver=self.name,
            created_at=datetime.now(UTC),
            expires_at=None if spec.ttl_s is None else datetime.now(UTC) + timedelta(seconds=spec.ttl_s),
            uid=uid,
            layers=layers,
            base=base,
            limits=LimitsRecord(**asdict(spec.limits)),
            env=dict(spec.env),
            mounts=tuple((str(mount.source), mount.target) for mount in spec.mounts),
            labels=dict(spec.labels),
            keep_alive=spec.keep_alive,
            init=spec.init,
            before_freeze=spec.before_freeze,
            after_resume=spec.after_resume,
            network=spec.network,
        )

    async def start(self, record: BoxRecord, headers: Mapping[str, Mapping[str, str]]) -> _B:
        """Keep and boot a new box; one that does not start is deleted."""
        self.store.save_headers(record.id, headers)
        box = self.adopt(record)
        self.store.save_box(record)
        booting = asyncio.ensure_future(box.boot())
        try:
            await asyncio.shield(booting)
        except asyncio.CancelledError:
            self.later(self._abandon(box, booting))
            raise
        except BaseException:
            await box.delete()
            raise
        return box

    async def _abandon(self, box: _B, booting: asyncio.Future[None]) -> None:
        """Delete a box that nobody will know of, once its start has come to its end."""
        await asyncio.wait([booting])
        if not booting.cancelled():
            booting.exception()
        await box.delete()

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something without making anyone wait."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for all that was put off."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def adopt(self, record: BoxRecord) -> _B:
        """Know a box from here on."""
        box = self.new_box(record)
        self.know(box)
        return box

    def know(self, box: _B) -> None:
        """Have it in the lists, and let it out as its record says."""
        headers = AttachedHeaders(self.store.headers(box.id))
        self.known[box.id] = box
        self.gateway.attach(box.id, BoxAccess(policy=box.record.network, headers=headers))

    def forget(self, box_id: str) -> None:
        """A box was deleted."""
        self.known.pop(box_id, None)
        self.store.forget_headers(box_id)
