"""The page on the App that is set up: what to do next, and whether it is at GitHub as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from bot.dashboard.address import base_of
from bot.dashboard.guard import Operator, PageRoute
from bot.dashboard.page import page
from bot.errors import Misconfigured, Refused
from bot.github.credentials import Credentials, Keeper
from bot.github.direct import Direct, direct_of
from bot.github.errors import GitHubError
from bot.github.manifest import CALLBACK, is_reachable, lacking
from bot.github.webhook import PATH

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True)
class State:
    """What GitHub says of the App; `unknown` why it says nothing.

    Args:
        html_url: the App's page, empty if that is no address of GitHub's.
        hook_url: where deliveries go.
        less: what it lacks.
    """

    slug: str = ""
    html_url: str = ""
    hook_url: str = ""
    less: tuple[str, ...] = ()
    unknown: str = ""


@router.get("/github")
async def status(request: Request, _: Operator) -> Response:
    """How it stands."""
    keeper: Keeper = request.app.state.github.keeper
    try:
        credentials = keeper.current()
    except Misconfigured as error:
        raise Refused(f"{error}.", 503) from error
    if credentials is None:
        return RedirectResponse("/setup", 303)
    return await page(request, "github.html.j2", **await _values(request, keeper, credentials))


async def _values(request: Request, keeper: Keeper, credentials: Credentials) -> dict[str, Any]:
    base, github = base_of(request), direct_of(request)
    return {
        "app_id": credentials.app_id,
        "state": await _state(github, credentials),
        "hook": base + PATH,
        "callback": base + CALLBACK,
        "signing_in": bool(credentials.client_id and credentials.client_secret.get_secret_value()),
        "reachable": is_reachable(base, github.url),
        "fixed": keeper.fixed,
        "github": github.url,
    }


async def _state(github: Direct, credentials: Credentials) -> State:
    try:
        known, hook = await github.app(credentials), await github.hook(credentials)
    except GitHubError as error:
        return State(credentials.slug, _address(github, credentials.html_url), unknown=str(error))
    return State(known.slug, _address(github, known.html_url), hook.url or "", tuple(lacking(known.permissions, known.events)))


def _address(github: Direct, url: str) -> str:
    return url if url.startswith(f"{github.url}/") else ""
