"""Signing in by GitHub: who gets in, what he sees and may do, and when it is over."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from arq.connections import ArqRedis
from box_review.jobs import review_key

from bot.github.pull import PullRef
from bot.github.state import Pulls
from tests.bot.dashboard.front import ALPHA, BETA, ORIGIN, Browser, Front, opened, tenant_of
from tests.bot.github.setting_up import back_at, went
from tests.conftest import Valkey
from tests.fakes.github import Fault, GitHub, Repository
from tests.sdk import records


@dataclass
class Place:
    """A front, the GitHub of its App, and reviews of three repositories."""

    front: Front
    github: GitHub
    written: Repository
    read: Repository
    secret: Repository
    ids: dict[str, str]

    async def keep(self, repository: Repository, number: int = 1, **other: Any) -> str:
        """A review of a pull request."""
        review_id = f"rv-{len(self.ids):04d}{number:012d}"
        await self.front.keep(records.record(review_id=review_id, repository=repository.full_name, title=f"of {repository.name}", **other))
        owner, _, name = repository.full_name.partition("/")
        pull = PullRef(installation_id=repository.installation_id, repo_id=repository.id, owner=owner, repo=name, number=number)
        await Pulls(self.front.redis).bind(review_id, pull)
        return review_id


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    with GitHub(tmp_path) as running:
        running.app.callback_urls = [f"{ORIGIN}/login/github/callback"]
        yield running
        assert not running.problems


@pytest_asyncio.fixture
async def place(valkey: Valkey, redis: ArqRedis, github: GitHub) -> AsyncIterator[Place]:
    repositories = [github.repository(f"acme/{name}", private=name != "read") for name in ("written", "read", "secret")]
    github.signed_in = "ada"
    repositories[0].member("ada", "write")
    repositories[1].member("ada", "read")
    async with opened(valkey.url, redis, valkey.folder.parent, **settings(github)) as front:
        made = Place(front, github, *repositories, {})
        for repository in repositories:
            made.ids[repository.name] = await made.keep(repository)
        local = records.record(review_id="rv-00000000000local", repository="acme/written", title="of somebody's folder")
        await front.keep(local)
        made.ids["local"] = local.review_id
        yield made


def settings(github: GitHub) -> dict[str, Any]:
    app = github.app
    secrets = {"private_key": app.private_key, "webhook_secret": app.webhook_secret, "client_secret": app.client_secret}
    return {"github_api_url": github.api_url, "app_id": app.id, "client_id": app.client_id, **secrets}


async def to_github(browser: Browser, to: str = "/") -> str:
    """Press the button; the path that GitHub sends one back to."""
    page = (await browser.get("/login", params={"next": to})).text
    button = re.search(r'href="http://front\.test(/login/github\?next=[^"]*)"', page)
    assert button, page
    left = await browser.get(button[1])
    async with httpx.AsyncClient(trust_env=False) as client:
        return back_at(await client.get(left.headers["location"]))


async def sign_in(browser: Browser, to: str = "/") -> httpx.Response:
    return await browser.get(await to_github(browser, to))


@pytest_asyncio.fixture
async def ada(place: Place) -> AsyncIterator[Browser]:
    """Writes in one repository, reads in another, and knows nothing of the third."""
    async with place.front.browser() as browser:
        assert went(await sign_in(browser)).to == "/"
        yield browser


def shown(page: str) -> list[str]:
    return re.findall(r'href="/reviews/(rv-\w+)"', page)


async def test_user_sees_reviews_of_the_repositories_that_he_can_read(place: Place, ada: Browser) -> None:
    page = (await ada.get("/")).text
    assert sorted(shown(page)) == sorted([place.ids["written"], place.ids["read"]])
    assert ("acme/secret" in page, "@ada" in page, 'href="/boxes"' in page, 'href="/github"' in page) == (False, True, False, False)
    assert shown((await ada.get("/?repository=acme/secret")).text) == []
    for name in ("written", "read"):
        assert (await ada.get(f"/reviews/{place.ids[name]}")).status_code == 200


@pytest.mark.parametrize("rest", ["", "/report.json", "/events", "/boxes/security/logs"])
@pytest.mark.parametrize("name", ["secret", "local", "other tenant", "nothing"])
async def test_review_of_a_repository_he_cannot_read_is_as_one_that_never_was(place: Place, ada: Browser, name: str, rest: str) -> None:
    other = records.record(review_id="rv-000000000000beta", repository="acme/written")
    await place.front.keep(other, BETA)
    review_id = {"other tenant": other.review_id, "nothing": "rv-0000000000000000"}.get(name) or place.ids[name]
    answer, never = await ada.get(f"/reviews/{review_id}{rest}"), await ada.get(f"/reviews/rv-zzzzzzzzzzzzzzzz{rest}")
    assert answer.status_code == never.status_code == 404
    assert text(answer).replace(review_id, "ID") == text(never).replace("rv-zzzzzzzzzzzzzzzz", "ID")


def text(answer: httpx.Response) -> str:
    return re.sub(r'nonce="[^"]*"', "", answer.text)


async def test_buttons_are_for_who_can_write_to_the_repository(place: Place, ada: Browser) -> None:
    written, read = [(await ada.get(f"/reviews/{place.ids[name]}")).text for name in ("written", "read")]
    assert re.findall(r"<button>([^<]*)", written)[:1] == ["Replay"]
    assert re.findall(r"<button>([^<]*)", read) == []
    assert ("@ada, read-only" in written, "@ada, read-only" in read) == (False, True)


@pytest.mark.parametrize("action", ["cancel", "replay", "boxes/security/freeze", "boxes/security/resume"])
async def test_form_for_a_review_he_may_only_read_does_nothing(place: Place, ada: Browser, action: str) -> None:
    running = await place.keep(place.read, 2, status="running")
    hidden = await place.keep(place.secret, 3, status="running")
    token = await ada.token()
    assert (await ada.post(f"/reviews/{running}/{action}", {"token": token})).status_code == 403
    assert (await ada.post(f"/reviews/{hidden}/{action}", {"token": token})).status_code == 404
    for review_id in (running, hidden):
        assert await place.front.redis.hget(review_key(review_id), "status") == b"running"  # type: ignore[misc]


async def test_who_can_write_cancels_a_review(place: Place, ada: Browser) -> None:
    running = await place.keep(place.written, 2, status="running")
    assert went(await ada.post(f"/reviews/{running}/cancel", {"token": await ada.token()})).to == f"/reviews/{running}"
    assert await place.front.redis.hget(review_key(running), "status") == b"cancelled"  # type: ignore[misc]


async def test_replay_is_seen_by_those_who_see_what_it_replays(place: Place, ada: Browser) -> None:
    replays = {}
    for number, name in enumerate(("written", "secret")):
        record = records.record(review_id=f"rv-00000000replay{number:02d}", repository=f"acme/{name}")
        await place.front.keep(record)
        await place.front.redis.hset(review_key(record.review_id), "replays", place.ids[name])  # type: ignore[misc]
        replays[name] = record.review_id
    assert (await ada.get(f"/reviews/{replays['written']}")).status_code == 200
    assert (await ada.get(f"/reviews/{replays['secret']}")).status_code == 404
    assert (replays["written"] in (page := (await ada.get("/")).text), replays["secret"] in page) == (True, False)


@pytest.mark.parametrize("path", ["/boxes", "/boxes/bx1/logs", "/github", "/setup", "/setup/import"])
async def test_boxes_and_set_up_are_for_keys_alone(ada: Browser, path: str) -> None:
    answer = await ada.get(path)
    assert answer.status_code in (403, 404)
    assert (await ada.post("/boxes/bx1/freeze", {"token": await ada.token()})).status_code == 403


async def test_every_page_without_a_review_is_closed_unless_it_is_named_as_open(place: Place, ada: Browser) -> None:
    from bot.dashboard.guard import PageRoute
    from bot.dashboard.routes import router

    strays = {"/login", "/login/github", "/login/github/callback"}  # for those who are not signed in
    for route in routes(router):
        if isinstance(route, PageRoute) and "{review_id}" not in route.path and route.path not in strays:
            method = next(iter(route.methods - {"HEAD"}))
            path = route.path.format(box_id="bx1", action="freeze")
            answer = await (ada.get(path) if method == "GET" else ada.post(path, {"token": await ada.token()}))
            expected = {"/": 200, "/logout": 303}.get(route.path)
            assert answer.status_code == expected if expected else answer.status_code in (403, 404), (method, path)
            if path == "/logout":
                await sign_in(ada)


def routes(router: Any) -> list[Any]:
    found = []
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        found += routes(inner) if inner is not None else [route]
    return found


async def test_older_reviews_are_found_among_many_that_he_may_not_see(place: Place, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.dashboard.sight.BATCH", 3)
    for number in range(10, 20):
        await place.keep(place.secret, number)
    assert sorted(shown((await ada.get("/")).text)) == sorted([place.ids["written"], place.ids["read"]])


async def test_stranger_to_all_repositories_does_not_get_in(place: Place) -> None:
    place.github.signed_in = "mallory"
    async with place.front.browser() as browser:
        answer = await sign_in(browser)
        assert (answer.status_code, "@mallory was given access to no repository" in answer.text) == (403, True)
        assert (await browser.get("/")).status_code == 303


async def test_who_refuses_at_github_does_not_get_in(place: Place) -> None:
    place.github.signed_in = None
    async with place.front.browser() as browser:
        answer = await sign_in(browser)
        assert (answer.status_code, "did not confirm" in answer.text) == (403, True)


FORGED = {
    "none": lambda state: "",
    "altered": lambda state: state[:-1] + ("0" if state[-1] != "0" else "1"),
    "other page": lambda state: ".".join([*state.split(".")[:2], "Ly9ldmlsLmV4YW1wbGU", state.split(".")[3]]),
    "letters": lambda state: "é.ü.ö.ß",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_forged_state_is_refused(place: Place, forge) -> None:
    async with place.front.browser() as browser:
        path, code, state = re.fullmatch(r"(.*)\?code=(\w+)&state=(.*)", await to_github(browser)).groups()  # type: ignore[union-attr]
        assert (await browser.get(path, params={"code": code, "state": forge(state)})).status_code == 403
        assert (await browser.get("/")).status_code == 303
    assert not [asked for asked in place.github.requests if "access_token" in asked.path]  # the code was not even shown to GitHub


async def test_nobody_is_signed_in_as_another_by_a_link(place: Place) -> None:
    async with place.front.browser() as attacker, place.front.browser() as victim:
        link = await to_github(attacker)
        assert (await victim.get(link)).status_code == 403  # without the cookie of a visit
        await to_github(victim)
        assert (await victim.get(link)).status_code == 403  # and with one of his own
        assert (await victim.get("/")).status_code == 303


async def test_way_back_is_gone_once(place: Place) -> None:
    async with place.front.browser() as browser:
        link = await to_github(browser)
        cookie = browser.client.cookies["box-review-github"]
        assert (await browser.get(link)).status_code == 303
        browser.client.cookies.clear()
        browser.client.cookies.set("box-review-github", cookie, path="/login/github")
        assert (await browser.get(link)).status_code == 403


async def test_state_of_the_set_up_signs_nobody_in(place: Place) -> None:
    async with place.front.browser() as browser:
        code = re.search(r"code=(\w+)", await to_github(browser))
        assert code is not None
        state = place.front.app.state.states.issue("setup", browser.client.cookies["box-review-github"])
        assert (await browser.get("/login/github/callback", params={"code": code[1], "state": state})).status_code == 403


async def test_way_on_never_leads_to_another_site(place: Place) -> None:
    for to in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/x//evil"):
        async with place.front.browser() as browser:
            assert (await sign_in(browser, to)).headers["location"] == "/"
            assert (await browser.get("/login/github", params={"next": to})).headers["location"] == "/"


async def test_way_on_leads_to_the_page_that_was_asked_for(place: Place) -> None:
    async with place.front.browser() as browser:
        asked = f"/reviews/{place.ids['read']}"
        answer = await browser.get(asked)
        to = went(answer).fields["next"]
        assert (await sign_in(browser, to)).headers["location"] == asked


async def test_github_is_asked_with_a_challenge_and_for_no_scope(place: Place) -> None:
    async with place.front.browser() as browser:
        there = went(await browser.get("/login/github"))
        assert there.to == f"{place.github.url}/login/oauth/authorize"
        assert there.fields.keys() == {
            "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method", "allow_signup",
        }  # fmt: skip
        assert (there.fields["code_challenge_method"], there.fields["redirect_uri"]) == ("S256", f"{ORIGIN}/login/github/callback")
        cookie = next(cookie for cookie in browser.client.cookies.jar if cookie.name == "box-review-github")
        assert (cookie.path, cookie.has_nonstandard_attr("HttpOnly")) == ("/login/github", True)


async def test_token_lies_sealed_in_redis_and_goes_with_the_session(place: Place, ada: Browser) -> None:
    redis = place.front.redis
    (key,) = await redis.keys("box:dashboard:member:*")
    said = await redis.get(key)
    assert b"ghu_" not in said
    assert b"ghu_" not in json.dumps(dict(ada.client.cookies)).encode()
    assert 3500 < await redis.ttl(key) <= 3600
    cookie = ada.client.cookies["box-review"]
    await ada.post("/logout", {"token": await ada.token()})
    assert not await redis.exists(key)
    ada.client.cookies.set("box-review", cookie)
    assert (await ada.get("/")).status_code == 303


async def test_session_lasts_an_hour(place: Place, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = next(cookie for cookie in ada.client.cookies.jar if cookie.name == "box-review")
    assert cookie.expires is not None
    assert cookie.expires - time.time() <= 3601
    now = time.time()
    monkeypatch.setattr("bot.dashboard.sessions.time.time", lambda: now + 3605)
    assert (await ada.get("/")).status_code == 303


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.time()
    monkeypatch.setattr("bot.dashboard.members.time.time", lambda: now + seconds)
    monkeypatch.setattr("bot.github.direct.PATIENCE_S", (0.01, 0.01))


async def test_rights_that_were_taken_away_are_gone_within_minutes(place: Place, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = len(place.github.requests)
    place.written.member("ada", "read")
    place.read.member("ada", "none")
    assert (await ada.get(f"/reviews/{place.ids['read']}")).status_code == 200
    assert len(place.github.requests) == asked  # remembered
    later(monkeypatch, 301)
    assert (await ada.get(f"/reviews/{place.ids['read']}")).status_code == 404
    assert "<button>Replay" not in (await ada.get(f"/reviews/{place.ids['written']}")).text


async def test_running_review_is_watched_no_longer_than_it_may_be(place: Place, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await place.keep(place.read, 2, status="running", created_at=datetime.now(UTC))
    monkeypatch.setattr("bot.reviews.STREAM_WAIT_S", 0.2)
    watching = asyncio.create_task(ada.get(f"/reviews/{running}/events"))  # would not end by itself
    await asyncio.sleep(0.5)
    place.read.member("ada", "none")
    assert not watching.done()
    later(monkeypatch, 301)
    answer = await asyncio.wait_for(watching, 10)
    assert (answer.status_code, "event: lanes" in answer.text, "event: finished" in answer.text) == (200, True, False)


async def test_token_that_github_takes_no_more_ends_the_session(place: Place, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    place.github.faults.add("GET", r"/user/installations", Fault.answers(401), times=-1)
    later(monkeypatch, 301)
    assert (await ada.get("/")).status_code == 303
    assert await place.front.redis.keys("box:dashboard:member:*") == []


async def test_github_that_does_not_answer_is_borne_for_a_while(place: Place, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    place.github.faults.add("GET", r"/user/installations", Fault.answers(502), times=-1)
    later(monkeypatch, 301)
    assert len(shown((await ada.get("/")).text)) == 2
    later(monkeypatch, 901)
    answer = await ada.get("/")
    assert (answer.status_code, shown(answer.text)) == (503, [])


async def test_app_that_was_changed_ends_sessions_that_came_through_it(place: Place, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = place.front.app.state.github.keeper
    monkeypatch.setattr(keeper, "_given", keeper.current().model_copy(update={"client_id": "Iv1.other"}))
    assert (await ada.get("/")).status_code == 303


async def test_operator_that_was_changed_ends_sessions_too(place: Place, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.dashboard.sessions.Sessions.operator", tenant_of(BETA))
    assert (await ada.get("/")).status_code == 303


async def test_uninstalled_app_shows_nothing_more(place: Place, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    place.github.app.uninstall(place.written)
    later(monkeypatch, 301)
    assert shown((await ada.get("/")).text) == [place.ids["read"]]


async def test_repository_of_the_same_name_inherits_no_reviews(place: Place, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    place.github.delete(place.secret)
    again = place.github.repository("mallory-inc/secret")
    again.member("ada", "admin")
    await place.keep(again, 5)
    later(monkeypatch, 301)
    assert (await ada.get(f"/reviews/{place.ids['secret']}")).status_code == 404


async def test_many_repositories_are_seen_page_by_page_up_to_a_bound(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.github.direct.PER_PAGE", 1)
    async with place.front.browser() as browser:
        await sign_in(browser)
        assert len(shown((await browser.get("/")).text)) == 2
    monkeypatch.setattr("bot.github.direct.MOST_REPOSITORIES", 1)
    async with place.front.browser() as browser:
        await sign_in(browser)
        assert len(shown((await browser.get("/")).text)) == 1


async def test_there_is_no_button_where_the_app_has_no_client(valkey: Valkey, redis: ArqRedis, github: GitHub) -> None:
    known = {name: value for name, value in settings(github).items() if not name.startswith("client")}
    async with opened(valkey.url, redis, valkey.folder.parent, **known) as front, front.browser() as browser:
        assert "/login/github" not in (await browser.get("/login")).text
        for path in ("/login/github", "/login/github/callback?code=c&state=s"):
            assert (await browser.get(path)).status_code == 404


async def test_secret_that_is_wrong_lets_nobody_in(valkey: Valkey, redis: ArqRedis, github: GitHub) -> None:
    github.signed_in = "ada"
    wrong = {**settings(github), "client_secret": "wrong"}
    async with opened(valkey.url, redis, valkey.folder.parent, **wrong) as front, front.browser() as browser:
        answer = await sign_in(browser)
        assert (answer.status_code, "did not confirm" in answer.text) == (403, True)


async def test_who_is_signed_in_with_a_key_stays_so(place: Place) -> None:
    async with place.front.browser() as browser:
        await browser.sign_in(ALPHA)
        assert (await browser.get("/login/github", params={"next": "/boxes"})).headers["location"] == "/boxes"
        assert len(shown((await browser.get("/")).text)) == 4
