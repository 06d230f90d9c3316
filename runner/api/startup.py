"""Routes of the init command: what runs in the background whenever the box's processes begin anew."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from runner.api.context import NamedBox
from runner.api.wire import SetInit

router = APIRouter(prefix="/v2/box/{box_id}/startup")


@router.get("")
async def get(named: NamedBox) -> dict[str, Any]:
    """The command, empty if there is none."""
    return {"init_command": named.box.init}


@router.put("")
async def put(named: NamedBox, body: SetInit) -> dict[str, Any]:
    """Replace it, for the next time. A frozen box stays frozen."""
    named.box.set_init(body.init_command)
    return {}


@router.delete("")
async def delete(named: NamedBox) -> dict[str, Any]:
    """Have none; what runs goes on."""
    named.box.set_init("")
    return {}
