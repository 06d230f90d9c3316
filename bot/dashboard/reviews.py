"""Pages on reviews: all of them, one that runs, one that is over; and what can be done with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Literal

from box_review.finding import JURY
from box_review.report import render
from box_review.report.timeline import timeline
from box_review.review import ReviewRecord
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from bot.api import service_of
from bot.dashboard import sight
from bot.dashboard.guard import Actor, PageRoute, SignedIn, is_still_in, sessions_of
from bot.dashboard.lanes import Lanes
from bot.dashboard.page import fragment, page
from bot.dashboard.review_boxes import boxes_of
from bot.reviews import Reviews

PER_PAGE = 20
FORMS = {"html": ("html", "text/html"), "sarif": ("sarif", "application/json"), "json": ("json", "application/json")} | {
    "md": ("markdown", "text/markdown")
}
router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True)
class Seen:
    """A review that whoever is signed in may see."""

    reviews: Reviews
    record: ReviewRecord

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.review_id


async def _seen(request: Request, session: SignedIn, review_id: Annotated[str, Path(pattern=r"^rv-[0-9a-z]{16}$")]) -> Seen:
    reviews = service_of(request).reviews
    return Seen(reviews, await reviews.owned(review_id, session.tenant))


OneReview = Annotated[Seen, Depends(_seen)]
Cursor = Annotated[str, Query(max_length=64)]
Repository = Annotated[str, Query(max_length=300)]


@router.get("/")
async def newest(request: Request, session: SignedIn, before: Cursor = "", repository: Repository = "") -> Response:
    """The newest reviews, a page at a time."""
    found = await sight.newest(request, session, before, PER_PAGE + 1, repository)
    if not (found or before or repository) and request.app.state.setup_open() and sessions_of(request).is_operators(session):
        return RedirectResponse("/setup", 303)
    known = await sight.repositories(request, session)
    shown, more = found[:PER_PAGE], len(found) > PER_PAGE
    return await page(request, "reviews.html.j2", reviews=shown, more=more, before=before, repository=repository, repositories=known)


@router.get("/reviews/{review_id}")
async def one(request: Request, session: SignedIn, seen: OneReview) -> Response:
    """One review: its lanes while it runs, what came of it afterwards."""
    record = seen.record
    if not record.status.final:
        lanes, _ = await _so_far(seen)
        return await page(request, "running.html.j2", record=record, lanes=lanes)
    boxes = await boxes_of(request.app.state.fleet, session.tenant, record)
    return await page(request, "review.html.j2", record=record, timeline=timeline(record), boxes=boxes, jury=JURY)


@router.get("/reviews/{review_id}/events")
async def events(request: Request, seen: OneReview) -> Response:
    """The lanes as they change (SSE), each time as a part of the page; ends with the review, or with the session."""
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(request, seen), media_type="text/event-stream", headers=headers)


@router.get("/reviews/{review_id}/report.{form}")
async def report(seen: OneReview, form: Literal["html", "sarif", "json", "md"]) -> Response:
    """The report as a file."""
    name, kind = FORMS[form]
    headers = {"Content-Disposition": f'attachment; filename="{seen.id}.{form}"', "Content-Security-Policy": "sandbox; default-src 'none'"}
    return Response(render(seen.record, name), media_type=kind, headers=headers)


@router.post("/reviews/{review_id}/cancel")
async def cancel(_: Actor, seen: OneReview) -> Response:
    """Stop it."""
    await seen.reviews.cancel(seen.id)
    return RedirectResponse(f"/reviews/{seen.id}", 303)


@router.post("/reviews/{review_id}/replay")
async def replay(session: Actor, seen: OneReview) -> Response:
    """Measure it again; goes to the new review."""
    return RedirectResponse(f"/reviews/{await seen.reviews.replay(seen.id, session.tenant)}", 303)


async def _so_far(seen: Seen) -> tuple[Lanes, str]:
    """The lanes as they stand, and the id of the last event they know of."""
    lanes, told = Lanes(seen.record), await seen.reviews.told(seen.id)
    for _, event in told:
        lanes.take(event)
    return lanes, told[-1][0] if told else "0"


async def _stream(request: Request, seen: Seen) -> AsyncIterator[str]:
    lanes, last = await _so_far(seen)
    yield _sse("lanes", fragment("lanes.html.j2", lanes=lanes))
    if not lanes.finished:
        async for told in seen.reviews.events(seen.id, last):
            if not await is_still_in(request):
                return
            if told is None:
                yield ": still here\n\n"
                continue
            lanes.take(told[1])
            yield _sse("lanes", fragment("lanes.html.j2", lanes=lanes))
    yield _sse("finished", "")


def _sse(kind: str, text: str) -> str:
    return f"event: {kind}\n" + "".join(f"data: {line}\n" for line in text.split("\n")) + "\n"
