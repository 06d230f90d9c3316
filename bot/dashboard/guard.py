"""What stands before every page: where a request comes from, who is signed in, and what a browser may do with the answer."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, urlsplit

import structlog
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from redis.exceptions import RedisError

from bot.bodies import whole
from bot.dashboard.page import page
from bot.dashboard.sessions import LASTS_S, Right, Session, Sessions
from bot.dashboard.sight import narrowed
from bot.errors import Refused

log = structlog.get_logger()

MAX_FORM_BYTES = 16_384
COOKIE = "box-review"
_LOCAL = re.compile(r"/(?:[A-Za-z0-9_~.-]+(?:/[A-Za-z0-9_~.-]+)*)?(?:\?[A-Za-z0-9_~.%&=+-]*)?")
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # `no-referrer` would make browsers send forms with the origin "null"
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class SignInFirst(Exception):
    """Nobody is signed in."""


class PageRoute(APIRoute):
    """A route of the dashboard: refuses forms of other origins, answers in HTML, and tells the browser what the page may do."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            request.state.nonce = secrets.token_urlsafe(18)
            try:
                check_origin(request)
                response = await handle(request)
            except SignInFirst:
                response = _to_sign_in(request)
            except Refused as error:
                response = await problem(request, str(error), error.status_code)
            except RequestValidationError:
                response = await problem(request, "There is no such page.", 404)
            except RedisError as error:
                log.warning("the queue does not answer", error=str(error))
                response = await problem(request, "The queue cannot be reached; try again shortly.", 503)
            return _guarded(response, request.state.nonce)

        return guarded


def _guarded(response: Response, nonce: str) -> Response:
    for name, value in {**_HEADERS, "Content-Security-Policy": policy(nonce)}.items():
        response.headers.setdefault(name, value)
    return response


def policy(nonce: str, forms_to: str = "'self'") -> str:
    """What a page may do: load nothing but our style and script, ask this server alone, send forms only there or where it is told."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; "
        f"form-action {forms_to}; base-uri 'none'; frame-ancestors 'none'"
    )


async def problem(request: Request, sentence: str, status: int) -> Response:
    """A page that says what cannot be done."""
    return await page(request, "problem.html.j2", status, sentence=sentence, code=status)


def check_origin(request: Request) -> None:
    """Refuse what another site sends on behalf of whoever is signed in. A box's own web pages are another site. Raises Refused."""
    if request.method in ("GET", "HEAD"):
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    # Behind a proxy that ends TLS the scheme is another, host and port are not.
    ours = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    if site not in (None, "same-origin") or not (ours or (origin is None and site == "same-origin")):
        raise Refused("This form was sent from another site and was not acted upon.", 403)


def sessions_of(request: Request) -> Sessions:
    """The application's sessions."""
    sessions: Sessions = request.app.state.sessions
    return sessions


async def session_of(request: Request) -> Session | None:
    """Who is signed in, None for nobody."""
    cookie = request.cookies.get(f"__Host-{COOKIE}")
    if cookie is None and request.url.scheme != "https":  # over TLS, a plain name may come from another host of the same domain
        cookie = request.cookies.get(COOKIE)
    return await sessions_of(request).opened(cookie)


async def _signed_in(request: Request) -> Session:
    found = await session_of(request)
    session = None if found is None else await narrowed(request, found)
    if session is None:
        raise SignInFirst
    request.state.session = session
    request.state.caller = session.caller  # for the audit log
    return session


SignedIn = Annotated[Session, Depends(_signed_in)]


async def is_still_in(request: Request) -> bool:
    """True while whoever asked for a page may go on looking at it."""
    try:
        await _signed_in(request)
    except (SignInFirst, Refused):
        return False
    return True


async def _sender(request: Request, session: SignedIn) -> Session:
    form = await read_form(request)
    if not sessions_of(request).is_token(session.id, form.get("token", "")):
        raise Refused("This form belongs to another session; go back, reload the page and try again.", 403)
    return session


Sender = Annotated[Session, Depends(_sender)]
"""Who sent a form of ours."""


async def _actor(session: Sender) -> Session:
    if not session.may(Right.ACT):
        raise Refused("You may only read here.", 403)
    return session


Actor = Annotated[Session, Depends(_actor)]
"""The same, where only those may who may do more than read."""


async def _operator(request: Request, session: SignedIn) -> Session:
    if not sessions_of(request).is_operators(session):
        raise Refused("Only who signed in with the server's first key, or one made with it that may do more than read, sets it up.", 403)
    return session


Operator = Annotated[Session, Depends(_operator)]
"""Who may set up the server."""


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form, however often they are asked for. Raises Refused."""
    if not hasattr(request.state, "form"):
        request.state.form = await _read_form(request)
    form: dict[str, str] = request.state.form
    return form


async def _read_form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Refused("This is no form.", 415)
    body = await whole(request, MAX_FORM_BYTES, "A form")
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise Refused("This form cannot be read.", 400) from error


def local(path: str) -> str:
    """A path of this server to go on to, whatever was asked for: `/` for all that could lead elsewhere."""
    return path if _LOCAL.fullmatch(path) else "/"


def let_in(request: Request, session: Session, to: str = "/") -> Response:
    """The answer that signs somebody in: the cookie, and the way to a page of ours. Whoever calls this has checked who it is."""
    response = RedirectResponse(local(to), 303)
    secure = is_secure(request)
    name = f"__Host-{COOKIE}" if secure else COOKIE
    value = sessions_of(request).sealed(session)
    lasts_s = min(LASTS_S, round(session.expires_at - time.time()))
    response.set_cookie(name, value, max_age=lasts_s, httponly=True, secure=secure, samesite="lax", path="/")
    return response


def is_secure(request: Request) -> bool:
    """True if the browser came by https, also where a proxy before us ended it."""
    known = urlsplit(request.app.state.box_url)
    at_home = known.scheme == "https" and known.netloc == request.headers.get("host")
    return at_home or request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")


def _to_sign_in(request: Request) -> Response:
    if "text/event-stream" in request.headers.get("accept", ""):
        return PlainTextResponse("sign in first\n", 401)
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    to = local(asked) if request.method == "GET" else "/"
    return RedirectResponse("/login" if to == "/" else f"/login?next={quote(to, safe='')}", 303)
