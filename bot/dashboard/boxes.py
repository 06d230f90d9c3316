"""Pages on boxes, whatever they were made for."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from bot.dashboard.guard import Actor, PageRoute, SignedIn
from bot.dashboard.page import page
from bot.dashboard.review_boxes import Back, log_page
from bot.dashboard.tenant_boxes import TenantBoxes

router = APIRouter(include_in_schema=False, route_class=PageRoute)
BoxIdPath = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]


@router.get("/boxes")
async def every(request: Request, session: SignedIn) -> Response:
    """All boxes of the tenant."""
    return await page(request, "boxes.html.j2", boxes=await TenantBoxes(request.app.state.fleet, session.tenant).all())


@router.post("/boxes/{box_id}/{action}")
async def change(request: Request, session: Actor, box_id: BoxIdPath, action: Literal["freeze", "resume"]) -> Response:
    """Freeze or resume one."""
    await TenantBoxes(request.app.state.fleet, session.tenant).change(box_id, action)
    return RedirectResponse(f"/boxes#{box_id}", 303)


@router.get("/boxes/{box_id}/logs")
async def logs(request: Request, session: SignedIn, box_id: BoxIdPath, offset: Annotated[int, Query(ge=0, le=10**9)] = 0) -> Response:
    """What happened in one."""
    return await log_page(request, session.tenant, box_id, offset, Back("/boxes", "Boxes"))
