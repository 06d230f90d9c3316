"""Frozen boxes as folders that can be carried to another data directory or host.

box.json           the box's record, its manifest in it
image/             the image, as it was frozen
layers/<id>.tar.zst  the snapshot layers it rests on
layers.json        their records, lowest first, and the digest of each archive
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from sandbox.errors import BoxBusy, HostUnfit, ImageCorrupt
from sandbox.image import Packer, Part, measure
from sandbox.rootfs import Rootfs
from sandbox.store import BOX_ID, LAYER_ID, BoxRecord, LayerRecord, Store
from sandbox.users import own, pick_uid


class _Layer(BaseModel):
    record: LayerRecord
    archive: Part


class _Layers(BaseModel):
    layers: tuple[_Layer, ...]


@dataclass(frozen=True, slots=True)
class Carrier:
    """Writes and reads such folders. All methods block; call them in a thread."""

    store: Store
    rootfs: Rootfs
    driver: str

    def write(self, record: BoxRecord, folder: Path) -> None:
        """Write a box that is frozen cold to `folder`, which must not be there. Raises BoxBusy, DiskFull."""
        if record.image is None:
            raise BoxBusy(f"box {record.id} is not frozen cold")
        (folder / "layers").mkdir(parents=True)
        shutil.copytree(self.store.box_dir(record.id) / "image", folder / "image")
        layers = []
        for layer in self.store.layers_of(record):
            archive = folder / "layers" / f"{layer.id}.tar.zst"
            layers.append(_Layer(record=layer, archive=Packer(self.rootfs, layer.uid).pack(self.store.layer_fs(layer.id), archive)))
        (folder / "layers.json").write_text(_Layers(layers=tuple(layers)).model_dump_json(), encoding="utf-8")
        (folder / "box.json").write_text(record.model_dump_json(), encoding="utf-8")

    def read(self, folder: Path) -> BoxRecord:
        """Take a box in, under the id it has. Raises BoxBusy if it is here already, ImageCorrupt, HostUnfit, DiskFull."""
        record, layers = _records(folder)
        if record.driver != self.driver:
            raise HostUnfit(f"box {record.id} was frozen by the driver {record.driver}, and this one is {self.driver}")
        if self.store.box_dir(record.id).exists():
            raise BoxBusy(f"box {record.id} is here already")
        for source, _ in record.mounts:
            if not Path(source).exists():
                raise HostUnfit(f"box {record.id} needs {source}, which this host does not have")
        try:
            return self._take(record, layers, folder)
        except BaseException:
            for made_id in (record.id, *record.layers):
                self.store.give_up(made_id)
            self.store.discard_unused()
            raise

    def _take(self, record: BoxRecord, layers: tuple[_Layer, ...], folder: Path) -> BoxRecord:
        here = {layer.id: layer.uid for layer in self.store.layer_records()}
        uid = next((here[layer.record.id] for layer in layers if layer.record.id in here), None) or pick_uid(self.store.uids())
        for layer in layers:
            if layer.record.id not in here:
                self._read_layer(layer, folder / "layers", uid)
        home = self.store.adopt_box(record.id, uid)
        shutil.copytree(folder / "image", home / "image")
        (home / "work").mkdir(mode=0o700)
        for path in (home / "image", home / "work"):
            own(path, uid)
        for file in (home / "image").iterdir():
            os.chmod(file, 0o644)  # noqa: PTH101  (runsc reads it as another user; the folder is closed)
        taken = record.model_copy(update={"uid": uid})
        self.store.save_box(taken)
        return taken

    def _read_layer(self, layer: _Layer, folder: Path, uid: int | None) -> None:
        """Unpack one layer under its own id; it stays as long as a box rests on it."""
        archive = folder / f"{layer.record.id}.tar.zst"
        if not LAYER_ID.match(layer.record.id) or measure(archive) != layer.archive:
            raise ImageCorrupt(f"{archive} does not match what was written; the carried box is damaged")
        home = self.store.adopt_layer(layer.record.id, uid)
        Packer(self.rootfs, uid).unpack_anew(archive, home / "fs")
        self.store.save_layer(layer.record.model_copy(update={"uid": uid, "deleted": True}))


def _records(folder: Path) -> tuple[BoxRecord, tuple[_Layer, ...]]:
    """What the folder says it holds, and that the image is as it was written."""
    try:
        record = BoxRecord.model_validate_json((folder / "box.json").read_bytes())
        layers = _Layers.model_validate_json((folder / "layers.json").read_bytes()).layers
    except (OSError, ValidationError) as error:
        raise ImageCorrupt(f"{folder} does not hold a carried box: {error}") from error
    if not BOX_ID.match(record.id) or record.image is None or [layer.record.id for layer in layers] != list(record.layers):
        raise ImageCorrupt(f"{folder} does not hold a carried box: its records contradict each other")
    record.image.verify(folder / "image")
    return record, layers
