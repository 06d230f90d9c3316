"""Git over HTTP, making an App, signing in."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.fakes.github import GitHub, Pull, Repository
from tests.fakes.test_github.clients import Client, json_web_token


def git(folder: Path, *arguments: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    header = ["-c", f"http.extraHeader=Authorization: Basic {basic}"] if token else []
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(["git", "-C", folder, *header, *arguments], capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


def test_git_fetches_any_commit_and_pull_request_with_a_token(github: GitHub, shop: Repository, pull: Pull, clone: Path) -> None:
    token, old = github.installation_token(shop, {"contents": "read"}), pull.head_sha
    pull.push({"cart.py": "rewritten\n"}, force=True)
    for wanted in ("refs/pull/1/head", "refs/pull/1/merge", old):
        fetched = git(clone, "fetch", "-q", "--depth=1", f"{shop.url}.git", wanted, token=token)
        assert fetched.returncode == 0, fetched.stderr
    assert git(clone, "rev-parse", "FETCH_HEAD").stdout.strip() == old
    assert git(clone, "fetch", "-q", "--filter=blob:none", shop.url, "main", token=token).returncode == 0


def test_git_is_refused_without_the_right_token(github: GitHub, shop: Repository, clone: Path) -> None:
    other = github.repository("acme/other", private=True)
    for token, address in (
        (None, shop.url), ("ghs_unknown", shop.url), (github.installation_token(shop, {"checks": "write"}), shop.url),
        (github.installation_token(shop), other.url), (github.installation_token(shop), f"{github.url}/acme/nowhere"),
        (json_web_token(github.app), shop.url),
    ):  # fmt: skip
        assert git(clone, "fetch", "-q", f"{address}.git", "main", token=token).returncode != 0


def test_git_pushes_with_write_permission_only(github: GitHub, shop: Repository, pull: Pull, clone: Path) -> None:
    who = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    git(clone, "fetch", "-q", shop.url, "topic", token=github.user_token("ada"))
    git(clone, "checkout", "-q", "FETCH_HEAD")
    git(clone, *who, "commit", "-q", "--allow-empty", "-m", "more")
    assert git(clone, "push", "-q", f"{shop.url}.git", "HEAD:topic", token=github.installation_token(shop)).returncode != 0
    pushed = git(clone, "push", "-q", f"{shop.url}.git", "HEAD:topic", token=github.user_token("ada"))
    assert pushed.returncode == 0, pushed.stderr
    assert pull.head_sha == git(clone, "rev-parse", "HEAD").stdout.strip()
    assert github.deliveries[-1].payload["action"] == "synchronize"


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, verify=False) as client:
        yield client


MANIFEST: dict[str, Any] = {
    "name": "Reviewer of Acme", "url": "http://127.0.0.1:8380", "hook_attributes": {"url": "http://127.0.0.1:8380/api/github/webhooks"},
    "redirect_url": "http://127.0.0.1:8380/setup/done", "callback_urls": ["http://127.0.0.1:8380/login"], "public": False,
    "default_permissions": {"checks": "write", "contents": "read"}, "default_events": ["check_run"],
}  # fmt: skip


def sent_back(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 302, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


@pytest.mark.parametrize("owner", ["", "/organizations/acme"])
def test_app_is_made_from_a_manifest_once(github: GitHub, browser: httpx.Client, owner: str) -> None:
    github.signed_in = "ada"
    form = {"manifest": json.dumps(MANIFEST)}
    back = sent_back(browser.post(f"{github.url}{owner}/settings/apps/new", params={"state": "s"}, data=form))
    assert back["state"] == "s"
    made = browser.post(f"{github.api_url}/app-manifests/{back['code']}/conversions")
    assert made.status_code == 201
    facts = made.json()
    assert (facts["slug"], facts["owner"]["login"]) == ("reviewer-of-acme", "acme" if owner else "ada")
    assert {"pem", "webhook_secret", "client_id", "client_secret"} <= facts.keys()
    assert browser.post(f"{github.api_url}/app-manifests/{back['code']}/conversions").status_code == 404
    app = github.apps[-1]
    with Client(github, json_web_token(app, key=facts["pem"])) as client:
        assert client.json_of("/app")["permissions"] == {"checks": "write", "contents": "read", "metadata": "read"}
    assert (app.webhook_url, app.events) == (MANIFEST["hook_attributes"]["url"], ["check_run"])
    repository = github.repository("acme/new", installed=False)
    app.install(repository)
    assert (github.deliveries[-1].app, github.deliveries[-1].event) == (app, "installation")


WRONG: list[dict[str, Any]] = [
    {"name": "x" * 35}, {"name": "box-review"}, {"url": "no"}, {"redirect_url": None}, {"hook_attributes": {"active": False}},
    {"default_events": ["issue_comment"]}, {"default_events": ["installation"]},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_manifest_that_is_wrong_makes_no_app(github: GitHub, browser: httpx.Client, wrong: dict[str, Any]) -> None:
    github.signed_in = "ada"
    manifest = {name: value for name, value in {**MANIFEST, **wrong}.items() if value is not None}
    assert browser.post(f"{github.url}/settings/apps/new", data={"manifest": json.dumps(manifest)}).status_code == 422
    assert not github.manifests


def authorize(github: GitHub, browser: httpx.Client, **more: str) -> httpx.Response:
    github.app.callback_urls = ["http://127.0.0.1:8380/login"]
    return browser.get(f"{github.url}/login/oauth/authorize", params={"client_id": github.app.client_id, "state": "s", **more})


def exchange(github: GitHub, browser: httpx.Client, **form: str) -> dict[str, Any]:
    secrets = {"client_id": github.app.client_id, "client_secret": github.app.client_secret}
    answer = browser.post(f"{github.url}/login/oauth/access_token", data={**secrets, **form}, headers={"Accept": "application/json"})
    return dict(answer.json())


def test_user_signs_in_and_sees_where_the_app_is_installed(github: GitHub, shop: Repository, browser: httpx.Client) -> None:
    github.signed_in = "ada"
    back = sent_back(authorize(github, browser))
    token = exchange(github, browser, code=back["code"])["access_token"]
    with Client(github, token) as ada:
        assert ada.json_of("/user")["login"] == "ada"
        (place,) = ada.json_of("/user/installations")["installations"]
        assert [found["name"] for found in ada.json_of(f"/user/installations/{place['id']}/repositories")["repositories"]] == ["shop"]
        assert ada.json_of("/repos/acme/shop")["full_name"] == "acme/shop"
    assert exchange(github, browser, code=back["code"])["error"] == "bad_verification_code"


def test_user_who_refuses_is_sent_back_without_a_code(github: GitHub, browser: httpx.Client) -> None:
    back = sent_back(authorize(github, browser))
    assert (back["error"], back["state"], "code" in back) == ("access_denied", "s", False)


def test_code_is_no_use_without_secret_and_verifier(github: GitHub, browser: httpx.Client) -> None:
    github.signed_in = "ada"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).decode().rstrip("=")
    for form, error in (
        ({"code_verifier": "verifier"}, None), ({"code_verifier": "other"}, "bad_verification_code"), ({}, "bad_verification_code"),
        ({"code_verifier": "verifier", "client_secret": "other"}, "incorrect_client_credentials"),
        ({"code_verifier": "verifier", "redirect_uri": "http://evil.example"}, "bad_verification_code"),
    ):  # fmt: skip
        code = sent_back(authorize(github, browser, code_challenge=challenge, code_challenge_method="S256"))["code"]
        assert exchange(github, browser, code=code, **form).get("error") == error


def test_user_is_not_sent_to_a_stranger(github: GitHub, browser: httpx.Client) -> None:
    github.signed_in = "ada"
    assert authorize(github, browser, redirect_uri="http://evil.example").status_code == 400
    assert authorize(github, browser, client_id="Iv1.unknown").status_code == 404
