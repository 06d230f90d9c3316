"""Routes of shared knowledge; `docs/knowledge.md` shows them in use. The work waits for git, in threads of its own."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from box_review.knowledge import (
    Approval,
    Changes,
    Entries,
    Entry,
    Proposal,
    Refusal,
    Revocation,
    RevokedList,
    SourceName,
    State,
    Withdrawn,
    problem,
)
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ValidationError

from bot.bodies import whole
from bot.errors import Refused
from bot.keys import Authorized
from bot.knowledge.desk import Person, person
from bot.knowledge.front import Front
from bot.knowledge.sight import seen_by

MAX_REQUEST_BYTES = 65_536
_M = TypeVar("_M", bound=BaseModel)
router = APIRouter(prefix="/v1/knowledge")


def _described(model: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


async def _front(request: Request, _: Authorized) -> Front:
    front: Front = request.app.state.knowledge
    return front


async def _person(caller: Authorized) -> Person:
    return person(caller.tenant, caller.key_id)


TheFront = Annotated[Front, Depends(_front)]
By = Annotated[Person, Depends(_person)]
Ident = Annotated[str, Path(pattern=r"^kn-[0-9a-f]{16}$")]


@router.post("/proposals", openapi_extra=_described(Proposal))
async def propose(request: Request, by: By, front: TheFront) -> Entry:
    """Propose what a tenant's agent has learned; the entry that stands for it. The same again changes nothing."""
    return seen_by(by.scope, await front.change(front.desk.propose, by, await _read(request, Proposal)))


@router.get("/entries")
async def entries(
    by: By,
    front: TheFront,
    state: State | None = None,
    query: Annotated[str, Query(max_length=2000)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Entries:
    """Entries of the organisation, and what others share: ranked where there is a query, else by what needs a person first."""
    if query.strip():
        found = await front.look(front.desk.find, by, query, state, limit)
    else:
        found = await front.look(front.desk.entries, by, state, limit)
    return Entries(entries=tuple(seen_by(by.scope, entry) for entry in found))


@router.get("/entries/{ident}")
async def entry(ident: Ident, by: By, front: TheFront) -> Entry:
    """One entry."""
    return seen_by(by.scope, await front.look(front.desk.entry, by, ident))


@router.post("/entries/{ident}/approve", openapi_extra=_described(Approval))
async def approve(request: Request, ident: Ident, by: By, front: TheFront) -> Entry:
    """Publish an entry, as a person who has read it."""
    share = (await _read(request, Approval)).share
    return seen_by(by.scope, await front.change(front.desk.approve, by, ident, share=share))


@router.post("/entries/{ident}/refuse", openapi_extra=_described(Refusal))
async def refuse(request: Request, ident: Ident, by: By, front: TheFront) -> Entry:
    """Refuse an entry, or withdraw it if it is published."""
    return seen_by(by.scope, await front.change(front.desk.refuse, by, ident, (await _read(request, Refusal)).reason))


@router.post("/revoke", openapi_extra=_described(Revocation))
async def revoke(request: Request, by: By, front: TheFront) -> Withdrawn:
    """Trust a tenant or a thing that tenants saw no more, and withdraw all that came from it."""
    return await front.change(front.desk.revoke, by, await _read(request, Revocation))


@router.post("/restore", openapi_extra=_described(SourceName))
async def restore(request: Request, by: By, front: TheFront) -> RevokedList:
    """Let a revoked source support entries from now on; the sources that are still revoked."""
    return RevokedList(revoked=await front.change(front.desk.restore, by, await _read(request, SourceName)))


@router.get("/revoked")
async def revoked(by: By, front: TheFront) -> RevokedList:
    """The sources that are revoked."""
    return RevokedList(revoked=await front.look(front.desk.revoked, by))


@router.get("/log")
async def log(by: By, front: TheFront, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Changes:
    """What was changed, newest first."""
    return Changes(changes=tuple(await front.look(front.desk.store.log, by.scope, limit)))


async def _read(request: Request, model: type[_M]) -> _M:
    """What a body says. Raises Refused."""
    body = await whole(request, MAX_REQUEST_BYTES)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise Refused(problem(error)) from error
