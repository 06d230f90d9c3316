"""Routes of public URLs: which ports of a box can be visited, and how visitors show that they may."""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Any

from fastapi import APIRouter, Header

from runner.api.context import NamedBox, UsedBox
from runner.api.entries import Visit
from runner.api.errors import BadInput
from runner.api.wire import Preview

router = APIRouter(prefix="/v2/box/{box_id}/preview")
PublicUrl = Annotated[str, Header(alias="x-box-public-url", include_in_schema=False)]
"""The front's pattern of public URLs; `*` stands for box and port."""


@router.post("")
async def create(used: UsedBox, body: Preview, pattern: PublicUrl) -> dict[str, Any]:
    """Open a port to visitors; what was said of it before is forgotten. A frozen box wakes."""
    await used.boxes.resume(used.entry, used.box)
    visit = Visit(port=body.port, url=pattern.replace("*", f"{used.entry.id}-{body.port}"), created_at=int(time.time()))
    if body.bearer_token:
        visit.token = secrets.token_urlsafe(32)
    if body.basic_auth:
        visit.username, visit.password = "user", secrets.token_urlsafe(24)
    used.book.save_visit(used.entry.id, visit)
    return visit.model_dump(exclude_none=True, exclude={"created_at"})


@router.get("")
async def list_previews(named: NamedBox) -> dict[str, Any]:
    """The ports that are open to visitors, without anybody's secrets."""
    return {"previews": [_shown(named.entry.id, visit) for visit in named.book.visits(named.entry.id)]}


@router.delete("/{port}")
async def delete(named: NamedBox, port: str) -> dict[str, Any]:
    """Close a port to visitors; no error if it was not open."""
    if not port.isascii() or not port.isdigit():
        raise BadInput(f"port: {port!r} is no port")
    named.book.remove_visit(named.entry.id, int(port[:6]))
    return {}


def _shown(box_id: str, visit: Visit) -> dict[str, Any]:
    about = {"id": f"{box_id}-{visit.port}", "port": visit.port, "url": visit.url, "created_at": visit.created_at}
    return about | {"basic_auth": visit.password is not None, "bearer_token": visit.token is not None}
