"""A box as its record says: what it was made with, where it lies, what it may reach."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sandbox.box import BoxSpec, BoxState, Freeze, Mount
from sandbox.box_files import BoxFiles
from sandbox.gateway.authority import trust_env
from sandbox.gateway.gateway import Gateway
from sandbox.gateway.headers import AttachedHeaders
from sandbox.gateway.policy import NetworkPolicy
from sandbox.gateway.settings import proxy_env
from sandbox.limits import Limits
from sandbox.rootfs import TRUST
from sandbox.store import BoxRecord, Store, limits_of


class RecordedBox(BoxFiles):
    """What of a box needs no processes."""

    def __init__(self, store: Store, record: BoxRecord, gateway: Gateway) -> None:
        self.id = record.id
        self.driver = record.driver
        self.record = record
        self.store = store
        self.gateway = gateway

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
    def mounts(self) -> tuple[Mount, ...]:
        """Pieces of the host it sees."""
        return tuple(Mount(Path(source), target) for source, target in self.record.mounts)

    def spec(self) -> BoxSpec:
        """What a fork of it shall be."""
        record = self.record
        return BoxSpec(
            limits=self.limits,
            env=record.env,
            mounts=self.mounts,
            labels=record.labels,
            keep_alive=record.keep_alive,
            init=record.init,
            before_freeze=record.before_freeze,
            after_resume=record.after_resume,
            network=record.network,
            attach_headers=self.store.headers(self.id),
        )

    @property
    def network(self) -> NetworkPolicy:
        return self.record.network

    def set_network(self, policy: NetworkPolicy) -> None:
        self.gateway.set_policy(self.id, policy)
        self.record.network = policy
        self.store.save_box(self.record)

    def attach_headers(self, headers: Mapping[str, Mapping[str, str]]) -> None:
        merged = self.store.headers(self.id)
        for pattern, values in headers.items():
            merged[pattern] = merged.get(pattern, {}) | dict(values)
        self.gateway.set_headers(self.id, AttachedHeaders(merged))
        self.store.save_headers(self.id, merged)

    @property
    def init(self) -> str:
        return self.record.init

    def set_init(self, command: str) -> None:
        self.record.init = command
        self.store.save_box(self.record)

    def env(self) -> dict[str, str]:
        """What every program finds in its environment: the way to the gateway where there is one."""
        closed = self.record.network.mode == "deny-all" and not self.gateway.has_models(self.id)
        return self.record.env if closed else proxy_env() | trust_env(TRUST) | self.record.env

    @property
    def folder(self) -> Path:
        """Where the host keeps what belongs to it."""
        return self.store.box_dir(self.id)

    def save(self, state: BoxState, frozen: Freeze | None = None) -> None:
        """Move to a state, on disk too."""
        self.record.state, self.record.frozen = state, frozen
        self.record.frozen_at = (self.record.frozen_at or datetime.now(UTC)) if frozen else None
        self.store.save_box(self.record)
