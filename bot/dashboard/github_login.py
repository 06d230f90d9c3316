"""Signing in by GitHub: off to GitHub with a state that fits this browser alone, and back with a code that only we can use."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Annotated
from urllib.parse import quote, urlencode

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from bot.dashboard.address import base_of
from bot.dashboard.guard import COOKIE, PageRoute, is_secure, let_in, local, session_of, sessions_of
from bot.dashboard.sight import members_of
from bot.dashboard.states import LASTS_S, states_of
from bot.errors import Refused
from bot.github.credentials import Credentials
from bot.github.direct import direct_of
from bot.github.errors import GitHubError, Unavailable
from bot.github.manifest import CALLBACK

log = structlog.get_logger()

START = "/login/github"
VISIT_COOKIE = f"{COOKIE}-github"
BEGIN_AGAIN = "This sign-in is too old, was used before or was begun in another browser; open /login and begin again."
router = APIRouter(include_in_schema=False, route_class=PageRoute)
Text = Annotated[str, Query(max_length=1000)]


def way_in(request: Request, to: str) -> str:
    """Where signing in by GitHub begins; empty where it is not possible."""
    if members_of(request).credentials is None:
        return ""
    return f"{base_of(request)}{START}?next={quote(local(to), safe='')}"


@router.get(START)
async def leave(request: Request, to: Annotated[str, Query(alias="next", max_length=500)] = "/") -> Response:
    """Off to GitHub; whoever is signed in already goes on."""
    credentials = _credentials(request)
    if await session_of(request) is not None:
        return RedirectResponse(local(to), 303)
    visit = secrets.token_urlsafe(24)
    state = states_of(request).issue("login", visit, local(to))
    asked = {
        "client_id": credentials.client_id,
        "redirect_uri": base_of(request) + CALLBACK,
        "state": state,
        "code_challenge": _challenge(_verifier(request, visit)),
        "code_challenge_method": "S256",
        "allow_signup": "false",
    }
    response = RedirectResponse(f"{direct_of(request).url}/login/oauth/authorize?{urlencode(asked)}", 303)
    secure = is_secure(request)
    response.set_cookie(VISIT_COOKIE, visit, max_age=LASTS_S, httponly=True, secure=secure, samesite="lax", path=START)
    return response


@router.get(CALLBACK)
async def come_back(request: Request, code: Text = "", state: Text = "", error: Text = "") -> Response:
    """Back from GitHub: the code becomes a session."""
    credentials = _credentials(request)
    visit = request.cookies.get(VISIT_COOKIE, "")
    to = await states_of(request).take("login", visit, state)
    if to is None:
        raise Refused(BEGIN_AGAIN, 403)
    if error or not code:
        raise Refused("GitHub did not confirm who you are; open /login and begin again.", 403)
    try:
        token = await direct_of(request).user_token(credentials, code, base_of(request) + CALLBACK, _verifier(request, visit))
        session = await members_of(request).begin(token, credentials.client_id)
    except GitHubError as failure:
        log.warning("signing in by GitHub failed", reason=str(failure))
        raise Refused(_sentence(failure), 503 if isinstance(failure, Unavailable) else 403) from failure
    log.info("signed in by GitHub", who=session.who)
    request.state.caller = session.caller
    response = let_in(request, session, to)
    response.delete_cookie(VISIT_COOKIE, path=START)
    return response


def _sentence(failure: GitHubError) -> str:
    if isinstance(failure, Unavailable):
        return "GitHub cannot be asked at the moment who you are; try again shortly."
    return "GitHub did not confirm who you are; open /login and begin again."


def _credentials(request: Request) -> Credentials:
    found = members_of(request).credentials
    if found is None:
        raise Refused("Nobody can sign in by GitHub here: no App with a client id and secret is set up.", 404)
    return found


def _verifier(request: Request, visit: str) -> str:
    """What proves to GitHub that the code is used by who asked for it (PKCE). It is made of the visit, and kept nowhere."""
    return sessions_of(request).token(f"verifier\0{visit}")


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
