"""Boxes as tenants see them: the driver's boxes under the names, owners and settings of the book."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Literal

import structlog

from runner.api.book import Book, BoxEntry, SnapshotEntry
from runner.api.errors import BadInput, Missing, Taken
from runner.api.wire import MAX_TTL_S, CreateBox
from sandbox.box import Box, BoxSpec, BoxState, Freeze
from sandbox.driver import Driver
from sandbox.errors import BadRequest, BoxBusy, BoxNotFound
from sandbox.gateway.errors import GatewayError
from sandbox.gateway.policy import NetworkPolicy
from sandbox.limits import SIZES

log = structlog.get_logger()

RUNTIMES = ("node", "python", "golang", "ruby", "rust")


class Boxes:
    """Makes, finds, freezes and deletes boxes. One per host."""

    def __init__(self, driver: Driver, book: Book) -> None:
        self.driver, self.book = driver, book
        self._ending: set[asyncio.Future[None]] = set()  # tasks live as long as somebody holds them

    async def create(self, tenant: str, wanted: CreateBox) -> BoxEntry:
        """Make a box that can be used at once. Raises BadInput, Missing, Taken."""
        snapshot = self.book.snapshot(tenant, wanted.snapshot_id) if wanted.snapshot_id else None
        self._check_runtime(wanted.runtime)
        self._check_name(tenant, wanted.name)
        env = self.book.env(tenant) | (snapshot.env if snapshot else {}) | wanted.env_vars
        size = snapshot.size if snapshot and "size" not in wanted.model_fields_set else wanted.size
        ttl_s = (wanted.ttl or MAX_TTL_S) if wanted.ephemeral else None
        spec = BoxSpec(
            snapshot=snapshot.id if snapshot else None,
            limits=SIZES[size],
            env=env,
            labels={"tenant": tenant},
            ttl_s=ttl_s,
            keep_alive=wanted.keep_alive,
            network=wanted.network_policy,
            attach_headers=wanted.attach_headers,
        )
        try:
            box = await self.driver.create(spec)
        except (BadRequest, GatewayError) as error:
            raise BadInput(str(error)) from error
        now = int(time.time())
        entry = BoxEntry(
            id=box.id,
            tenant=tenant,
            created_at=now,
            updated_at=now,
            last_activity_at=now,
            expires_at=now + ttl_s if ttl_s else None,
            env=env,
            size=size,
            runtime=wanted.runtime or (snapshot.runtime if snapshot else None),
            **wanted.model_dump(include={"name", "labels", "keep_alive"}),
            network_policy=wanted.network_policy,
            **wanted.model_dump(include={"git_user_name", "git_user_email"}, exclude_none=True),
        )
        try:
            self.book.add_box(entry)
        except Taken:
            await box.delete()
            raise
        self.book.log(box.id, "system", "box created" + (f" from snapshot {snapshot.id}" if snapshot else ""))
        return entry

    def find(self, tenant: str, reference: str) -> tuple[BoxEntry, Box]:
        """A box that is there, by id or name. Raises Missing."""
        entry = self.book.box(tenant, reference)
        box = self._there(entry)
        if box is None:
            raise Missing(f"no box {reference!r}")
        return entry, box

    def use(self, tenant: str, reference: str) -> tuple[BoxEntry, Box]:
        """The same, for work in it. Raises Missing."""
        entry, box = self.find(tenant, reference)
        entry.last_activity_at = int(time.time())
        self.book.save_box(entry)
        return entry, box

    def list(self, tenant: str, label: str | None = None, *, deleted: bool = False) -> list[dict[str, Any]]:
        """Box objects of a tenant, oldest first."""
        entries = [entry for entry in self.book.boxes(tenant, deleted=deleted) if deleted or self._there(entry) is not None]
        return [self.describe(entry) for entry in entries if label is None or label in entry.labels]

    def describe(self, entry: BoxEntry) -> dict[str, Any]:
        """The box object; what is not set is left out."""
        shown = entry.model_dump(exclude={"tenant", "deleted", "env", "network_policy"}, exclude_none=True)
        shown |= {"customer_id": entry.tenant, "status": self.status(entry), "network_policy": shown_policy(entry.network_policy)}
        shown["labels"] = list(entry.labels)
        if entry.expires_at is not None:
            shown["ephemeral"] = True
        return shown

    def status(self, entry: BoxEntry) -> BoxState:
        """What it does now."""
        box = self._there(entry)
        return BoxState.DELETED if box is None else box.state

    def _there(self, entry: BoxEntry) -> Box | None:
        """The driver's box, None if it is deleted; one past its time is, whether it was swept already or not."""
        if entry.deleted:
            return None
        if entry.expires_at is not None and time.time() >= entry.expires_at:
            self._forget(entry)
            self._end_later(entry.id)
            return None
        try:
            return self.driver.get(entry.id)
        except BoxNotFound:
            self._forget(entry)
            return None

    async def pause(self, entry: BoxEntry, box: Box) -> None:
        """Freeze it to disk; warm where somebody waits for what runs. Pausing a frozen box is no error. Raises Taken."""
        if entry.keep_alive:
            raise Taken(f"box {entry.id} is kept alive and does not pause")
        if box.frozen is not None:
            return
        try:
            await box.freeze(Freeze.COLD)
        except BoxBusy:
            if box.frozen is None:
                await box.freeze(Freeze.WARM)
        self.book.log(entry.id, "system", "box paused")

    async def resume(self, entry: BoxEntry, box: Box) -> None:
        """Bring it back; one that is not frozen stays as it is."""
        if box.frozen is None:
            return
        try:
            report = await box.resume()
        except BoxBusy:
            return  # somebody else was faster
        self.book.log(entry.id, "system", "box resumed" + (f"; {report.note}" if report.note else ""), "warn" if report.note else "info")

    async def delete(self, tenant: str, references: Sequence[str]) -> None:
        """Delete boxes at once; those that are gone already are no error. Raises Missing for the first that never was, after the others."""
        missing = None
        for reference in references:
            try:
                entry = self.book.box(tenant, reference)
            except Missing as error:
                missing = missing or error
                continue
            if not entry.deleted:
                self._forget(entry)
                self._end_later(entry.id)
        if missing is not None:
            raise missing

    def _end_later(self, box_id: str) -> None:
        """Its processes and files go without making anyone wait; nobody can reach it any more."""
        task = asyncio.ensure_future(self._end(box_id))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def settle(self) -> None:
        """Wait until what was deleted has ended."""
        await asyncio.gather(*self._ending)

    async def _end(self, box_id: str) -> None:
        try:
            await self.driver.get(box_id).delete()
        except BoxNotFound:
            return
        except Exception as error:  # a boundary: nobody waits for it, and the sweep tries again
            log.warning("a deleted box could not be ended", box=box_id, error=str(error))

    def set_network(self, entry: BoxEntry, box: Box, policy: NetworkPolicy) -> None:
        """Replace its policy, from now on."""
        box.set_network(policy)
        self.save(entry, network_policy=policy)

    def save(self, entry: BoxEntry, **changes: object) -> BoxEntry:
        """Keep changed settings of a box."""
        changed = entry.model_copy(update={**changes, "updated_at": int(time.time())})
        self.book.save_box(changed)
        return changed

    async def snapshot(self, entry: BoxEntry, box: Box, name: str) -> SnapshotEntry:
        """Keep its files as they are now; the box goes on."""
        made = SnapshotEntry(
            id=await box.snapshot(),
            name=name,
            box_id=entry.id,
            size_bytes=0,
            created_at=int(time.time()),
            size=entry.size,
            runtime=entry.runtime,
            env=entry.env,
        )
        self.book.add_snapshot(entry.tenant, made)
        return made

    async def fork(self, entry: BoxEntry, box: Box) -> BoxEntry:
        """A copy of a box, with its settings, its headers and, if it is frozen with its memory, its programs; without its name."""
        made = await self.driver.fork(box)
        now = int(time.time())
        update = {"id": made.id, "name": None, "expires_at": None, "created_at": now, "updated_at": now, "last_activity_at": now}
        forked = entry.model_copy(update=update)
        self.book.add_box(forked)
        self.book.log(made.id, "system", f"box forked from {entry.id}")
        return forked

    async def delete_snapshots(self, tenant: str, ids: Sequence[str] | Literal["all"]) -> int:
        """Forget snapshots; returns how many there were."""
        known = {entry.id for entry in self.book.snapshots(tenant)}
        doomed = known if ids == "all" else known & set(ids)
        for snapshot_id in doomed:
            self.book.remove_snapshot(tenant, snapshot_id)
            try:
                await self.driver.delete_snapshot(snapshot_id)
            except BoxNotFound:
                continue
        return len(doomed)

    def _forget(self, entry: BoxEntry) -> None:
        entry.deleted = True
        self.book.save_box(entry)
        self.book.forget_box(entry.id)

    def _check_name(self, tenant: str, name: str | None) -> None:
        if name is not None and self.book.has_name(tenant, name):
            raise Taken(f"there is a box called {name!r} already")

    def _check_runtime(self, runtime: str | None) -> None:
        if runtime is not None and runtime.removesuffix("-alpine") not in RUNTIMES:
            raise BadInput(f"there is no runtime {runtime!r}; known are {', '.join(RUNTIMES)}")


def shown_policy(policy: NetworkPolicy) -> dict[str, Any]:
    """A policy as it was given: lists that are not set are left out."""
    shown: dict[str, Any] = {"mode": policy.mode}
    for name in ("allowed_domains", "allowed_cidrs", "denied_cidrs"):
        if values := getattr(policy, name):
            shown[name] = [str(value) for value in values]
    return shown
