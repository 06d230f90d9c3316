"""A front with its pages, and a host of boxes beside it."""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
from arq.connections import ArqRedis
from box_review import ReviewRecord, ReviewRequest
from box_review.events import ReviewEvent
from box_review.jobs import HOSTS, KEEP_S, HostReport, events_key, review_key, role_field
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI

from bot import recent
from bot.app import create_app
from bot.keys import Keys
from bot.settings import BotSettings
from tests.fakes.loopback import Handler, Loopback

ALPHA, BETA = "alpha-key-of-a-tenant", "beta-key-of-another"
ORIGIN = "http://front.test"
SOURCE = "0" * 64


def tenant_of(key: str) -> str:
    """The tenant of a configured key."""
    return Keys([key]).reference(key)


@dataclass
class Front:
    """The application, and what is behind it."""

    app: FastAPI
    redis: ArqRedis
    data_dir: Path

    @asynccontextmanager
    async def browser(self, origin: str = ORIGIN, through: Any = None) -> AsyncIterator[Browser]:
        """Somebody who has opened the server at an address; `through` is a layer around the application."""
        transport = httpx.ASGITransport(through or self.app)
        async with httpx.AsyncClient(transport=transport, base_url=origin, headers={"Origin": origin}) as client:
            yield Browser(client)

    async def keep(self, record: ReviewRecord, key: str = ALPHA, events: tuple[ReviewEvent, ...] = ()) -> None:
        """Put a review into the store as the server does."""
        tenant, created_at = tenant_of(key), record.created_at.timestamp()
        request = ReviewRequest(
            repository=record.repository, source=SOURCE, base_sha=record.base_sha, head_sha=record.head_sha, title=record.title,
            roles=tuple(report.role for report in record.roles),
        )  # fmt: skip
        times = {"created_at": repr(created_at), "deadline_at": repr(created_at + 900)}
        fields = {"request": request.model_dump_json(), "tenant": tenant, "status": record.status.value, **times}
        fields |= {role_field(report.role): report.model_dump_json() for report in record.roles}
        if record.status.final:
            fields["record"] = record.model_dump_json()
        async with self.redis.pipeline() as pipe:
            pipe.hset(review_key(record.review_id), mapping=fields)
            pipe.expire(review_key(record.review_id), KEEP_S)
            recent.note(pipe, tenant, record.repository, record.review_id, created_at)
            for event in events:
                pipe.xadd(events_key(record.review_id), {"event": event.model_dump_json()})
            await pipe.execute()

    async def report_host(self, address: str) -> None:
        """Let a host be known that holds boxes at an address."""
        report = HostReport(
            id="h", version="1", capacity=1, drivers=("bubblewrap",), harnesses=("static",), roles=("security",), boxes=address,
            seen_at=time.time(),
        )  # fmt: skip
        await self.redis.hset(HOSTS, "h", report.model_dump_json())  # type: ignore[misc]


@functools.cache
def some_app() -> dict[str, Any]:
    """Settings with a GitHub App, which nobody asks anything."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"app_id": 1, "private_key": pem.decode(), "webhook_secret": "webhook-secret"}


@asynccontextmanager
async def opened(redis_url: str, redis: ArqRedis, data_dir: Path, **settings: Any) -> AsyncIterator[Front]:
    """A front that runs while the context lasts; with an App, unless other settings are given."""
    known = settings or some_app()
    app = create_app(BotSettings(redis_url=redis_url, box_data_dir=data_dir, box_api_keys=(ALPHA, BETA), box_audit_log="off", **known))
    async with app.router.lifespan_context(app):
        yield Front(app, redis, data_dir)


class Browser:
    """Follows nothing by itself, keeps cookies, sends forms as a page of the server would."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **more: Any) -> httpx.Response:
        """Open a page."""
        return await self.client.get(path, **more)

    async def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        """Send a form."""
        return await self.client.post(path, data=form or {}, headers=headers)

    async def sign_in(self, key: str = ALPHA, to: str = "/") -> httpx.Response:
        """Through the form."""
        token = token_in((await self.get("/login")).text)
        return await self.post("/login", {"token": token, "key": key, "next": to})

    async def token(self) -> str:
        """The token of the session's forms."""
        return token_in((await self.get("/", follow_redirects=True)).text)


def token_in(page: str) -> str:
    """The first form's token."""
    found = re.search(r'name="token" value="([0-9a-f]{64})"', page)
    assert found, page
    return found[1]


@dataclass
class Host:
    """Boxes of one tenant, as a host tells of them; what was asked stands in `asked`."""

    tenant: str
    boxes: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def box(self, reference: str) -> dict[str, Any] | None:
        """One by id or name."""
        return next((box for box in self.boxes if reference in (box["id"], box.get("name"))), None)

    def answer(self, method: str, path: str, tenant: str) -> tuple[int, Any]:
        """Status and body."""
        path, _, query = path.partition("?")
        _, _, _, reference, rest = [*path.split("/"), "", ""][:5]
        if method == "POST":
            self.asked.append(f"{method} {path}")
        if tenant != self.tenant:
            return (404, {"error": "no box"}) if reference else (200, [])
        if not reference:
            label = query.removeprefix("label=")
            return 200, [box for box in self.boxes if not label or label in box["labels"]]
        box = self.box(reference)
        if box is None:
            return 404, {"error": f"no box {reference!r}"}
        if rest in ("pause", "resume"):
            box["status"] = {"pause": "paused", "resume": "idle"}[rest]
        return 200, {"": box, "logs": {"logs": self.logs}, "runs": {"runs": self.runs}}.get(rest, {})


def served(host: Host) -> Loopback:
    """The host, listening."""

    class Answers(Handler):
        def do_GET(self) -> None:
            status, body = host.answer(self.command, self.path, self.headers["x-box-tenant"])
            sent = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_POST = do_GET

    return Loopback(Answers)


class Page(HTMLParser):
    """What a browser would see of a page: tags, attributes, and where it leads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    @property
    def leads_to(self) -> list[str]:
        """All addresses in it."""
        return [where for name in ("href", "src", "action", "formaction", "data-events") for where in self.attributes.get(name, [])]
