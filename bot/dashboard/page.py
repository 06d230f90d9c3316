"""Pages as they are sent: every text passes the report's own filter and is escaped."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from functools import cache
from typing import Any

from box_review import __version__
from box_review.report import html
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader

from bot.errors import Refused

KINDS = {"dashboard.css": "text/css; charset=utf-8", "live.js": "text/javascript; charset=utf-8"}
assets = APIRouter(include_in_schema=False)


@cache
def _environment() -> Environment:
    made = html.environment(PackageLoader("bot.dashboard", "pages"))
    made.globals.update(asset=_address, version=__version__)
    made.filters.update(ago=ago, clock=clock)
    return made


async def page(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page by its template, which also knows who is signed in, the token for its forms, and the nonce for its script and style."""
    session = getattr(request.state, "session", None)
    known = {
        "session": session,
        "token": request.app.state.sessions.token(session.id) if session else "",
        "nonce": request.state.nonce,
        "path": request.url.path,
        "operator": session is not None and request.app.state.sessions.is_operators(session),
        "setup_open": request.app.state.setup_open(),
    }
    # In a thread: a page may hold hundreds of findings, and others wait meanwhile.
    return HTMLResponse(await asyncio.to_thread(_environment().get_template(name).render, {**known, **values}), status)


def fragment(name: str, **values: Any) -> str:
    """A part of a page."""
    return _environment().get_template(name).render(values)


def ago(at: datetime | float) -> str:
    """How long ago something was, as a person would say it."""
    moment = datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else at
    passed_s = (datetime.now(UTC) - moment).total_seconds()
    if passed_s < 60:
        return "just now"
    if passed_s < 3600:
        return f"{passed_s // 60:.0f} min ago"
    if passed_s < 48 * 3600:
        return f"{passed_s // 3600:.0f} h ago"
    return f"{passed_s // 86400:.0f} days ago"


def clock(at: datetime | float) -> str:
    """A moment in UTC, to the second."""
    moment = datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else at.astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


@assets.get("/assets/{digest}/{name}")
async def asset(digest: str, name: str) -> Response:
    """The style and the script. Their address names their content, so that browsers may keep them."""
    if name not in KINDS:
        raise Refused(f"no asset {name!r}", 404)
    kept = "public, max-age=31536000, immutable" if digest == _digest(name) else "no-store"
    return Response(_text(name), media_type=KINDS[name], headers={"Cache-Control": kept, "X-Content-Type-Options": "nosniff"})


@cache
def _text(name: str) -> str:
    return _environment().get_template(f"{name}.j2").render()


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(_text(name).encode()).hexdigest()[:16]


def _address(name: str) -> str:
    return f"/assets/{_digest(name)}/{name}"
