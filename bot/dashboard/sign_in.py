"""Signing in with an API key, and out."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from bot.dashboard.github_login import way_in
from bot.dashboard.guard import COOKIE, PageRoute, Sender, is_secure, let_in, local, read_form, session_of, sessions_of
from bot.dashboard.page import page
from bot.dashboard.sight import members_of
from bot.errors import Refused

VISIT_COOKIE = f"{COOKIE}-visit"
VISIT_S = 3600
router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/login")
async def ask(request: Request, to: Annotated[str, Query(alias="next", max_length=500)] = "/") -> Response:
    """The form; whoever is signed in already goes on."""
    if await session_of(request) is not None:
        return RedirectResponse(local(to), 303)
    return await _form(request, local(to))


@router.post("/login")
async def sign_in(request: Request) -> Response:
    """Check the key and begin a session."""
    form = await read_form(request)
    visit = request.cookies.get(VISIT_COOKIE, "")
    if not visit or not sessions_of(request).is_token(f"login {visit}", form.get("token", "")):
        raise Refused("This form is too old, or your browser takes no cookies; open the page again.", 403)
    session = await sessions_of(request).begin_with_key(form.get("key", "").strip())
    to = local(form.get("next", "/"))
    if session is None:
        return await _form(request, to, "This key is wrong or past its time.", 401)
    request.state.caller = session.caller
    response = let_in(request, session, to)
    response.delete_cookie(VISIT_COOKIE, path="/login")
    return response


@router.post("/logout")
async def sign_out(request: Request, session: Sender) -> Response:
    """End the session, also for copies of its cookie."""
    await sessions_of(request).end(session)
    await members_of(request).forget(session)
    response = RedirectResponse("/login", 303)
    for name in (COOKIE, f"__Host-{COOKIE}"):
        response.delete_cookie(name, path="/", secure=name.startswith("__Host-"), httponly=True, samesite="lax")
    return response


async def _form(request: Request, to: str, wrong: str = "", status: int = 200) -> Response:
    """The form, whose token fits a cookie of the same visit alone: nobody else can send it."""
    visit = request.cookies.get(VISIT_COOKIE) or secrets.token_urlsafe(16)
    token = sessions_of(request).token(f"login {visit}")
    response = await page(request, "login.html.j2", status, to=to, wrong=wrong, token=token, github=way_in(request, to))
    secure = is_secure(request)
    response.set_cookie(VISIT_COOKIE, visit, max_age=VISIT_S, httponly=True, secure=secure, samesite="strict", path="/login")
    return response
