"""Set-up: who may, what GitHub is asked for, what is kept, and that all of it is over afterwards."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from arq.connections import ArqRedis

from bot.dashboard.sessions import Right, Sessions
from bot.github.credentials import Keeper
from bot.github.manifest import app_file, is_reachable, lacking, manifest
from bot.keys import Keys
from bot.settings import APP_FILE as FILE
from bot.settings import BotSettings
from tests.bot.dashboard.front import ALPHA, BETA, ORIGIN, Browser, Front, opened, some_app, tenant_of, token_in
from tests.bot.github.setting_up import at_github, leave, unconfigured
from tests.conftest import Valkey
from tests.fakes.github import App, Fault, GitHub
from tests.sdk import records

ROUTES = [
    ("GET", "/setup"),
    ("POST", "/setup"),
    ("GET", "/setup/callback?code=c&state=s"),
    ("GET", "/setup/import"),
    ("POST", "/setup/import"),
]


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    with GitHub(tmp_path) as running:
        running.organization("acme")
        running.signed_in = "ada"
        yield running
        assert not running.problems


@pytest_asyncio.fixture
async def front(valkey: Valkey, redis: ArqRedis, github: GitHub) -> AsyncIterator[Front]:
    async with unconfigured(valkey, redis, github) as running:
        yield running


@pytest_asyncio.fixture
async def operator(front: Front) -> AsyncIterator[Browser]:
    async with front.browser() as browser:
        await browser.sign_in(ALPHA)
        yield browser


def stored(front: Front) -> dict[str, Any]:
    return dict(json.loads((front.data_dir / FILE).read_text()))


async def ask(browser: Browser, method: str, path: str, token: str = "") -> Any:
    return await (browser.get(path) if method == "GET" else browser.post(path, {"token": token}))


@pytest.mark.parametrize("owner", ["", "acme"], ids=["account", "organisation"])
async def test_app_is_made_in_two_clicks(front: Front, operator: Browser, github: GitHub, owner: str) -> None:
    answer = await operator.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/setup")
    back = await at_github(*await leave(operator, owner))
    answer = await operator.get(back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/github")
    app = github.apps[-1]
    assert app.owner.login == (owner or "ada")
    assert app.webhook_url == f"{ORIGIN}/api/github/webhooks"
    assert app.permissions == {"metadata": "read", "contents": "read", "pull_requests": "write", "checks": "write", "issues": "read"}
    kept = Keeper(BotSettings(box_data_dir=front.data_dir)).current()
    assert kept is not None
    assert (kept.app_id, kept.slug, kept.webhook_secret.get_secret_value()) == (app.id, "reviewer", app.webhook_secret)
    assert (kept.client_id, kept.client_secret.get_secret_value()) == (app.client_id, app.client_secret)
    page = (await operator.get("/github")).text
    assert f'href="{github.url}/apps/reviewer/installations/new"' in page
    assert "/box help" in page
    assert ("lacks" in page, "has no webhook" in page) == (False, False)
    for secret in (app.webhook_secret, app.client_secret, app.private_key.splitlines()[1]):
        assert secret not in page
    assert (await operator.get("/")).status_code == 200


async def test_stranger_cannot_set_the_app_up(front: Front) -> None:
    async with front.browser() as stranger:
        for method, path in ROUTES:
            answer = await ask(stranger, method, path)
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")
        assert (await stranger.get("/github")).status_code == 303
    assert not (front.data_dir / FILE).exists()


async def _made(front: Front, **wanted: bool) -> str:
    keys: Keys = front.app.state.service.keys
    caller = await keys.caller(ALPHA)
    assert caller is not None
    made = await keys.make(caller, "n", **({"read_only": False, "new_tenant": False} | wanted), expires_in_s=None)
    return str(made.secret)


@pytest.mark.parametrize("who", ["read-only", "other tenant", "second key", "GitHub"])
async def test_who_is_not_the_operator_cannot_set_the_app_up(front: Front, who: str) -> None:
    async with front.browser() as browser:
        if who == "GitHub":
            sessions: Sessions = front.app.state.sessions
            session = sessions.begin(tenant_of(ALPHA), {Right.READ, Right.ACT}, "@mallory")
            browser.client.cookies.set("box-review", sessions.sealed(session))
        else:
            made = {"read-only": {"read_only": True}, "other tenant": {"new_tenant": True}}
            await browser.sign_in(BETA if who == "second key" else await _made(front, **made[who]))
        assert (await browser.get("/")).status_code == 200
        token = await browser.token()
        for method, path in ROUTES:
            assert (await ask(browser, method, path, token)).status_code == 403
    assert not (front.data_dir / FILE).exists()


async def test_key_made_by_the_operator_may_set_the_app_up(front: Front) -> None:
    async with front.browser() as browser:
        await browser.sign_in(await _made(front))
        assert (await browser.get("/setup")).status_code == 200


FORGED = {
    "none": lambda state: "",
    "invented": lambda state: "9999999999.abcdefgh..0000",
    "altered": lambda state: state[:-1] + ("0" if state[-1] != "0" else "1"),
    "prolonged": lambda state: "9999999999" + state[10:],
    "long": lambda state: "x" * 999,
    "letters": lambda state: "é" * 9,
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_forged_state_is_refused(front: Front, operator: Browser, github: GitHub, forge) -> None:
    back = await at_github(*await leave(operator))
    path, code, state = re.fullmatch(r"(.*)\?code=(\w+)&state=(.*)", back).groups()  # type: ignore[union-attr]
    answer = await operator.get(path, params={"code": code, "state": forge(state)})
    assert (answer.status_code, "begin again" in answer.text) == (403, True)
    assert not (front.data_dir / FILE).exists()
    assert code in github.manifests  # the code was not even shown to GitHub


async def test_state_of_another_session_is_refused(front: Front, operator: Browser) -> None:
    back = await at_github(*await leave(operator))
    async with front.browser() as attacker:
        await attacker.sign_in(ALPHA)
        theirs = await at_github(*await leave(attacker, name="Theirs"))
    assert (await operator.get(theirs)).status_code == 403
    assert not (front.data_dir / FILE).exists()
    assert (await operator.get(back)).status_code == 303


async def test_state_is_good_for_ten_minutes(front: Front, operator: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    back = await at_github(*await leave(operator))
    now = time.time()
    monkeypatch.setattr("bot.dashboard.states.time.time", lambda: now + 601)
    assert (await operator.get(back)).status_code == 403
    assert not (front.data_dir / FILE).exists()


async def test_state_is_used_once(front: Front, operator: Browser, github: GitHub) -> None:
    back = await at_github(*await leave(operator))
    github.faults.add("POST", r"/app-manifests/", Fault.answers(422))
    assert (await operator.get(back)).status_code == 502
    assert (await operator.get(back)).status_code == 403
    assert not (front.data_dir / FILE).exists()


async def test_code_is_used_once(front: Front, operator: Browser) -> None:
    back = await at_github(*await leave(operator))
    assert (await operator.get(back)).status_code == 303
    kept = (front.data_dir / FILE).read_bytes()
    (front.data_dir / FILE).unlink()  # as if it had never been
    to, _ = await leave(operator, name="Another")
    code, state = re.search(r"code=(\w+)", back)[1], re.search(r"state=(.*)", to)[1]  # type: ignore[index]
    answer = await operator.get("/setup/callback", params={"code": code, "state": state})
    assert (answer.status_code, "good once" in answer.text) == (400, True)
    assert kept
    assert not (front.data_dir / FILE).exists()


@pytest.mark.parametrize("code", ["", "../../app", "a/b", "a?b=c", "a" * 300, "é"])
async def test_code_that_is_none_leads_nowhere(operator: Browser, github: GitHub, code: str) -> None:
    to, _ = await leave(operator)
    state = re.search(r"state=(.*)", to)[1]  # type: ignore[index]
    assert (await operator.get("/setup/callback", params={"code": code, "state": state})).status_code == 400
    assert not [asked for asked in github.requests if "app-manifests" in asked.path]


async def test_stored_key_is_readable_by_its_user_alone(front: Front, operator: Browser, github: GitHub) -> None:
    await operator.get(await at_github(*await leave(operator)))
    assert (front.data_dir / FILE).stat().st_mode & 0o777 == 0o600
    assert stored(front)["private_key"] == github.apps[-1].private_key
    assert [one.name for one in front.data_dir.iterdir() if "github-app" in one.name] == [FILE]  # no draft is left


async def test_setup_is_off_once_configured(front: Front, operator: Browser) -> None:
    back = await at_github(*await leave(operator))
    later = await at_github(*await leave(operator, name="Later"))
    token = await operator.token()
    await operator.get(back)
    before = (front.data_dir / FILE).read_bytes()
    async with front.browser() as stranger:
        for method, path in (*ROUTES, ("GET", later)):
            for browser in (operator, stranger):
                answer = await ask(browser, method, path, token)
                assert (answer.status_code, "set up already" in answer.text) == (404, True)
    assert (front.data_dir / FILE).read_bytes() == before


async def test_setup_is_off_where_the_environment_has_an_app(valkey: Valkey, redis: ArqRedis, github: GitHub) -> None:
    settings = {"app_id": 12, "private_key": github.app.private_key, "webhook_secret": "webhook-secret"}
    async with unconfigured(valkey, redis, github, **settings) as front, front.browser() as browser:
        await browser.sign_in(ALPHA)
        assert (await browser.get("/setup")).status_code == 404
        page = (await browser.get("/github")).text
        assert ("lies in the environment" in page, "GitHub answered GET" in page) == (True, True)  # GitHub knows no such App


async def test_setup_is_off_where_the_stored_app_cannot_be_used(front: Front, operator: Browser) -> None:
    (front.data_dir / FILE).write_text("{}")
    assert (await operator.get("/setup")).status_code == 404
    page = await operator.get("/github")
    assert (page.status_code, "delete it to set the App up anew" in page.text) == (503, True)


async def test_of_two_who_set_up_at_once_the_first_wins(front: Front, operator: Browser) -> None:
    backs = [await at_github(*await leave(operator, name=name)) for name in ("One", "Two")]
    answers = await asyncio.gather(*(operator.get(back) for back in backs))
    assert sorted(answer.status_code for answer in answers) == [303, 404]
    assert stored(front)["slug"] in ("one", "two")


async def test_form_of_another_site_or_session_sets_nothing_up(operator: Browser) -> None:
    token = await operator.token()
    for path in ("/setup", "/setup/import"):
        assert (await operator.post(path, {"token": token, "name": "x"}, origin="http://evil.example")).status_code == 403
        assert (await operator.post(path, {"token": "0" * 64, "name": "x"})).status_code == 403


@pytest.mark.parametrize(
    ("owner", "name"),
    [("a/b", "x"), ("../settings", "x"), ("-a", "x"), ("a" * 40, "x"), ("a?b", "x"), ("", ""), ("", "x" * 35), ("", "<b>"), ("é", "x")],
)
async def test_names_that_github_cannot_have_are_said(operator: Browser, owner: str, name: str) -> None:
    answer = await operator.post("/setup", {"token": await operator.token(), "owner": owner, "name": name})
    assert (answer.status_code, 'role="alert"' in answer.text, 'id="manifest"' in answer.text) == (422, True, False)
    assert "<b>" not in answer.text


async def test_form_may_go_to_github_and_nowhere_else(front: Front, operator: Browser, github: GitHub) -> None:
    answer = await operator.post("/setup", {"token": await operator.token(), "name": "Reviewer"})
    policy = answer.headers["content-security-policy"]
    assert f"form-action 'self' {github.url};" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"  # with `same-origin` the form's origin would be "null"
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce is not None
    assert f'<script nonce="{nonce[1]}">' in answer.text
    assert token_in(answer.text)  # the foot's; the form for GitHub has none
    assert "token" not in answer.text.partition('id="manifest"')[2].partition("</form>")[0]
    assert "form-action 'self';" in (await operator.get("/setup")).headers["content-security-policy"]


async def test_github_that_does_not_answer_stores_nothing(front: Front, operator: Browser, github: GitHub, monkeypatch: Any) -> None:
    monkeypatch.setattr("bot.github.direct.PATIENCE_S", (0.01, 0.01))
    github.faults.add("POST", r"/app-manifests/", Fault.answers(502), times=3)
    answer = await operator.get(await at_github(*await leave(operator)))
    assert (answer.status_code, "remove it at" in answer.text) == (502, True)
    assert not (front.data_dir / FILE).exists()


async def test_app_is_made_although_github_stumbles_once(front: Front, operator: Browser, github: GitHub, monkeypatch: Any) -> None:
    monkeypatch.setattr("bot.github.direct.PATIENCE_S", (0.01, 0.01))
    github.faults.add("POST", r"/app-manifests/", Fault.answers(502))
    assert (await operator.get(await at_github(*await leave(operator)))).status_code == 303
    assert stored(front)["slug"] == "reviewer"


async def test_box_url_is_where_github_sends_and_people_come_back(valkey: Valkey, redis: ArqRedis, github: GitHub) -> None:
    async with unconfigured(valkey, redis, github, box_url="https://review.example.com/") as front, front.browser() as browser:
        await browser.sign_in(ALPHA)
        assert "https://review.example.com" not in (await browser.get("/setup")).text  # nothing to warn of
        said = json.loads((await leave(browser))[1])
    assert said["url"] == "https://review.example.com"
    assert said["hook_attributes"] == {"url": "https://review.example.com/api/github/webhooks", "active": True}
    assert said["redirect_url"] == "https://review.example.com/setup/callback"
    assert said["callback_urls"] == ["https://review.example.com/login/github/callback"]


async def test_address_github_cannot_reach_is_said_before_and_left_out(valkey: Valkey, redis: ArqRedis) -> None:
    settings = {"github_api_url": "https://api.github.com"}
    async with opened(valkey.url, redis, valkey.folder.parent, **settings) as front, front.browser("http://127.0.0.1:8380") as browser:
        await browser.sign_in(ALPHA)
        page = (await browser.get("/setup")).text
        assert ("github.com cannot reach" in page, "box-review deliveries replay" in page, "BOX_URL" in page) == (True, True, True)
        to, said = await leave(browser)
    assert to.startswith("https://github.com/settings/apps/new?state=")
    assert "hook_attributes" not in json.loads(said)


async def test_enterprise_server_is_asked_where_it_is(valkey: Valkey, redis: ArqRedis) -> None:
    settings = {"github_api_url": "https://ghe.example.com/api/v3"}
    async with opened(valkey.url, redis, valkey.folder.parent, **settings) as front, front.browser() as browser:
        await browser.sign_in(ALPHA)
        to, _ = await leave(browser, "acme")
    assert to.startswith("https://ghe.example.com/organizations/acme/settings/apps/new?state=")


async def test_host_that_was_made_up_is_no_address(operator: Browser) -> None:
    for host in ("evil.example/x", "a b", 'x"><script>', "a@b"):
        answer = await operator.get("/setup", headers={"Host": host})
        assert (answer.status_code, "<script>" in answer.text) == (400, False)


# Import.


def known(app: App, **other: str) -> dict[str, str]:
    form = {"app_id": str(app.id), "private_key": app.private_key.replace("\n", "\r\n"), "webhook_secret": app.webhook_secret}
    return {**form, "client_id": app.client_id, "client_secret": app.client_secret, **other}


async def import_app(browser: Browser, form: dict[str, str]) -> Any:
    return await browser.post("/setup/import", {"token": await browser.token(), **form})


async def test_app_that_exists_is_imported(front: Front, operator: Browser, github: GitHub) -> None:
    assert "/setup/import" in (await operator.get("/setup")).text
    answer = await import_app(operator, known(github.app))
    assert (answer.status_code, answer.headers.get("location")) == (303, "/github")
    kept = stored(front)
    assert (kept["app_id"], kept["slug"], kept["html_url"]) == (github.app.id, "box-review", f"{github.url}/apps/box-review")
    assert (kept["private_key"], kept["client_id"]) == (github.app.private_key, github.app.client_id)
    assert "has no webhook yet" in (await operator.get("/github")).text
    github.app.webhook_url = "https://other.example.com/hook"
    assert "to <code>https://other.example.com/hook</code>, not to" in (await operator.get("/github")).text


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"app_id": "12"}, "GitHub knows no App 12"), ({"app_id": "x"}, "App ID: "), ({"private_key": "-----BEGIN"}, "no private key"),
        ({"private_key": some_app()["private_key"]}, "GitHub"), ({"webhook_secret": "short"}, "at least 8 signs"),
        ({"app_id": ""}, "App ID: "),
    ],
    ids=["another app", "no number", "no key", "another key", "short secret", "empty"],
)  # fmt: skip
async def test_credentials_that_do_not_fit_are_not_stored(front: Front, operator: Browser, github: GitHub, other, said: str) -> None:
    answer = await import_app(operator, known(github.app, **other))
    assert (answer.status_code, said in answer.text) == (422, True)
    for secret in (github.app.client_secret, github.app.webhook_secret, github.app.private_key.splitlines()[1]):
        assert secret not in answer.text
    assert not (front.data_dir / FILE).exists()


async def test_app_that_may_too_little_is_not_imported(front: Front, operator: Browser, github: GitHub) -> None:
    github.app.grant(checks="read", contents="none")
    github.app.events.remove("check_run")
    answer = await import_app(operator, known(github.app))
    assert "lacks the permission contents: read, the permission checks: write, the event check_run" in answer.text
    assert not (front.data_dir / FILE).exists()


# The manifest.


def test_manifest_at_the_root_is_the_one_that_is_sent() -> None:
    root = Path(__file__).parents[3] / "app.yml"
    said = yaml.safe_load(root.read_text())
    sent = manifest("https://x.example", "n", reachable=True)
    assert {name: said[name] for name in ("description", "public", "default_permissions", "default_events")}.items() <= sent.items()
    assert said["public"] is False


def test_manifest_names_nothing_that_github_sends_unasked_and_backs_each_event() -> None:
    assert not [name for name in app_file().default_events if name.startswith("installation")]
    assert app_file().default_permissions["issues"] == "read"  # without, GitHub refuses `issue_comment`, and with it the manifest
    assert lacking(app_file().default_permissions, app_file().default_events) == []
    assert lacking({}, ())[:1] == ["the permission metadata: read"]


@pytest.mark.parametrize(
    ("base", "github", "can"),
    [
        ("https://review.example.com", "https://github.com", True), ("http://127.0.0.1:8380", "https://github.com", False),
        ("http://localhost:8380", "https://github.com", False), ("http://[::1]:8380", "https://github.com", False),
        ("http://10.0.0.7", "https://github.com", False), ("http://box", "https://acme.ghe.com", False),
        ("http://8.8.8.8", "https://github.com", True),
        ("http://10.0.0.7", "https://ghe.example.com", True), ("http://127.0.0.1:1", "https://ghe.example.com", False),
        ("http://127.0.0.1:1", "http://127.0.0.1:2", True),
    ],
)  # fmt: skip
def test_addresses_that_github_cannot_reach_are_known(base: str, github: str, can: bool) -> None:
    assert is_reachable(base, github) is can


async def test_reviews_of_a_server_without_an_app_are_shown_all_the_same(front: Front, operator: Browser) -> None:
    await front.keep(records.record())
    page = (await operator.get("/")).text
    assert ("/setup" in page, records.record().review_id in page) == (True, True)
