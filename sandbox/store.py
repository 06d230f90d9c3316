"""What a host keeps of its boxes beside their files: records, layers, and what still rests on which.

    boxes/<id>/   box.json  upper/  work/  image/
    layers/<id>/  layer.json  fs/
    secrets/      headers that the gateway adds for a box; closed to everyone but the server
    trash/        what is being removed

A record is replaced in one step, so a crash leaves the old or the new one. Losing the queue loses no box.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from sandbox.box import BoxState, Freeze
from sandbox.errors import BoxNotFound, DiskFull, HostUnfit
from sandbox.gateway.policy import NetworkPolicy
from sandbox.image import Manifest
from sandbox.limits import Limits
from sandbox.users import own

log = structlog.get_logger()

BOX_ID = re.compile(r"^bx[0-9a-f]{16}$")
LAYER_ID = re.compile(r"^sn[0-9a-f]{14}$")
MIN_FREE_BYTES = 64 << 20
_M = TypeVar("_M", bound=BaseModel)


class LimitsRecord(BaseModel):
    """`sandbox.limits.Limits` on disk."""

    memory_bytes: int
    pids: int
    cpus: float
    disk_bytes: int


class BoxRecord(BaseModel):
    """One box. `layers` are the snapshot layers under its upper one, lowest first; `uid` is None where boxes run as the server's user;
    `base` and `container` are Docker's ids of the image it started from and of its container, where it has one."""

    id: str
    driver: str
    created_at: datetime
    expires_at: datetime | None = None
    state: BoxState = BoxState.CREATING
    frozen: Freeze | None = None
    frozen_at: datetime | None = None
    uid: int | None
    layers: tuple[str, ...]
    base: str = ""
    container: str = ""
    limits: LimitsRecord
    env: dict[str, str]
    mounts: tuple[tuple[str, str], ...]
    labels: dict[str, str]
    keep_alive: bool = False
    init: str = ""
    before_freeze: str = ""
    after_resume: str = ""
    network: NetworkPolicy = NetworkPolicy(mode="deny-all")
    image: Manifest | None = None


class LayerRecord(BaseModel):
    """One snapshot: its own files over `below`, lowest first. Deleted ones stay while something rests on them."""

    id: str
    created_at: datetime
    uid: int | None
    below: tuple[str, ...]
    deleted: bool = False

    @property
    def layers(self) -> tuple[str, ...]:
        """All layers of the snapshot, lowest first."""
        return (*self.below, self.id)


class Store:
    """Records and folders below one data directory, held by one process at a time."""

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir
        self._boxes, self._layers, self._trash = data_dir / "boxes", data_dir / "layers", data_dir / "trash"
        self._secrets = data_dir / "secrets"
        self._lock: int | None = None
        self._making: set[str] = set()  # folders that have no record yet, and that a sweep must spare

    def open(self) -> None:
        """Make the folders and take the lock. Raises HostUnfit when another process holds it, or the place cannot be used."""
        try:
            for folder in (self.root, self._boxes, self._layers, self._trash):
                folder.mkdir(parents=True, exist_ok=True)
                if os.geteuid() == 0 and folder is not self.root:
                    folder.chmod(0o711)
            self._secrets.mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(self._boxes / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostUnfit(
                f"the data directory {self.root} cannot be used: {error.strerror} ({error.filename}); set BOX_DATA_DIR"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            self._lock = None
            raise HostUnfit(f"another process holds the boxes in {self.root}; stop it or set BOX_DATA_DIR to another folder") from error
        self._check_reachable()

    def _check_reachable(self) -> None:
        """A server that runs as root starts boxes as users who must be able to walk to their files."""
        if os.geteuid() != 0:
            return
        for folder in [self.root.resolve(), *self.root.resolve().parents]:
            if not folder.stat().st_mode & 0o001:
                raise HostUnfit(
                    f"box users cannot reach the data directory {self.root}: {folder} is closed to others "
                    f"(mode {folder.stat().st_mode & 0o7777:o}); chmod o+x {folder}, or set BOX_DATA_DIR to e.g. /var/lib/box-review"
                )

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def check_room(self, need_bytes: int = MIN_FREE_BYTES) -> None:
        """Raises DiskFull if fewer bytes are free."""
        free = shutil.disk_usage(self.root).free
        if free < need_bytes:
            raise DiskFull(
                28, f"{self.root} has {free >> 20} MB left and {need_bytes >> 20} MB are needed; free some space or set BOX_DATA_DIR"
            )

    def new_box(self, uid: int | None) -> tuple[str, Path]:
        """Id and folder of a new box; only the box's user can enter it."""
        box_id = "bx" + secrets.token_hex(8)
        return box_id, self.adopt_box(box_id, uid)

    def adopt_box(self, box_id: str, uid: int | None) -> Path:
        """Make the folder of a box that comes with its id; returns it."""
        return self._make(self.box_dir(box_id), uid)

    def box_dir(self, box_id: str) -> Path:
        """A box's folder. Raises BoxNotFound for what is not an id."""
        if not BOX_ID.match(box_id):
            raise BoxNotFound(f"no box {box_id!r}")
        return self._boxes / box_id

    def layer_fs(self, layer_id: str) -> Path:
        """The files of a layer."""
        return self._layers / layer_id / "fs"

    def new_layer(self, uid: int | None, below: tuple[str, ...]) -> tuple[LayerRecord, Path]:
        """A new layer's record, not yet saved, and its folder without `fs`."""
        layer_id = "sn" + secrets.token_hex(7)
        return LayerRecord(id=layer_id, created_at=datetime.now(UTC), uid=uid, below=below), self.adopt_layer(layer_id, uid)

    def save_box(self, record: BoxRecord) -> None:
        """Replace a box's record."""
        _save(self._boxes / record.id / "box.json", record)
        self._making.discard(record.id)

    def save_headers(self, box_id: str, headers: Mapping[str, Mapping[str, str]]) -> None:
        """Keep the headers that are added to a box's requests, where only the server can read them."""
        if headers:
            part = self._secrets / f"{box_id}.part"
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
                json.dump({pattern: dict(values) for pattern, values in headers.items()}, opened)
            part.replace(self._secrets / f"{box_id}.json")

    def headers(self, box_id: str) -> dict[str, dict[str, str]]:
        """What `save_headers` kept."""
        try:
            found: dict[str, dict[str, str]] = json.loads((self._secrets / f"{box_id}.json").read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def forget_headers(self, box_id: str) -> None:
        """The box was deleted."""
        (self._secrets / f"{box_id}.json").unlink(missing_ok=True)

    def save_layer(self, record: LayerRecord) -> None:
        """Replace a layer's record."""
        _save(self._layers / record.id / "layer.json", record)
        self._making.discard(record.id)

    def layer(self, layer_id: str) -> LayerRecord:
        """A snapshot that was not deleted. Raises BoxNotFound."""
        record = _load(self._layers / layer_id / "layer.json", LayerRecord) if LAYER_ID.match(layer_id) else None
        if record is None or record.deleted:
            raise BoxNotFound(f"no snapshot {layer_id!r}")
        return record

    def box_records(self) -> Iterator[BoxRecord]:
        """All boxes whose record can be read."""
        for folder in sorted(self._boxes.glob("bx*")):
            record = _load(folder / "box.json", BoxRecord)
            if record is not None:
                yield record

    def layer_records(self) -> Iterator[LayerRecord]:
        """All layers whose record can be read, deleted ones too."""
        for folder in sorted(self._layers.glob("sn*")):
            record = _load(folder / "layer.json", LayerRecord)
            if record is not None:
                yield record

    def layers_of(self, record: BoxRecord) -> list[LayerRecord]:
        """The layers a box rests on, lowest first. Raises BoxNotFound if one is gone."""
        layers = {layer.id: layer for layer in self.layer_records()}
        try:
            return [layers[layer_id] for layer_id in record.layers]
        except KeyError as error:
            raise BoxNotFound(f"layer {error} of box {record.id} is gone") from error

    def uids(self) -> set[int]:
        """Uids in use."""
        uids = [record.uid for record in self.box_records()] + [record.uid for record in self.layer_records()]
        return {uid for uid in uids if uid is not None}

    def discard(self, folder: Path) -> Path | None:
        """Move a folder out of sight in one step; returns where it lies now, None if it was gone."""
        target = self._trash / secrets.token_hex(8)
        try:
            folder.rename(target)
        except FileNotFoundError:
            return None
        return target

    def adopt_layer(self, layer_id: str, uid: int | None) -> Path:
        """Make the folder of a layer that comes with its id; returns it."""
        return self._make(self._layers / layer_id, uid)

    def _make(self, folder: Path, uid: int | None) -> Path:
        self._making.add(folder.name)
        folder.mkdir(mode=0o700)
        own(folder, uid)
        return folder

    def give_up(self, made_id: str) -> None:
        """What was being made under this id will not be: a sweep may remove it."""
        self._making.discard(made_id)

    def discard_unused(self) -> None:
        """Move folders that never got a record, and deleted layers that nothing rests on, to the trash.

        A record that is there but cannot be read is no reason to delete anything.
        """
        layers = {record.id: record for record in self.layer_records()}
        boxes = list(self.box_records())
        doomed = [folder for folder in self._boxes.glob("bx*") if self._never_finished(folder, "box.json")]
        doomed += [folder for folder in self._layers.glob("sn*") if self._never_finished(folder, "layer.json")]
        if len(boxes) == len(list(self._boxes.glob("bx*/box.json"))):
            used = {layer_id for record in boxes for layer_id in record.layers}
            used |= {layer_id for layer in layers.values() if not layer.deleted for layer_id in layer.layers}
            doomed += [self._layers / layer_id for layer_id in layers.keys() - used - self._making]
        for folder in doomed:
            self.discard(folder)
        for file in self._secrets.iterdir():
            if not (self._boxes / file.stem).exists():
                file.unlink()

    def _never_finished(self, folder: Path, record: str) -> bool:
        return folder.name not in self._making and not (folder / record).exists()

    def trash(self) -> list[tuple[Path, int | None]]:
        """What still waits to be removed: (folder, uid)."""
        return [(folder, _owner(folder)) for folder in self._trash.iterdir()]


def limits_of(record: BoxRecord) -> Limits:
    """A record's bounds."""
    return Limits(**record.limits.model_dump())


def _owner(folder: Path) -> int | None:
    """The uid a folder belongs to, None for the server's own."""
    try:
        uid = folder.stat().st_uid
    except FileNotFoundError:
        return None
    return None if uid == os.geteuid() else uid


def _save(path: Path, record: BaseModel) -> None:
    part = path.with_suffix(".part")
    try:
        part.write_text(record.model_dump_json(), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise DiskFull(error.errno, f"cannot write {path}: {error.strerror}") from error


def _load(path: Path, model: type[_M]) -> _M | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("a record cannot be read; what it describes stays as it is", file=str(path), error=str(error)[:300])
        return None
