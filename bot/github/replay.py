"""Deliveries as GitHub keeps them, and sending one to a server as GitHub would: for development without a tunnel."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import SecretStr

from bot.errors import BotError
from bot.github.webhook import PATH

if TYPE_CHECKING:
    from bot.github.calls import Calls

ANSWER_S = 15.0
LIST = "/app/hook/deliveries"


class NoAnswer(BotError, ConnectionError):
    """The server that deliveries are sent to does not answer."""


@dataclass(frozen=True)
class Sent:
    """One attempt of GitHub's to deliver. `status_code` is 0 where nobody answered; `repository` is empty for an event of no repository."""

    id: int
    guid: str
    delivered_at: str
    event: str
    action: str
    repository: str
    status: str
    status_code: int

    @property
    def kind(self) -> str:
        """As people call it: `pull_request.opened`."""
        return f"{self.event}.{self.action}" if self.action else self.event

    @property
    def failed(self) -> bool:
        """True if it came to nothing."""
        return not 200 <= self.status_code < 300

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Delivery:
    """What is sent."""

    guid: str
    event: str
    body: bytes


@dataclass(frozen=True)
class Answered:
    """What the server said. 2xx: it has taken the delivery, or knows that there is nothing to do."""

    status_code: int
    said: str

    @property
    def taken(self) -> bool:
        """True if it was not refused."""
        return 200 <= self.status_code < 300


async def recent(own: Calls, count: int, *, failed: bool) -> list[Sent]:
    """The newest deliveries, newest first. Raises GitHubError.

    Args:
        failed: only what failed and was not delivered later.
    """
    rows: list[Any] = []
    delivered: set[str] = set()
    async for page in own.pages(LIST):
        for row in page:
            fine = 200 <= int(row["status_code"] or 0) < 300
            delivered |= {str(row["guid"])} if fine else set()
            if not failed or str(row["guid"]) not in delivered:
                rows.append(row)
        if len(rows) >= count:
            break
    names = await _names(own, rows[:count])
    return [_sent(row, names) for row in rows[:count]]


async def fetch(own: Calls, reference: str) -> Delivery:
    """A delivery by its id or GUID. Raises GitHubError, LookupError."""
    if not reference.isdigit():
        async for page in own.pages(LIST):
            if found := next((row for row in page if row["guid"] == reference), None):
                return await fetch(own, str(found["id"]))
        raise LookupError(f"GitHub keeps no delivery {reference!r}; `box-review deliveries ls` shows those it does")
    whole = await own.get(f"{LIST}/{reference}")
    return Delivery(str(whole["guid"]), str(whole["event"]), _payload(whole))


def send(url: str, secret: SecretStr, deliveries: Sequence[Delivery]) -> list[Answered]:
    """Send deliveries, signed, one after the other. Raises NoAnswer."""
    answers = []
    with httpx.Client(timeout=ANSWER_S) as client:
        for one in deliveries:
            signature = hmac.new(secret.get_secret_value().encode(), one.body, hashlib.sha256).hexdigest()
            about = {"X-GitHub-Event": one.event, "X-GitHub-Delivery": one.guid, "X-Hub-Signature-256": f"sha256={signature}"}
            try:
                answer = client.post(url.rstrip("/") + PATH, content=one.body, headers={"Content-Type": "application/json", **about})
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise NoAnswer(f"no server answers at {url}: {error}; start one with `box-review serve`, or say where by --url") from error
            answers.append(Answered(answer.status_code, _said(answer)))
    return answers


def _sent(row: Any, names: dict[int, str]) -> Sent:
    return Sent(
        id=int(row["id"]),
        guid=str(row["guid"]),
        delivered_at=str(row["delivered_at"]),
        event=str(row["event"]),
        action=str(row["action"] or ""),
        repository=names.get(row["repository_id"] or 0, ""),
        status=str(row["status"]),
        status_code=int(row["status_code"] or 0),
    )


async def _names(own: Calls, rows: list[Any]) -> dict[int, str]:
    """Names of repositories by their ids: the list has no names, so one delivery of each is looked at."""
    names = {}
    for ident, row in {row["repository_id"]: row for row in rows if row["repository_id"]}.items():
        payload = json.loads(_payload(await own.get(f"{LIST}/{row['id']}")))
        names[int(ident)] = str((payload.get("repository") or {}).get("full_name", ""))
    return names


def _payload(whole: Any) -> bytes:
    payload = whole["request"]["payload"]
    return payload.encode() if isinstance(payload, str) else json.dumps(payload, separators=(",", ":")).encode()


def _said(answer: httpx.Response) -> str:
    """The server's own words."""
    try:
        body = answer.json()
    except ValueError:
        return answer.reason_phrase
    return "; ".join(f"{name}: {value}" for name, value in body.items()) if isinstance(body, dict) else answer.reason_phrase
