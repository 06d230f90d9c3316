"""Deliveries: what Apps are sent, what they answered, and what was lost on the way. Nothing is sent again unless it is asked for."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import httpx

from tests.fakes.github.accounts import ALWAYS, Account, App, Installation
from tests.fakes.github.clock import node, now, stamp
from tests.fakes.github.shapes import people, places
from tests.fakes.github.wire import JSON

if TYPE_CHECKING:
    from tests.fakes.github.github import GitHub
    from tests.fakes.github.repository import Repository

ANSWER_WITHIN_S = 10.0


@dataclass(eq=False)
class Delivery:
    """One attempt to tell an App of one event; `guid` is the event's, and the same in every attempt.

    `status_code` is None while it is not answered: in the queue, on its way, or for an App without an address.
    """

    id: int
    guid: str
    app: App
    event: str
    payload: JSON
    headers: dict[str, str]
    installation_id: int | None
    repository_id: int | None
    attempt: int = 1
    status_code: int | None = None
    status: str = "queued"
    duration_s: float = 0.0
    delivered_at: datetime = field(default_factory=now)
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer: str = ""

    @property
    def action(self) -> str | None:
        """Of the event."""
        return self.payload.get("action")

    @property
    def raw(self) -> bytes:
        """The body."""
        return json.dumps(self.payload, separators=(",", ":")).encode()


class Webhooks:
    """Sends deliveries one after the other, from a thread of its own."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self.deliveries: list[Delivery] = []
        self._waiting: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._held: list[Delivery] | None = None
        self._to_lose = 0
        self._open = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is not sent is dropped."""
        with suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        self._waiting.put(None)
        self._thread.join(ANSWER_WITHIN_S + 1)

    def send(self, repository: Repository, event: str, make: Callable[[], JSON], only: App | None = None) -> None:
        """Tell every App that wants to know, or only one."""
        for app in self._github.apps:
            place = app.installation(repository)
            if place is None or place.suspended_at or event not in app.events or only not in (None, app):
                continue
            self._queue(place, event, {**make(), "installation": {"id": place.id, "node_id": node("MDIzOk", place.id)}}, repository.id)

    def installation(self, place: Installation, action: str, actor: Account | None = None) -> None:
        """Tell an App of where it is installed."""
        repositories = [] if action in ("suspend", "unsuspend") else [places.short(repository) for repository in place.repositories]
        more = {"repositories": repositories} if repositories else {}
        self._queue(place, "installation", {
            "action": action, "installation": people.installation(place), **more, "requester": None,
            "sender": people.account(actor or self._github.owner_of(place.account)),
        })  # fmt: skip

    def installation_repositories(
        self, place: Installation, *, added: Sequence[Repository] = (), removed: Sequence[Repository] = ()
    ) -> None:
        """Tell an App of more or fewer repositories."""
        self._queue(place, "installation_repositories", {
            "action": "added" if added else "removed", "installation": people.installation(place), "repository_selection": "selected",
            "repositories_added": [places.short(repository) for repository in added],
            "repositories_removed": [places.short(repository) for repository in removed],
            "requester": None, "sender": people.account(self._github.owner_of(place.account)),
        })  # fmt: skip

    def ping(self, app: App) -> None:
        """Tell an App that its webhook works."""
        hook: JSON = {"type": "App", "id": app.hook_id, "name": "web", "active": True, "events": app.events, "app_id": app.id}
        hook |= {"created_at": stamp(app.created_at), "updated_at": stamp(app.created_at)}
        hook["deliveries_url"] = f"{self._github.api_url}/app/hook/deliveries"
        hook["config"] = {"content_type": "json", "url": app.webhook_url, "insecure_ssl": "0", "secret": "********"}
        self._make(app, "ping", {"zen": "Keep it logically awesome.", "hook_id": app.hook_id, "hook": hook}, None, None)

    def lose(self, count: int) -> None:
        """The next `count` deliveries fail before they arrive."""
        self._to_lose += count

    @contextmanager
    def held(self) -> Iterator[list[Delivery]]:
        """Nothing is sent inside; what piled up is sent afterwards, in the order the list has then."""
        self._held = held = list[Delivery]()
        try:
            yield held
        finally:
            self._held = None
            for delivery in held:
                self._waiting.put(delivery)

    def settle(self, timeout_s: float = 10.0) -> None:
        """Wait until everything is answered. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._open == 0, timeout_s):
                raise TimeoutError(f"{self._open} deliveries are not answered after {timeout_s} s")

    def again(self, delivery: Delivery) -> Delivery:
        """Send it once more, under the same GUID."""
        made = Delivery(
            self._github.next_id(), delivery.guid, delivery.app, delivery.event, delivery.payload, delivery.headers,
            delivery.installation_id, delivery.repository_id, delivery.attempt + 1,
        )  # fmt: skip
        self._put(made)
        return made

    def _queue(self, place: Installation, event: str, payload: JSON, repository_id: int | None = None) -> None:
        if event in ALWAYS or event in place.app.events:
            self._make(place.app, event, payload, place.id, repository_id)

    def _make(self, app: App, event: str, payload: JSON, installation_id: int | None, repository_id: int | None) -> None:
        guid = str(uuid.uuid4())
        raw = json.dumps(payload, separators=(",", ":")).encode()
        headers = {
            "Accept": "*/*", "Content-Type": "application/json", "User-Agent": "GitHub-Hookshot/0b1f4c6", "X-GitHub-Delivery": guid,
            "X-GitHub-Event": event, "X-GitHub-Hook-ID": str(app.hook_id), "X-GitHub-Hook-Installation-Target-ID": str(app.id),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
            "X-Hub-Signature": f"sha1={hmac.new(app.webhook_secret.encode(), raw, hashlib.sha1).hexdigest()}",
            "X-Hub-Signature-256": f"sha256={hmac.new(app.webhook_secret.encode(), raw, hashlib.sha256).hexdigest()}",
        }  # fmt: skip
        self._put(Delivery(self._github.next_id(), guid, app, event, json.loads(raw), headers, installation_id, repository_id))

    def _put(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if delivery.app.webhook_url is None:
            delivery.status = "no address"
            return
        if self._to_lose:
            self._to_lose -= 1
            delivery.status_code, delivery.status = 502, "failed to connect to host"
            return
        with self._changed:
            self._open += 1
        if self._held is not None:
            self._held.append(delivery)
        else:
            self._waiting.put(delivery)

    def _work(self) -> None:
        with httpx.Client(timeout=ANSWER_WITHIN_S, trust_env=False, verify=False) as client:
            while (delivery := self._waiting.get()) is not None:
                self._deliver(client, delivery)
                with self._changed:
                    self._open -= 1
                    self._changed.notify_all()

    def _deliver(self, client: httpx.Client, delivery: Delivery) -> None:
        began, delivery.delivered_at = time.monotonic(), now()
        try:
            answer = client.post(str(delivery.app.webhook_url), content=delivery.raw, headers=delivery.headers)
        except httpx.TimeoutException:
            code, status = 504, "timed out"
        except httpx.HTTPError:
            code, status = 502, "failed to connect to host"
        else:
            code, status = answer.status_code, "OK" if answer.is_success else f"Invalid HTTP Response: {answer.status_code}"
            delivery.answer_headers, delivery.answer = dict(answer.headers), answer.text
        delivery.duration_s = round(time.monotonic() - began, 2)
        delivery.status_code, delivery.status = code, status
