"""Set-up in the browser: an App is made from our manifest, or one that exists is taken over. All of it is off once there is an App.

Whoever reaches a server without an App must not become its master: only the operator's keys open these pages.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Annotated
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import SecretStr, ValidationError

from bot.dashboard.address import base_of
from bot.dashboard.guard import Operator, PageRoute, Sender, policy, read_form
from bot.dashboard.page import page
from bot.dashboard.sessions import Session
from bot.dashboard.states import states_of
from bot.errors import Misconfigured, Refused
from bot.github.credentials import Credentials, Keeper
from bot.github.direct import Direct, MadeApp, direct_of
from bot.github.errors import Denied, GitHubError, Missing
from bot.github.manifest import LONGEST_NAME, app_file, is_reachable, lacking, manifest

log = structlog.get_logger()

OFF = "A GitHub App is set up already, and set-up is off. /github says what there is."
BEGIN_AGAIN = "This set-up is too old, was used before or was begun in another session; open /setup and begin again."
_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9 ._-]{{0,{LONGEST_NAME - 1}}}")
router = APIRouter(include_in_schema=False, route_class=PageRoute)
Text = Annotated[str, Query(max_length=1000)]


def is_open(keeper: Keeper) -> bool:
    """True while there is no App. A file that cannot be used counts as one: it is for the operator to remove it."""
    try:
        return keeper.current() is None
    except Misconfigured:
        return False


async def _open(request: Request) -> None:
    if not request.app.state.setup_open():
        raise Refused(OFF, 404)


Open = Depends(_open)


@router.get("/setup", dependencies=[Open])
async def ask(request: Request, _: Operator) -> Response:
    """What can be done."""
    return await _form(request)


@router.post("/setup", dependencies=[Open])
async def leave(request: Request, session: Operator, _: Sender) -> Response:
    """Off to GitHub, with the manifest: a form that sends itself, because GitHub takes it from browsers only."""
    form = await read_form(request)
    owner, name = form.get("owner", "").strip(), form.get("name", "").strip()
    if owner and not _OWNER.fullmatch(owner):
        return await _form(request, owner, name, "This is no name of an organisation; it stands in the address of its page at GitHub.")
    if not _NAME.fullmatch(name):
        return await _form(request, owner, name, f"An App's name has {LONGEST_NAME} letters, digits, blanks or dashes at most.")
    base, github = base_of(request), direct_of(request)
    place = f"/organizations/{quote(owner)}/settings/apps/new" if owner else "/settings/apps/new"
    to = f"{github.url}{place}?state={states_of(request).issue('setup', session.id)}"
    said = json.dumps(manifest(base, name, reachable=is_reachable(base, github.url)))
    response = await page(request, "setup_go.html.j2", to=to, manifest=said, github=github.url)
    response.headers["Content-Security-Policy"] = policy(request.state.nonce, f"'self' {github.url}")
    response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"  # else the form would come from the origin "null"
    return response


@router.get("/setup/callback", dependencies=[Open])
async def come_back(request: Request, session: Operator, code: Text = "", state: Text = "") -> Response:
    """Back from GitHub: the code becomes the App's credentials."""
    if await states_of(request).take("setup", session.id, state) is None:
        raise Refused(BEGIN_AGAIN, 403)
    try:
        made = await direct_of(request).convert(code)
    except Missing as error:
        raise Refused("GitHub knows nothing of this App: its code is good once, for an hour. Open /setup and begin again.", 400) from error
    except GitHubError as error:
        log.warning("the App could not be taken from GitHub", reason=str(error))
        raise Refused(f"{error}. The App may be there all the same: remove it at {direct_of(request).url} and begin again.", 502) from error
    return _stored(request, _credentials(made))


@router.get("/setup/import", dependencies=[Open])
async def ask_for_known(request: Request, _: Operator) -> Response:
    """The form for an App that exists."""
    return await _import_form(request, {})


@router.post("/setup/import", dependencies=[Open])
async def take_known(request: Request, _session: Operator, _: Sender) -> Response:
    """An App that exists, once GitHub knows it by this key."""
    form = {name: value.replace("\r\n", "\n").strip() for name, value in (await read_form(request)).items()}
    try:
        credentials = await _checked(direct_of(request), _given(form))
    except Refused as error:
        return await _import_form(request, form, str(error))
    return _stored(request, credentials)


async def _checked(github: Direct, given: Credentials) -> Credentials:
    """The same with what GitHub knows of the App. Raises Refused where GitHub does not know it, or it may too little."""
    try:
        known = await github.app(given)
    except (Denied, Missing) as error:
        raise Refused(f"GitHub knows no App {given.app_id} with this private key.") from error
    except GitHubError as error:
        raise Refused(f"{error}; try again shortly.") from error
    if less := lacking(known.permissions, known.events):
        raise Refused(f"The App lacks {', '.join(less)}. Give it that at GitHub, and try again.")
    return given.model_copy(update={"slug": known.slug, "html_url": known.html_url, "client_id": given.client_id or known.client_id})


def _stored(request: Request, credentials: Credentials) -> Response:
    keeper: Keeper = request.app.state.github.keeper
    try:
        keeper.store(credentials)
    except Misconfigured as error:  # somebody else was quicker
        raise Refused(OFF, 404) from error
    session: Session = request.state.session
    log.info("an App is set up", app_id=credentials.app_id, slug=credentials.slug, by=session.who)
    return RedirectResponse("/github", 303)


def _credentials(made: MadeApp) -> Credentials:
    return Credentials(
        app_id=made.id,
        slug=made.slug,
        html_url=made.html_url,
        private_key=SecretStr(made.pem),
        webhook_secret=SecretStr(made.webhook_secret or secrets.token_hex(32)),  # an App without a webhook has none yet
        client_id=made.client_id,
        client_secret=SecretStr(made.client_secret),
    )


_LABELS = {
    "app_id": "App ID",
    "private_key": "Private key",
    "webhook_secret": "Webhook secret",
    "client_id": "Client ID",
    "client_secret": "Client secret",
}


def _given(form: dict[str, str]) -> Credentials:
    """The credentials in a form. Raises Refused, with nothing of what is secret."""
    try:
        return Credentials.model_validate({name: form.get(name, "") for name in _LABELS})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise Refused(f"{_LABELS[str(problem['loc'][0])]}: {problem['msg'].removeprefix('Value error, ')}.") from None


async def _form(request: Request, owner: str = "", name: str = "", wrong: str = "") -> Response:
    base, github = base_of(request), direct_of(request).url
    return await page(
        request,
        "setup.html.j2",
        422 if wrong else 200,
        owner=owner,
        app_name=name or f"{app_file().name}-{secrets.token_hex(2)}",  # names are taken across all of GitHub
        wrong=wrong,
        base=base,
        guessed=not request.app.state.box_url,
        reachable=is_reachable(base, github),
        github=github,
        longest=LONGEST_NAME,
        permissions=app_file().default_permissions,
    )


async def _import_form(request: Request, form: dict[str, str], wrong: str = "") -> Response:
    """What is secret is not sent back to the browser."""
    known = {name: form.get(name, "") for name in ("app_id", "client_id")}
    return await page(request, "setup_import.html.j2", 422 if wrong else 200, wrong=wrong, base=base_of(request), **known)
