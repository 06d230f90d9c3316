"""Who may ask what."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from typing import Any

import pytest

from tests.fakes.github import GitHub, Pull, Repository
from tests.fakes.test_github.clients import Client, json_web_token


def test_app_signs_for_itself(github: GitHub, app: Client) -> None:
    assert app.json_of("/app")["slug"] == "box-review"
    with Client(github, json_web_token(github.app, issuer=github.app.client_id)) as by_client_id:
        assert by_client_id.json_of("/app")["id"] == github.app.id


def of_another_key(github: GitHub) -> str:
    return json_web_token(github.app, key=github.actions.private_key)


def with_the_public_key_as_secret(github: GitHub) -> str:
    pieces = [base64.urlsafe_b64encode(json.dumps(piece).encode()).rstrip(b"=") for piece in (
        {"alg": "HS256", "typ": "JWT"}, {"iat": int(time.time()) - 60, "exp": int(time.time()) + 60, "iss": str(github.app.id)},
    )]  # fmt: skip
    mac = hmac.digest(github.app.public_key.encode(), b".".join(pieces), hashlib.sha256)
    return b".".join([*pieces, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


@pytest.mark.parametrize(
    ("forge", "status", "says"),
    [
        (of_another_key, 401, "could not be decoded"),
        (with_the_public_key_as_secret, 401, "could not be decoded"),
        (lambda github: "a.b.c", 401, "could not be decoded"),
        (lambda github: json_web_token(github.app, issuer="1"), 404, "Integration not found"),
        (lambda github: json_web_token(github.app, expires_s=660), 401, "too far in the future"),
        (lambda github: json_web_token(github.app, expires_s=-1), 401, "'exp'"),
        (lambda github: json_web_token(github.app, issued_s=60), 401, "'iat'"),
        (lambda github: "ghs_unknown", 401, "Bad credentials"),
    ],
    ids=["another key", "symmetric", "garbage", "unknown app", "lives too long", "expired", "from the future", "no such token"],
)
def test_forged_or_stale_credentials_are_refused(github: GitHub, forge, status: int, says: str) -> None:  # type: ignore[no-untyped-def]
    with Client(github, forge(github)) as client:
        answer = client.get("/app")
    assert answer.status_code == status
    assert says in answer.json()["message"]


def test_longest_allowed_life_is_ten_minutes(github: GitHub) -> None:
    with Client(github, json_web_token(github.app, issued_s=0, expires_s=600)) as client:
        assert client.get("/app").status_code == 200


def test_nothing_is_told_without_a_token(github: GitHub, shop: Repository) -> None:
    with Client(github, None) as nobody:
        assert nobody.get("/repos/acme/shop").status_code == 401
        assert nobody.get("/app").status_code == 401


def token(app: Client, repository: Repository, **asked: object) -> Any:
    return app.create(f"/app/installations/{repository.installation_id}/access_tokens", **asked)


def test_token_of_an_installation_says_when_it_ends_in_whole_seconds(app: Client, shop: Repository) -> None:
    made = token(app, shop)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(made["expires_at"]))
    assert str(made["token"]).startswith("ghs_")
    assert "repositories" not in made


def test_token_is_narrowed_to_permissions_and_repositories(github: GitHub, app: Client, shop: Repository) -> None:
    other, secret = github.repository("acme/other"), github.repository("acme/secret", private=True)
    for choice in ({"repositories": ["shop"]}, {"repository_ids": [shop.id]}):
        made = token(app, shop, permissions={"contents": "read"}, **choice)
        assert made["permissions"] == {"contents": "read", "metadata": "read"}
        with Client(github, str(made["token"])) as client:
            assert [found["name"] for found in client.json_of("/installation/repositories")["repositories"]] == ["shop"]
            assert client.get("/repos/acme/shop/contents").status_code == 200
            assert client.get("/repos/acme/shop/pulls").status_code == 403
            assert client.get(f"/repos/{other.full_name}/contents").status_code == 403
            assert client.get(f"/repos/{secret.full_name}/contents").status_code == 404


@pytest.mark.parametrize(
    "asked",
    [{"permissions": {"checks": "write", "administration": "read"}}, {"repositories": ["shop", "nowhere"]}, {"repository_ids": [1]}],
)
def test_token_reaches_no_further_than_its_installation(app: Client, shop: Repository, asked: dict[str, object]) -> None:
    answer = app.post(f"/app/installations/{shop.installation_id}/access_tokens", json=asked)
    assert answer.status_code == 422


def test_refusal_names_the_permission_that_is_missing(github: GitHub, shop: Repository, pull: Pull) -> None:
    with Client.of_installation(shop, {"contents": "read", "checks": "read"}) as client:
        refused = client.post("/check-runs", json={"name": "box-review", "head_sha": pull.head_sha})
        assert (refused.status_code, refused.json()["message"]) == (403, "Resource not accessible by integration")
        assert refused.headers["x-accepted-github-permissions"] == "checks=write"
        assert client.get(f"/commits/{pull.head_sha}/check-runs").status_code == 200


@pytest.mark.parametrize("permission", ["issues", "pull_requests"])
def test_conversation_of_a_pull_request_takes_either_permission(shop: Repository, pull: Pull, permission: str) -> None:
    with Client.of_installation(shop, {permission: "write"}) as client:
        client.create(f"/issues/{pull.number}/comments", body="hello")
        client.create(f"/issues/{pull.number}/labels", labels=["seen"])


def test_token_ends_after_its_life_or_when_it_is_revoked(github: GitHub, app: Client, shop: Repository) -> None:
    github.app.token_lifetime_s = 0.05
    short = str(token(app, shop)["token"])
    github.app.token_lifetime_s = 3600
    old, revoked = str(token(app, shop)["token"]), str(token(app, shop)["token"])
    with Client(github, revoked) as client:
        assert client.delete("/installation/token").status_code == 204
    time.sleep(0.06)
    for dead in (short, revoked):
        with Client(github, dead) as client:
            assert client.get("/repos/acme/shop").status_code == 401
    with Client(github, old) as client:
        assert client.get("/repos/acme/shop").status_code == 200
        github.expire_tokens()
        assert client.get("/repos/acme/shop").status_code == 401


def test_suspended_app_is_refused_until_it_is_let_on(github: GitHub, app: Client, bot: Client, shop: Repository) -> None:
    path = f"/app/installations/{shop.installation_id}"
    github.app.suspend(shop)
    assert bot.get(bot.here).status_code == 403
    assert app.post(f"{path}/access_tokens", json={}).status_code == 403
    assert app.json_of(path)["suspended_at"]
    github.app.unsuspend(shop)
    assert bot.get(bot.here).status_code == 200


def test_uninstalled_app_is_unknown_there(github: GitHub, app: Client, bot: Client, shop: Repository) -> None:
    path = f"/app/installations/{shop.installation_id}"
    assert app.json_of("/repos/acme/shop/installation")["id"] == shop.installation_id
    github.app.uninstall(shop)
    assert bot.get(bot.here).status_code == 401
    assert app.get("/repos/acme/shop/installation").status_code == 404
    assert app.post(f"{path}/access_tokens").status_code == 404
    assert app.json_of("/app/installations") == []
    github.app.install(shop)
    assert [place["account"]["login"] for place in app.json_of("/app/installations")] == ["acme"]


def test_permission_that_an_owner_takes_away_is_gone_for_new_tokens(github: GitHub, app: Client, shop: Repository) -> None:
    github.app.grant(checks="none")
    assert "checks" not in token(app, shop)["permissions"]
    assert (
        app.post(f"/app/installations/{shop.installation_id}/access_tokens", json={"permissions": {"checks": "write"}}).status_code == 422
    )


def test_each_kind_of_token_opens_its_own_doors(github: GitHub, app: Client, bot: Client, shop: Repository) -> None:
    assert app.get("/repos/acme/shop").status_code == 401
    assert bot.get(f"{github.api_url}/app").status_code == 401
    assert bot.get(f"{github.api_url}/user").status_code == 403
    with Client.of_user(shop, "ada") as ada:
        assert ada.json_of(f"{github.api_url}/user")["login"] == "ada"
        assert ada.get(f"{github.api_url}/installation/repositories").status_code == 403


def test_workflow_token_may_what_its_workflow_says(github: GitHub, shop: Repository, pull: Pull) -> None:
    other = github.repository("acme/other")
    with Client(github, github.token(shop, {"pull-requests".replace("-", "_"): "write", "contents": "read"})) as workflow:
        made = workflow.create(f"/repos/acme/shop/issues/{pull.number}/comments", body="hello")
        assert made["user"]["login"] == "github-actions[bot]"
        assert workflow.post("/repos/acme/shop/check-runs", json={"name": "x", "head_sha": pull.head_sha}).status_code == 403
        assert workflow.get(f"/repos/{other.full_name}/contents").status_code == 403


def test_user_reads_what_is_public_and_writes_where_a_member(github: GitHub, shop: Repository, pull: Pull) -> None:
    secret = github.repository("acme/secret", private=True)
    secret.member("ada", "read")
    contents = {"message": "x", "content": "eA=="}
    with Client(github, github.user_token("mallory")) as mallory, Client(github, github.user_token("ada")) as ada:
        mallory.create(f"/repos/acme/shop/issues/{pull.number}/comments", body="hello")
        assert mallory.put("/repos/acme/shop/contents/x", json=contents).status_code == 403
        assert mallory.get("/repos/acme/secret").status_code == 404
        assert ada.put("/repos/acme/shop/contents/x", json=contents).status_code == 201
        assert ada.get("/repos/acme/secret").status_code == 200


@pytest.mark.parametrize(
    ("role", "permission"),
    [("admin", "admin"), ("maintain", "write"), ("write", "write"), ("triage", "read"), ("read", "read"), ("none", "none")],
)
def test_role_is_told_in_the_new_and_the_old_words(shop: Repository, bot: Client, role: str, permission: str) -> None:
    shop.member("grace", role)
    told = bot.json_of("/collaborators/grace/permission")
    assert (told["role_name"], told["permission"]) == (role, permission)


def test_stranger_reads_what_is_public_and_nothing_private(github: GitHub, shop: Repository, bot: Client) -> None:
    github.user("mallory")
    assert bot.json_of("/collaborators/mallory/permission")["permission"] == "read"
    shop.private = True
    assert bot.json_of("/collaborators/mallory/permission")["permission"] == "none"
    assert bot.get("/collaborators/nobody-of-that-name/permission").status_code == 404
    assert bot.get("/collaborators/box-review%5Bbot%5D/permission").status_code == 404


def test_archived_repository_is_read_only(shop: Repository, pull: Pull, bot: Client) -> None:
    shop.archived = True
    answer = bot.post(f"/issues/{pull.number}/comments", json={"body": "hello"})
    assert (answer.status_code, answer.json()["message"]) == (403, "Repository was archived so is read-only.")
    assert bot.get(f"/pulls/{pull.number}").status_code == 200


def test_hour_has_so_many_requests(github: GitHub, bot: Client) -> None:
    github.rates.limit = 2
    assert bot.get(bot.here).headers["x-ratelimit-remaining"] == "1"
    assert bot.get(bot.here).status_code == 200
    refused = bot.get(bot.here)
    assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (403, "0")
    assert "API rate limit exceeded" in refused.json()["message"]
    assert bot.json_of(f"{github.api_url}/rate_limit")["rate"]["remaining"] == 0
