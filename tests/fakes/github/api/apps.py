"""Apps, their installations, tokens and deliveries."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tests.fakes.github.accounts import LEVELS, Installation
from tests.fakes.github.api.call import Call, found, operation
from tests.fakes.github.clock import now, stamp
from tests.fakes.github.shapes import people, places
from tests.fakes.github.webhooks import Delivery
from tests.fakes.github.wire import DOCS, JSON, Answer, Page, Refused, missing

APP = ("app",)


@operation("apps/get-authenticated", by=APP)
def get_app(call: Call) -> JSON:
    assert call.app is not None
    return {**people.app(call.app), "installations_count": len(call.app.installations)}


@operation("apps/create-from-manifest", by=("none", "app", "installation", "user"))
def create_from_manifest(call: Call) -> JSON:
    app = call.github.manifests.pop(call.values["code"], None)
    if app is None:
        raise missing()
    call.github.apps.append(app)
    secrets = {"client_secret": app.client_secret, "webhook_secret": app.webhook_secret, "pem": app.private_key}
    return {**people.app(app), "client_id": app.client_id, **secrets}


@operation("apps/get-webhook-config-for-app", by=APP)
def get_hook(call: Call) -> JSON:
    assert call.app is not None
    return {"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": call.app.webhook_url or ""}


@operation("apps/update-webhook-config-for-app", by=APP)
def update_hook(call: Call) -> Any:
    assert call.app is not None
    call.app.webhook_url = call.body.get("url", call.app.webhook_url)
    call.app.webhook_secret = call.body.get("secret", call.app.webhook_secret)
    return get_hook(call)


def _installation(call: Call) -> Installation:
    assert call.app is not None
    return found(call.app.installations, lambda place: place.id == call.ident("installation_id"))


@operation("apps/list-installations", by=APP)
def list_installations(call: Call) -> Page:
    assert call.app is not None
    return Page(call.app.installations, people.installation)


@operation("apps/get-installation", by=APP)
def get_installation(call: Call) -> JSON:
    return people.installation(_installation(call))


@operation("apps/delete-installation", by=APP)
def delete_installation(call: Call) -> None:
    place = _installation(call)
    for repository in list(place.repositories):
        place.app.uninstall(repository)


@operation("apps/suspend-installation", by=APP)
def suspend(call: Call) -> None:
    place = _installation(call)
    place.suspended_at = now()
    call.github.webhooks.installation(place, "suspend")


@operation("apps/unsuspend-installation", by=APP)
def unsuspend(call: Call) -> None:
    place = _installation(call)
    place.suspended_at = None
    call.github.webhooks.installation(place, "unsuspend")


@operation("apps/create-installation-access-token", by=APP)
def create_token(call: Call) -> JSON:
    place = _installation(call)
    if place.suspended_at is not None:
        raise Refused(403, "This installation has been suspended")
    asked: dict[str, str] = call.body.get("permissions") or {}
    held = {"metadata": "read", **place.permissions}
    for name, level in asked.items():
        if LEVELS.index(level) > LEVELS.index(held.get(name, "none")):
            raise Refused(422, "The permissions requested are not granted to this installation.")
    chosen = _chosen(place, call.body)
    made = call.github.credentials.install_token(place, asked, chosen)
    assert made.expires_at is not None
    answer: JSON = {
        "token": made.token, "expires_at": stamp(made.expires_at), "permissions": dict(made.permissions or {}),
        "repository_selection": "selected",
    }  # fmt: skip
    return answer if chosen is None else {**answer, "repositories": [places.repository(repository) for repository in chosen]}


def _chosen(place: Installation, body: JSON) -> list[Any] | None:
    names, idents = body.get("repositories"), body.get("repository_ids")
    if not names and not idents:
        return None
    known = {repository.name.lower(): repository for repository in place.repositories}
    by_id = {repository.id: repository for repository in place.repositories}
    chosen = [known.get(str(name).lower()) for name in names or ()] + [by_id.get(ident) for ident in idents or ()]
    if None in chosen:
        raise Refused(422, "There is at least one repository that does not exist or is not accessible to the parent installation.")
    return chosen


@operation("apps/get-repo-installation", by=APP)
def repository_installation(call: Call) -> JSON:
    assert call.app is not None
    place = call.app.installation(call.repository)
    if place is None:
        raise missing()
    return people.installation(place)


@operation("apps/list-repos-accessible-to-installation", by=("installation", "workflow"))
def repositories(call: Call) -> Page:
    return Page(call.caller.reach, places.repository, "repositories", {"repository_selection": "selected"})


@operation("apps/revoke-installation-access-token", by=("installation", "workflow"))
def revoke(call: Call) -> None:
    call.github.credentials.revoke(call.caller)


def _item(delivery: Delivery) -> JSON:
    return {
        "id": delivery.id, "guid": delivery.guid, "delivered_at": stamp(delivery.delivered_at), "redelivery": delivery.attempt > 1,
        "duration": delivery.duration_s, "status": delivery.status, "status_code": delivery.status_code or 0, "event": delivery.event,
        "action": delivery.action, "installation_id": delivery.installation_id, "repository_id": delivery.repository_id,
        "throttled_at": None,
    }  # fmt: skip


def _sent(call: Call) -> list[Delivery]:
    """Newest first."""
    return [d for d in reversed(call.github.webhooks.deliveries) if d.app is call.app and d.status_code is not None]


@operation("apps/list-webhook-deliveries", by=APP)
def list_deliveries(call: Call) -> Answer:
    query, sent = call.request.query, _sent(call)
    per_page = min(max(int(query.get("per_page", 30)), 1), 100)
    if wanted := query.get("status"):
        sent = [d for d in sent if (200 <= (d.status_code or 0) < 400) == (wanted == "success")]
    if cursor := query.get("cursor"):
        if not cursor.removeprefix("v1_").isdecimal():
            raise Refused(400, "Invalid cursor", headers={"documentation": DOCS})
        sent = [d for d in sent if d.id < int(cursor.removeprefix("v1_"))]
    headers = {}
    if len(sent) > per_page:
        rest = urlencode({**query, "cursor": f"v1_{sent[per_page - 1].id}"})
        headers["link"] = f'<{call.github.api_url}/app/hook/deliveries?{rest}>; rel="next"'
    return Answer(200, [_item(delivery) for delivery in sent[:per_page]], headers)


def _delivery(call: Call) -> Delivery:
    return found(_sent(call), lambda delivery: delivery.id == call.ident("delivery_id"))


@operation("apps/get-webhook-delivery", by=APP)
def get_delivery(call: Call) -> JSON:
    of = _delivery(call)
    return {
        **_item(of), "url": of.app.webhook_url or "", "request": {"headers": of.headers, "payload": of.payload},
        "response": {"headers": of.answer_headers or None, "payload": of.answer or None},
    }  # fmt: skip


@operation("apps/redeliver-webhook-delivery", by=APP)
def redeliver(call: Call) -> JSON:
    call.github.webhooks.again(_delivery(call))
    return {}
