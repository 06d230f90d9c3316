"""Routes of boxes as a whole: made, listed, frozen, configured, kept as snapshots, deleted."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from runner.api.context import AllBoxes, AllWebhooks, NamedBox, Tenant, UsedBox
from runner.api.errors import BadInput, Missing
from runner.api.wire import AddLabel, CreateBox, Env, EnvName, EnvValue, Ids, NameSnapshot, SomeIds
from sandbox.gateway.policy import NetworkPolicy

MAX_LABELS = 5
router = APIRouter(prefix="/v2/box")


# Before `/{box_id}`, which would take these words for names.


@router.get("/settings/env")
async def list_env(boxes: AllBoxes, tenant: Tenant) -> dict[str, Any]:
    """Variables of the account, masked."""
    return {"env_vars": {name: _masked(value) for name, value in (await boxes.shared.env(tenant)).items()}}


@router.put("/settings/env")
async def set_all_env(boxes: AllBoxes, tenant: Tenant, body: Env) -> dict[str, Any]:
    """Replace all variables of the account."""
    await boxes.shared.set_env(tenant, body.env_vars, replace=True)
    return {}


@router.put("/settings/env/{name}")
async def set_env(boxes: AllBoxes, tenant: Tenant, name: EnvName, body: EnvValue) -> dict[str, Any]:
    """Set one variable of the account, for boxes made from now on."""
    await boxes.shared.set_env(tenant, {name: body.value})
    return {}


@router.delete("/settings/env/{name}")
async def unset_env(boxes: AllBoxes, tenant: Tenant, name: str) -> dict[str, Any]:
    """Remove one variable of the account."""
    await boxes.shared.unset_env(tenant, name)
    return {}


@router.get("/settings/webhook-secret")
async def webhook_secret(webhooks: AllWebhooks, tenant: Tenant) -> dict[str, Any]:
    """What signatures of webhooks of this account are checked with."""
    return {"secret": webhooks.secret(tenant)}


@router.get("/logs")
async def all_logs(boxes: AllBoxes, tenant: Tenant, limit: Annotated[int, Query(ge=0, le=10_000)] = 1000) -> dict[str, Any]:
    """The latest lines of all boxes, oldest first."""
    return {"logs": boxes.book.logs_of_all(tenant, limit)}


@router.get("/snapshots")
async def all_snapshots(boxes: AllBoxes, tenant: Tenant) -> dict[str, Any]:
    """Snapshots of all boxes, also of deleted ones."""
    return {"snapshots": [_shown(entry) for entry in boxes.book.snapshots(tenant)]}


@router.delete("/snapshots")
async def delete_snapshots(boxes: AllBoxes, tenant: Tenant, body: SomeIds | None = None) -> dict[str, Any]:
    """Delete some snapshots; without `ids`, which the clients say with and without `?all=true`, all of them."""
    return {"deleted": await boxes.delete_snapshots(tenant, (body and body.ids) or "all")}


@router.post("/from-snapshot")
async def from_snapshot(boxes: AllBoxes, tenant: Tenant, body: CreateBox) -> dict[str, Any]:
    """A new box with the files of a snapshot."""
    if body.snapshot_id is None:
        raise BadInput("snapshot_id: which snapshot the box starts from is missing")
    return boxes.describe(await boxes.create(tenant, body))


@router.post("")
async def create(boxes: AllBoxes, tenant: Tenant, body: CreateBox) -> dict[str, Any]:
    """A new box, ready when the answer comes."""
    return boxes.describe(await boxes.create(tenant, body))


@router.get("")
async def list_boxes(boxes: AllBoxes, tenant: Tenant, label: str | None = None, status: str | None = None) -> list[dict[str, Any]]:
    """All boxes, those with a label, or with `status=deleted` what is left of deleted ones."""
    return boxes.list(tenant, label, deleted=status == "deleted")


@router.delete("")
async def delete_boxes(boxes: AllBoxes, tenant: Tenant, body: Ids) -> dict[str, Any]:
    """Delete boxes by id or name."""
    await boxes.delete(tenant, body.ids)
    return {}


@router.get("/{box_id}")
async def get(boxes: AllBoxes, tenant: Tenant, box_id: str) -> dict[str, Any]:
    """One box; a deleted one tells that it is."""
    return boxes.describe(boxes.book.box(tenant, box_id))


@router.delete("/{box_id}")
async def delete(boxes: AllBoxes, tenant: Tenant, box_id: str) -> dict[str, Any]:
    """Delete a box; its snapshots stay."""
    await boxes.delete(tenant, [box_id])
    return {}


@router.get("/{box_id}/status")
async def status(named: NamedBox) -> dict[str, Any]:
    """What it does now."""
    return {"status": named.box.state}


@router.post("/{box_id}/pause")
async def pause(named: NamedBox) -> dict[str, Any]:
    """Freeze it."""
    await named.boxes.pause(named.entry, named.box)
    return {}


@router.post("/{box_id}/resume")
async def resume(named: UsedBox) -> dict[str, Any]:
    """Bring it back."""
    await named.boxes.resume(named.entry, named.box)
    return {}


@router.post("/{box_id}/fork")
async def fork(named: UsedBox) -> dict[str, Any]:
    """A new box that starts from what this one is now."""
    return named.boxes.describe(await named.boxes.fork(named.entry, named.box))


@router.get("/{box_id}/logs")
async def logs(
    named: NamedBox, offset: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=0, le=10_000)] = 1000
) -> dict[str, Any]:
    """What happened to it, oldest first."""
    return {"logs": named.book.logs(named.entry.id, offset, limit)}


@router.get("/{box_id}/runs")
async def runs(named: NamedBox) -> dict[str, Any]:
    """What ran in it, newest first."""
    return {"runs": [run.model_dump(exclude_none=True, exclude={"webhook"}) for run in named.book.runs(named.entry.id)]}


@router.post("/{box_id}/snapshots")
async def snapshot(named: UsedBox, body: NameSnapshot) -> dict[str, Any]:
    """Keep its files as they are now."""
    return _shown(await named.boxes.snapshot(named.entry, named.box, body.name))


@router.get("/{box_id}/snapshots")
async def snapshots(named: NamedBox, tenant: Tenant) -> dict[str, Any]:
    """Its snapshots."""
    return {"snapshots": [_shown(entry) for entry in named.book.snapshots(tenant, named.entry.id)]}


@router.delete("/{box_id}/snapshots/{snapshot_id}")
async def delete_snapshot(boxes: AllBoxes, tenant: Tenant, box_id: str, snapshot_id: str) -> dict[str, Any]:
    """Delete one snapshot; boxes that came from it stay, and the box it came from may be gone."""
    if not await boxes.delete_snapshots(tenant, [snapshot_id]):
        raise Missing(f"no snapshot {snapshot_id!r}")
    return {}


@router.put("/{box_id}/config/network-policy")
async def set_network(named: NamedBox, body: NetworkPolicy) -> dict[str, Any]:
    """Replace what it may reach, at once."""
    named.boxes.set_network(named.entry, named.box, body)
    return {}


@router.post("/{box_id}/config/labels")
async def add_label(named: NamedBox, body: AddLabel) -> dict[str, Any]:
    """One more label."""
    labels = tuple(dict.fromkeys((*named.now.labels, body.label)))
    if len(labels) > MAX_LABELS:
        raise BadInput(f"a box has {MAX_LABELS} labels at most")
    named.boxes.save(named.entry, labels=labels)
    return {"labels": list(labels)}


@router.delete("/{box_id}/config/labels/{label}")
async def remove_label(named: NamedBox, label: str) -> dict[str, Any]:
    """One label less; no error if it was not there."""
    labels = tuple(known for known in named.now.labels if known != label)
    named.boxes.save(named.entry, labels=labels)
    return {"labels": list(labels)}


def _shown(entry: Any) -> dict[str, Any]:
    """A snapshot object."""
    return {**entry.model_dump(include={"id", "name", "box_id", "size_bytes", "created_at"}), "status": "ready"}


def _masked(value: str) -> str:
    """Enough to recognise a value, not to use it."""
    return f"{value[:2]}{'*' * 6}" if len(value) > 8 else "*" * 6
