"""Routes of the review API; `docs/api.md` shows them in use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from arq.connections import ArqRedis
from box_review import ReviewRecord, ReviewRequest
from box_review.keys import Key, NewKey
from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError

from bot.bodies import whole
from bot.errors import NoSuchReview, Refused
from bot.keys import Authorized, Keys
from bot.reviews import Reviews
from bot.sources import Sources

MAX_REQUEST_BYTES = 65_536
_M = TypeVar("_M", bound=BaseModel)


def _described(model: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


@dataclass(frozen=True)
class Service:
    """What routes work with."""

    keys: Keys
    redis: ArqRedis
    sources: Sources
    reviews: Reviews


class Accepted(BaseModel):
    """Answer to a request that was queued."""

    review_id: str


class KeyList(BaseModel):
    """Answer to a question for keys."""

    keys: list[Key]


class SourceKept(BaseModel):
    """Answer to an upload."""

    sha256: str
    size: int


def service_of(request: Request) -> Service:
    """The application's service."""
    service: Service = request.app.state.service
    return service


async def authorized(request: Request, _: Authorized) -> Service:
    """The service, for callers with a key. Raises Refused."""
    return service_of(request)


Allowed = Annotated[Service, Depends(authorized)]


async def _own_review(review_id: Annotated[str, Path(max_length=64)], caller: Authorized, service: Allowed) -> str:
    """The id of a review that the caller asked for. Raises NoSuchReview for everybody else's."""
    if not (review_id.startswith("rv-") and review_id[3:].isalnum() and review_id.isascii()):  # ids become names of keys and files
        raise NoSuchReview(review_id)
    if not await service.reviews.is_of(review_id, caller.tenant, operator=caller.configured):
        raise NoSuchReview(review_id)
    return review_id


OwnReview = Annotated[str, Depends(_own_review)]
Sha256Path = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]

health = APIRouter()
router = APIRouter(prefix="/v1")


@health.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@health.get("/readyz")
async def ready(request: Request, response: Response) -> dict[str, str]:
    """Reviews can be asked for: the queue answers and a runner host is alive."""
    problem = ""
    try:
        async with asyncio.timeout(3):
            hosts = await service_of(request).reviews.hosts()
        if not hosts:
            problem = "no runner host is alive"
    except (RedisError, OSError, TimeoutError):
        problem = "the queue cannot be reached"
    response.status_code = 503 if problem else 200
    return {"status": problem or "ok"}


@router.head("/sources/{sha256}")
async def has_source(sha256: Sha256Path, service: Allowed) -> Response:
    """Whether an archive needs no upload."""
    return Response(status_code=200 if await service.sources.has(sha256) else 404)


@router.put("/sources/{sha256}", status_code=201)
async def put_source(sha256: Sha256Path, request: Request, service: Allowed) -> SourceKept:
    """Upload an archive, streamed."""
    return SourceKept(sha256=sha256, size=await service.sources.keep(sha256, request.stream()))


@router.post("/reviews", status_code=202, openapi_extra=_described(ReviewRequest))
async def create_review(request: Request, caller: Authorized, service: Allowed) -> Accepted:
    """Queue a review of an uploaded change."""
    return Accepted(review_id=await service.reviews.create(await _read(request, ReviewRequest), caller.tenant))


@router.get("/reviews/{review_id}")
async def get_review(review_id: OwnReview, service: Allowed) -> ReviewRecord:
    """The review as it stands; `status` says whether it is over."""
    return await service.reviews.record(review_id)


@router.delete("/reviews/{review_id}")
async def cancel_review(review_id: OwnReview, service: Allowed) -> ReviewRecord:
    """Stop a review; returns what became of it."""
    return await service.reviews.cancel(review_id)


@router.post("/reviews/{review_id}/replay", status_code=202)
async def replay_review(review_id: OwnReview, caller: Authorized, service: Allowed) -> Accepted:
    """Measure again what a finished review rests on, without a model; a review of its own, whose record can be compared."""
    return Accepted(review_id=await service.reviews.replay(review_id, caller.tenant))


@router.get("/reviews/{review_id}/events")
async def review_events(
    review_id: OwnReview, service: Allowed, last_event_id: Annotated[str, Header(pattern=r"^\d+(-\d+)?$")] = "0"
) -> StreamingResponse:
    """Events of a review as they come (SSE), from the first or from after `Last-Event-ID`."""
    if not await service.reviews.exists(review_id):
        raise NoSuchReview(review_id)  # or one so old that its events are gone
    stream = _as_sse(service.reviews.events(review_id, last_event_id))
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


async def _read(request: Request, model: type[_M]) -> _M:
    """What a body says. Raises Refused."""
    body = await whole(request, MAX_REQUEST_BYTES)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)[:5]
        raise Refused("; ".join(f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}" for problem in problems)) from error


async def _as_sse(events: AsyncIterator[tuple[str, str] | None]) -> AsyncIterator[str]:
    async for event in events:
        yield ": still here\n\n" if event is None else f"id: {event[0]}\ndata: {event[1]}\n\n"


@router.post("/keys", openapi_extra=_described(NewKey))
async def make_key(caller: Authorized, service: Allowed, request: Request) -> Key:
    """A new key; its secret is told this once."""
    body = await _read(request, NewKey)
    return await service.keys.make(caller, body.name, read_only=body.read_only, new_tenant=body.new_tenant, expires_in_s=body.expires_in_s)


@router.get("/keys", response_model_exclude_none=True)
async def list_keys(caller: Authorized, service: Allowed) -> KeyList:
    """The keys that this key has made, without their secrets."""
    return KeyList(keys=await service.keys.made(caller))


@router.delete("/keys/{key_id}")
async def remove_key(caller: Authorized, service: Allowed, key_id: str) -> dict[str, str]:
    """Accept a key no more."""
    await service.keys.remove(caller, key_id)
    return {}
