"""What the App is to be: `app.yml`, with the addresses of this server put in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import yaml
from box_review.finding import ContractModel

from bot.github.webhook import PATH

LONGEST_NAME = 34
"""So many signs GitHub allows."""
CALLBACK = "/login/github/callback"
CREATED = "/setup/callback"
_LEVELS = ("none", "read", "write", "admin")


class _Hook(ContractModel):
    active: bool


class AppFile(ContractModel):
    """`app.yml`."""

    name: str
    description: str
    public: bool
    hook_attributes: _Hook
    default_permissions: dict[str, str]
    default_events: tuple[str, ...]


@cache
def app_file() -> AppFile:
    """The file as it was installed with this server."""
    return AppFile.model_validate(yaml.safe_load(files("bot.github").joinpath("app.yml").read_text(encoding="utf-8")))


def manifest(base: str, name: str, *, reachable: bool) -> dict[str, Any]:
    """What GitHub makes an App from.

    Args:
        base: address of this server.
        name: of the App.
        reachable: False leaves the webhook out, because GitHub refuses a whole manifest for an address it cannot reach.
    """
    wanted = app_file()
    hook = {"hook_attributes": {"url": base + PATH, "active": wanted.hook_attributes.active}} if reachable else {}
    return {
        "name": name,
        "url": base,
        "description": wanted.description,
        "public": wanted.public,
        **hook,
        "redirect_url": base + CREATED,
        "callback_urls": [base + CALLBACK],
        "default_permissions": wanted.default_permissions,
        "default_events": list(wanted.default_events),
    }


def lacking(permissions: Mapping[str, str], events: Iterable[str]) -> list[str]:
    """What an App has less than it needs, in words; `issues` matters by its event alone."""
    wanted = app_file()
    less = [
        f"the permission {name}: {level}"
        for name, level in wanted.default_permissions.items()
        if name != "issues" and _level(permissions.get(name)) < _level(level)
    ]
    return less + [f"the event {name}" for name in wanted.default_events if name not in set(events)]


def is_reachable(base: str, github_url: str) -> bool:
    """False if GitHub can surely not send anything to `base`: github.com to a private address, any but one here to loopback."""
    theirs = (urlsplit(github_url).hostname or "").lower()
    if theirs in ("github.com", "www.github.com") or theirs.endswith(".ghe.com"):
        return _nearness(base) == 0
    return _nearness(base) < 2 or _nearness(github_url) == 2


def _nearness(url: str) -> int:
    """2 for this very machine, 1 for a network of its own, 0 for the internet, as far as a name can tell."""
    host = (urlsplit(url).hostname or "").lower()
    try:
        address = ip_address(host)
    except ValueError:
        if host == "localhost" or host.endswith(".localhost"):
            return 2
        return 1 if "." not in host or host.endswith((".local", ".internal", ".lan", ".test")) else 0
    return 2 if address.is_loopback or address.is_unspecified else 1 if not address.is_global else 0


def _level(name: str | None) -> int:
    return _LEVELS.index(name) if name in _LEVELS else 0
