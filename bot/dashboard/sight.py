"""What somebody may see: the one place that decides it, before any page looks for anything.

Keys see their tenant's reviews and boxes. Who came by GitHub sees the operator's reviews of pull requests in repositories that he can
read at GitHub, acts on those of repositories that he can write to, and finds nothing else here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from box_review.jobs import review_key
from box_review.review import ReviewRecord
from fastapi import Request

from bot import recent
from bot.api import service_of
from bot.dashboard.members import Member, Members
from bot.dashboard.sessions import Right, Session
from bot.errors import NoSuchReview, Refused
from bot.github.state import Pulls

OPEN_TO_MEMBERS = frozenset({"/", "/logout"})
"""Routes that are about no review, and show nothing that their reader may not see."""
BATCH, MOST_BATCHES = 200, 15


def members_of(request: Request) -> Members:
    """The application's members."""
    members: Members = request.app.state.members
    return members


async def narrowed(request: Request, session: Session) -> Session | None:
    """The session with the rights it has on what a request is about; None if it is over. Raises Refused for what is not for it."""
    if not session.github:
        return session
    member = await members_of(request).of(session)
    if member is None:
        return None
    request.state.member = member
    review_id = request.path_params.get("review_id")
    if review_id is None:
        if request.scope["route"].path not in OPEN_TO_MEMBERS:
            raise Refused("This is for those who signed in with an API key.", 403)
        return session.model_copy(update={"rights": frozenset({Right.READ})})
    (repository,) = await _repositories_of(request, [review_id])
    if repository not in member.writes:
        raise NoSuchReview(review_id)
    rights = {Right.READ, Right.ACT} if member.writes[repository] else {Right.READ}
    return session.model_copy(update={"rights": frozenset(rights)})


async def newest(request: Request, session: Session, before: str, count: int, repository: str) -> list[ReviewRecord]:
    """The reviews somebody may see, newest first, after the review `before`; an empty one begins with the newest."""
    service, member = service_of(request), _member(request, session)
    if member is None:
        return await service.reviews.recent(session.tenant, before, count, repository)
    found: list[str] = []
    for _ in range(MOST_BATCHES):
        ids = await recent.review_ids(service.redis, session.tenant, repository, before, BATCH)
        of = await _repositories_of(request, ids)
        found += [review_id for review_id, where in zip(ids, of, strict=True) if where in member.writes]
        if len(ids) < BATCH or len(found) >= count:
            break
        before = ids[-1]
    records = []
    for review_id in found[:count]:
        with contextlib.suppress(NoSuchReview):  # it dropped out meanwhile
            records.append(await service.reviews.owned(review_id, session.tenant))
    return records


async def repositories(request: Request, session: Session) -> list[str]:
    """The repositories whose reviews somebody may see, the last reviewed first."""
    known, member = await service_of(request).reviews.repositories(session.tenant), _member(request, session)
    return known if member is None else [name for name in known if name in set(member.names.values())]


def _member(request: Request, session: Session) -> Member | None:
    member: Member | None = request.state.member if session.github else None
    return member


async def _repositories_of(request: Request, review_ids: Iterable[str]) -> list[int | None]:
    """Ids of the repositories that reviews are of; None where no pull request asked for one. A replay is of its original's."""
    redis, ids = service_of(request).redis, list(review_ids)
    async with redis.pipeline(transaction=False) as pipe:
        for review_id in ids:
            pipe.hget(review_key(review_id), "replays")
        replayed = await pipe.execute()
    originals = [first.decode() if first else review_id for review_id, first in zip(ids, replayed, strict=True)]
    return [None if pull is None else pull.repo_id for pull in await Pulls(redis).of_reviews(originals)]
