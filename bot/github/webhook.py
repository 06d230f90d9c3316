"""`POST /api/github/webhooks`: a delivery is checked, understood, kept and answered; the work is done elsewhere."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from dataclasses import dataclass

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from bot.bodies import whole
from bot.errors import Refused
from bot.github import metrics
from bot.github.credentials import Credentials, Keeper
from bot.github.decide import InstallationGone, Nothing, decide
from bot.github.events import KNOWN, read_event
from bot.github.jobs import Tend, UninstalledJob
from bot.github.state import GITHUB, TEND_JOB, UNINSTALLED_JOB, Pulls
from jobs import traces
from jobs.queue import enqueue

log = structlog.get_logger()

PATH = "/api/github/webhooks"
MAX_BYTES = 25 << 20
"""The most that GitHub sends."""
_GUID = re.compile(r"[A-Za-z0-9-]{8,64}")
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Receiver:
    """What deliveries are taken with."""

    keeper: Keeper
    pulls: Pulls


@router.post(PATH)
async def receive(request: Request) -> JSONResponse:
    """Take a delivery: 202 once it is kept, 401 for a wrong signature, 400 for what is no delivery."""
    began = time.perf_counter()
    name, guid = request.headers.get("x-github-event", ""), request.headers.get("x-github-delivery", "")
    known, event = guid if _GUID.fullmatch(guid) else "", name if name in KNOWN else "other"
    try:
        with structlog.contextvars.bound_contextvars(delivery=known), traces.span("delivery", event=event, delivery=known):
            answer = await _receive(request, name, guid)
    except Refused as error:
        metrics.deliveries.labels(event, "refused").inc()
        log.warning("delivery refused", delivery=known, reason=str(error))
        raise
    finally:
        metrics.receiving.observe(time.perf_counter() - began)
    return answer


async def _receive(request: Request, name: str, guid: str) -> JSONResponse:
    receiver: Receiver = request.app.state.github
    credentials = receiver.keeper.current()
    if credentials is None:
        raise Refused("no GitHub App is configured on this server; open /setup in a browser", 503)
    body = await whole(request, MAX_BYTES, "a delivery")
    check_signature(credentials, body, request.headers.get("x-hub-signature-256"), legacy="x-hub-signature" in request.headers)
    if not name or not _GUID.fullmatch(guid):
        raise Refused("X-GitHub-Event and X-GitHub-Delivery must be there", 400)
    if name not in KNOWN:
        metrics.deliveries.labels("other", "ignored").inc()
        return _answer(202, ignored=f"{name[:50]} events mean nothing here")
    return await take(receiver.pulls, credentials, name, guid, body)


async def take(pulls: Pulls, credentials: Credentials, name: str, guid: str, body: bytes) -> JSONResponse:
    """Keep what a true delivery asks for, once, and wake who does it."""
    event = read_event(body)
    what = decide(name, event, credentials.app_id)
    repository = f"{event.repository.owner.login}/{event.repository.name}" if event.repository else ""
    bound = log.bind(event_name=name, action=event.action, repository=repository)
    if isinstance(what, Nothing):
        metrics.deliveries.labels(name, "ignored").inc()
        return _answer(202, ignored=what.why)
    if isinstance(what, InstallationGone):
        await enqueue(pulls.redis, GITHUB, UNINSTALLED_JOB, UninstalledJob(installation_id=what.installation_id), f"github:gone:{guid}")
        await pulls.once(guid)
        metrics.deliveries.labels(name, "accepted").inc()
        return _answer(202, accepted="the App was removed or suspended")
    taken = await pulls.accept(guid, what.pull, what.intent)
    metrics.deliveries.labels(name, "accepted" if taken else "known").inc()
    if not taken:
        return _answer(202, known="this delivery came in before")
    bound.info("delivery accepted", pull=what.pull.number, installation=what.pull.installation_id, intent=what.intent.kind)
    # Should this process die here, a worker finds the pull request open.
    await enqueue(pulls.redis, GITHUB, TEND_JOB, Tend(key=what.pull.key), f"github:tend:{guid}")
    return _answer(202, accepted=what.intent.kind)


def check_signature(credentials: Credentials, body: bytes, given: str | None, *, legacy: bool = False) -> None:
    """Raises Refused unless the body was signed with the App's webhook secret."""
    if given is None:
        why = "only the SHA-1 signature is there; X-Hub-Signature-256 is needed" if legacy else "the delivery is not signed"
        raise Refused(why, 401)
    wanted = "sha256=" + hmac.new(credentials.webhook_secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")):
        raise Refused("the delivery's signature does not fit the webhook secret", 401)


def _answer(status: int, **said: str) -> JSONResponse:
    return JSONResponse(said, status)
