"""The boxes of one review: how it left them, and how they are now."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from box_review.finding import JURY
from box_review.report import wording
from box_review.review import BoxReport, ReviewRecord
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from bot.api import service_of
from bot.dashboard.guard import Actor, PageRoute, SignedIn
from bot.dashboard.page import page
from bot.dashboard.tenant_boxes import LINES, TenantBox, TenantBoxes
from bot.errors import Refused
from bot.fleet import Fleet

router = APIRouter(include_in_schema=False, route_class=PageRoute)
ReviewIdPath = Annotated[str, Path(pattern=r"^rv-[0-9a-z]{16}$")]
LanePath = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


@dataclass(frozen=True)
class LaneBox:
    """One lane's box: `left` as the record says, `now` as its host does; None where it is not there any more."""

    lane: str
    left: BoxReport
    now: TenantBox | None


@dataclass(frozen=True)
class ReviewBoxes:
    """All of them; `unknown` says why nothing is known of how they are."""

    lanes: tuple[LaneBox, ...]
    unknown: str = ""

    @property
    def walls(self) -> dict[tuple[str, ...], list[str]]:
        """Driver, isolation and limits, which mostly are the same for all lanes, with the lanes they are of."""
        found: dict[tuple[str, ...], list[str]] = {}
        for box in self.lanes:
            found.setdefault((box.left.driver, box.left.isolation, ", ".join(box.left.limits)), []).append(box.lane)
        return found


async def boxes_of(fleet: Fleet, tenant: str, record: ReviewRecord) -> ReviewBoxes:
    """The boxes a review has used. A host that does not answer is told, and the rest of the page stays."""
    left = wording.boxes(record)
    try:
        known = {box.id: box for box in await TenantBoxes(fleet, tenant).all(record.review_id)} if left else {}
    except Refused as error:
        return ReviewBoxes(tuple(LaneBox(lane, box, None) for lane, box in left), str(error))
    return ReviewBoxes(tuple(LaneBox(lane, box, known.get(box.box_id)) for lane, box in left))


@router.post("/reviews/{review_id}/boxes/{lane}/{action}")
async def change(
    request: Request, session: Actor, review_id: ReviewIdPath, lane: LanePath, action: Literal["freeze", "resume"]
) -> Response:
    """Freeze or resume the box of one reviewer."""
    name = await _name(request, session.tenant, review_id, lane)
    await TenantBoxes(request.app.state.fleet, session.tenant).change(name, action)
    return RedirectResponse(f"/reviews/{review_id}#boxes", 303)


@router.get("/reviews/{review_id}/boxes/{lane}/logs")
async def logs(
    request: Request, session: SignedIn, review_id: ReviewIdPath, lane: LanePath, offset: Annotated[int, Query(ge=0, le=10**9)] = 0
) -> Response:
    """What happened in the box of one reviewer."""
    name = await _name(request, session.tenant, review_id, lane)
    return await log_page(
        request, session.tenant, name, offset, Back(f"/reviews/{review_id}#boxes", review_id), f"the {lane} reviewer's box"
    )


async def _name(request: Request, tenant: str, review_id: str, lane: str) -> str:
    """What the box of a lane is called, for the tenant whose review it is. Raises Refused."""
    record = await service_of(request).reviews.owned(review_id, tenant)
    if lane == JURY:
        raise Refused("The jury's box is kept for the record and handed to nobody.", 404)
    if lane not in [report.role for report in record.roles]:
        raise Refused(f"The review {review_id} has no reviewer {lane!r}.", 404)
    return f"{review_id}-{lane}"


class Back(NamedTuple):
    """Where a page leads back to."""

    path: str
    words: str


async def log_page(request: Request, tenant: str, reference: str, offset: int, back: Back, title: str = "") -> Response:
    """The page with a box's log and what ran in it; its title says the box's name if it is empty."""
    boxes = TenantBoxes(request.app.state.fleet, tenant)
    box = await boxes.get(reference)
    lines, runs = await asyncio.gather(boxes.logs(box.id, offset), boxes.runs(box.id))
    return await page(
        request,
        "logs.html.j2",
        box=box,
        lines=lines,
        runs=runs,
        offset=offset,
        page_lines=LINES,
        back=back,
        title=title or box.name or box.id,
    )
