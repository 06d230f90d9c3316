"""Pages of GitHub that people are sent to and that send them back: making an App, signing in."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.fakes.github.accounts import Account, App
from tests.fakes.github.wire import Answer, Request

if TYPE_CHECKING:
    from tests.fakes.github.github import GitHub

MAKES_APP = re.compile(r"(?:/organizations/(?P<owner>[^/]+))?/settings/apps/new")
LONGEST_NAME = 34
NEEDED = {
    "pull_request": "pull_requests", "pull_request_review": "pull_requests", "pull_request_review_comment": "pull_requests",
    "issue_comment": "issues", "check_run": "checks", "check_suite": "checks", "push": "contents",
}  # fmt: skip
"""Which permission an event needs; what GitHub sends unasked must not be in a manifest at all."""


@dataclass(frozen=True)
class _Grant:
    account: Account
    app: App
    redirect: str
    challenge: str | None


class Web:
    """Answers browsers; who sits there is `github.signed_in`."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._grants: dict[str, _Grant] = {}

    def answer(self, request: Request) -> Answer:
        """A page."""
        if found := MAKES_APP.fullmatch(request.path):
            return self._make_app(request, found["owner"]) if request.method == "POST" else _page(405, "POST a manifest")
        if request.path == "/login/oauth/authorize":
            return self._authorize(request)
        if request.path == "/login/oauth/access_token" and request.method == "POST":
            return self._exchange(request)
        return _page(404, "Not Found")

    def _make_app(self, request: Request, owner: str | None) -> Answer:
        if self._github.signed_in is None:
            return _page(401, "Sign in first")
        try:
            manifest = json.loads(request.form["manifest"])
            name, redirect = manifest["name"], manifest["redirect_url"]
            hook = (manifest.get("hook_attributes") or {}).get("url")
            assert isinstance(name, str) and 0 < len(name) <= LONGEST_NAME, "name is wrong"
            assert str(manifest["url"]).startswith("http") and (hook is None or hook.startswith("http")), "url is wrong"
            assert hook is not None or "hook_attributes" not in manifest, "url wasn't supplied"
            given = manifest.get("default_permissions") or {}
            idle = [event for event in manifest.get("default_events") or () if NEEDED.get(event) not in given]
            assert not idle, f"Default events are not supported by permissions: {', '.join(idle)}"
        except (KeyError, ValueError, AssertionError) as error:
            return _page(422, f"Invalid GitHub App configuration: {error}")
        if any(app.name == name for app in self._github.apps):
            return _page(422, "Name is already taken")
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        app = App(
            self._github, slug, self._github.user(owner or self._github.signed_in), dict(manifest.get("default_permissions") or {}),
            list(manifest.get("default_events") or ()), name, hook, list(manifest.get("callback_urls") or ()),
        )  # fmt: skip
        app.external_url, app.description = manifest["url"], manifest.get("description")
        code = secrets.token_hex(20)
        self._github.manifests[code] = app
        state = request.query.get("state")
        return _redirect(redirect, code=code, **({"state": state} if state else {}))

    def _authorize(self, request: Request) -> Answer:
        query = request.query
        app = next((app for app in self._github.apps if app.client_id == query.get("client_id")), None)
        if app is None:
            return _page(404, "Not Found")
        redirect = query.get("redirect_uri") or (app.callback_urls[0] if app.callback_urls else "")
        if not any(redirect.startswith(known) for known in app.callback_urls):
            return _page(400, "The redirect_uri is not associated with this application.")
        state = {"state": query["state"]} if "state" in query else {}
        if self._github.signed_in is None:
            return _redirect(redirect, error="access_denied", error_description="The user has denied your application access.", **state)
        code = secrets.token_hex(10)
        self._grants[code] = _Grant(self._github.user(self._github.signed_in), app, redirect, query.get("code_challenge"))
        return _redirect(redirect, code=code, **state)

    def _exchange(self, request: Request) -> Answer:
        form = request.form
        grant = self._grants.pop(form.get("code", ""), None)
        if grant is None or form.get("redirect_uri", grant.redirect) != grant.redirect or not _proved(grant, form.get("code_verifier")):
            told = {"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."}
        elif (form.get("client_id"), form.get("client_secret")) != (grant.app.client_id, grant.app.client_secret):
            told = {
                "error": "incorrect_client_credentials",
                "error_description": "The client_id and/or client_secret passed are incorrect.",
            }
        else:
            token = self._github.credentials.user_token(grant.account, grant.app)
            told = {"access_token": token, "token_type": "bearer", "scope": ""}
        if "json" in request.headers.get("accept", ""):
            return Answer(200, told)
        return Answer(200, urlencode(told).encode(), {"content-type": "application/x-www-form-urlencoded; charset=utf-8"})


def _proved(grant: _Grant, verifier: str | None) -> bool:
    if grant.challenge is None:
        return True
    hashed = base64.urlsafe_b64encode(hashlib.sha256((verifier or "").encode()).digest()).decode().rstrip("=")
    return hashed == grant.challenge


def _redirect(address: str, **query: str) -> Answer:
    return Answer(302, b"", {"location": f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"})


def _page(status: int, text: str) -> Answer:
    return Answer(status, f"<!doctype html><p>{text}".encode(), {"content-type": "text/html; charset=utf-8"})
