"""What fronts of a fleet ask: is it here? Nobody else reaches these routes."""

from __future__ import annotations

from fastapi import APIRouter

from runner.api.context import AllBoxes, Tenant

router = APIRouter(prefix="/where", include_in_schema=False)


@router.get("/box/{reference}")
async def box(boxes: AllBoxes, tenant: Tenant, reference: str) -> dict[str, str]:
    """A tenant's box by id or name, deleted ones too."""
    return {"id": boxes.book.box(tenant, reference).id}


@router.get("/snapshot/{snapshot_id}")
async def snapshot(boxes: AllBoxes, tenant: Tenant, snapshot_id: str) -> dict[str, str]:
    """A tenant's snapshot."""
    return {"id": boxes.book.snapshot(tenant, snapshot_id).id}


@router.get("/visit/{box_id}")
async def visit(boxes: AllBoxes, box_id: str) -> dict[str, str]:
    """A box of anyone."""
    return {"id": boxes.book.box_of_anyone(box_id).id}
