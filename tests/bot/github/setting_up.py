"""A front without an App beside a GitHub on loopback, and a person who goes from one to the other and back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from arq.connections import ArqRedis

from tests.bot.dashboard.front import ORIGIN, Browser, Front, opened, token_in
from tests.conftest import Valkey
from tests.fakes.github import GitHub

FIELD = re.compile(r'name="manifest" value="([^"]*)"')
ACTION = re.compile(r'<form[^>]*id="manifest"[^>]*action="([^"]*)"')


@asynccontextmanager
async def unconfigured(valkey: Valkey, redis: ArqRedis, github: GitHub, **settings: Any) -> AsyncIterator[Front]:
    """A front without an App."""
    async with opened(valkey.url, redis, valkey.folder.parent, github_api_url=github.api_url, **settings) as front:
        yield front


async def leave(browser: Browser, owner: str = "", name: str = "Reviewer") -> tuple[str, str]:
    """Press the button of the set-up page; where its form leads at GitHub, and the manifest it takes there."""
    token = token_in((await browser.get("/setup")).text)
    page = (await browser.post("/setup", {"token": token, "owner": owner, "name": name})).text
    action, manifest = ACTION.search(page), FIELD.search(page)
    assert action and manifest, page
    return unescape(action[1]), unescape(manifest[1])


async def at_github(to: str, manifest: str) -> str:
    """Confirm there; the path and query of the page of ours that GitHub sends one back to."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(to, data={"manifest": manifest})
    assert answer.status_code == 302, answer.text
    return back_at(answer)


def back_at(answer: httpx.Response) -> str:
    """Where a page of GitHub's leads, which must be here."""
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}" == ORIGIN
    return f"{where.path}?{where.query}"


@dataclass(frozen=True)
class Went:
    """Where a page led: address and fields."""

    to: str
    fields: dict[str, str]


def went(answer: httpx.Response) -> Went:
    """Where it leads."""
    assert answer.status_code == 303, answer.text
    to, _, query = answer.headers["location"].partition("?")
    return Went(to, {name: values[0] for name, values in parse_qs(query).items()})
