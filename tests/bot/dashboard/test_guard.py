"""Who gets in, how long, and what another site can make a browser do."""

from __future__ import annotations

import base64
import json
import re
import time

import httpx
import pytest
from box_review.jobs import review_key

from bot.audit import Audit
from bot.dashboard.guard import local
from bot.dashboard.sessions import Right, Sessions
from bot.keys import KEYS, Keys
from tests.bot.dashboard.front import ALPHA, BETA, ORIGIN, Browser, Front, tenant_of, token_in
from tests.sdk import records

REVIEW = records.record().review_id
PAGES = ["/", "/?before=rv-x&repository=a%2Fb", f"/reviews/{REVIEW}", f"/reviews/{REVIEW}/report.json", "/boxes", "/boxes/bx1/logs"]
FORMS = [
    f"/reviews/{REVIEW}/cancel", f"/reviews/{REVIEW}/replay", f"/reviews/{REVIEW}/boxes/security/freeze",
    f"/reviews/{REVIEW}/boxes/security/resume", "/boxes/bx1/freeze", "/boxes/bx1/resume", "/logout",
]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
async def test_stranger_is_asked_to_sign_in_and_comes_back_to_the_page(front: Front, page: str) -> None:
    await front.keep(records.record())
    async with front.browser() as browser:
        answer = await browser.get(page)
        assert (answer.status_code, answer.text) == (303, "")
        form = (await browser.get(answer.headers["location"])).text
        token, to = token_in(form), re.search(r'name="next" value="([^"]*)"', form)
        assert to is not None
        answer = await browser.post("/login", {"token": token, "key": ALPHA, "next": to[1].replace("&amp;", "&")})
        assert (answer.status_code, answer.headers["location"]) == (303, page)


async def test_stranger_hears_nothing_of_a_running_review(front: Front) -> None:
    await front.keep(records.record())
    async with front.browser() as browser:
        answer = await browser.get(f"/reviews/{REVIEW}/events", headers={"Accept": "text/event-stream"})
        assert (answer.status_code, "lanes" in answer.text) == (401, False)


@pytest.mark.parametrize(("origin", "name"), [(ORIGIN, "box-review"), ("https://front.test", "__Host-box-review")], ids=["http", "https"])
async def test_cookie_is_for_the_server_alone_and_holds_no_key(front: Front, origin: str, name: str) -> None:
    async with front.browser(origin) as browser:
        answer = await browser.sign_in(ALPHA)
    [cookie] = [cookie for cookie in answer.headers.get_list("set-cookie") if cookie.startswith(f"{name}=")]
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=604800"} <= set(cookie.split("; "))
    assert ("Secure" in cookie, "Domain" in cookie) == (origin.startswith("https"), False)
    body = cookie.partition("=")[2].partition(".")[0]
    assert ALPHA not in base64.urlsafe_b64decode(body + "==").decode()


async def test_proxy_that_ends_tls_still_gives_a_secure_cookie(front: Front) -> None:
    async with front.browser() as browser:
        token = token_in((await browser.get("/login")).text)
        answer = await browser.post("/login", {"token": token, "key": ALPHA}, origin="https://front.test")
    assert any(cookie.startswith("__Host-box-review=") and "Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))


@pytest.mark.parametrize("key", ["", "wrong", ALPHA.upper(), tenant_of(ALPHA)], ids=["empty", "wrong", "almost", "tenant"])
async def test_wrong_key_opens_nothing(front: Front, key: str) -> None:
    async with front.browser() as browser:
        answer = await browser.sign_in(key)
        assert (answer.status_code, "wrong or past its time" in answer.text) == (401, True)
        assert (await browser.get("/")).status_code == 303


@pytest.mark.parametrize(
    "forge",
    [
        lambda cookie: cookie.partition(".")[0] + ".",
        lambda cookie: cookie[:-1] + ("0" if cookie[-1] != "0" else "1"),
        lambda cookie: base64.urlsafe_b64encode(b'{"id":"x"}').decode() + "." + cookie.partition(".")[2],
        lambda cookie: "x" * 5000,
        lambda cookie: "\u00e4.\u00f6",
        lambda cookie: "",
    ],
    ids=["unsigned", "altered", "other", "long", "letters", "empty"],
)  # fmt: skip
async def test_cookie_that_was_made_elsewhere_is_nobodys(front: Front, alpha: Browser, forge) -> None:
    forged = forge(alpha.client.cookies["box-review"])
    async with front.browser() as browser:
        headers = httpx.Headers([("cookie", f"box-review={forged}".encode())])
        assert (await browser.get("/", headers=headers)).status_code == 303


async def test_cookie_of_another_host_is_not_taken_over_tls(front: Front, alpha: Browser) -> None:
    async with front.browser("https://front.test") as browser:
        browser.client.cookies.set("box-review", alpha.client.cookies["box-review"])
        assert (await browser.get("/")).status_code == 303


async def test_session_has_an_end(front: Front, monkeypatch: pytest.MonkeyPatch, alpha: Browser) -> None:
    now = time.time()
    monkeypatch.setattr("bot.dashboard.sessions.time.time", lambda: now + 7 * 86_400 - 5)
    assert (await alpha.get("/")).status_code == 200
    monkeypatch.setattr("bot.dashboard.sessions.time.time", lambda: now + 7 * 86_400 + 5)
    assert (await alpha.get("/")).status_code == 303


async def _made(front: Front, **wanted: object) -> str:
    keys: Keys = front.app.state.service.keys
    caller = await keys.caller(ALPHA)
    assert caller is not None
    made = await keys.make(caller, "n", **({"read_only": False, "new_tenant": False, "expires_in_s": None} | wanted))  # type: ignore[arg-type]
    return str(made.secret)


async def test_removed_key_ends_its_sessions(front: Front) -> None:
    key = await _made(front)
    async with front.browser() as browser:
        await browser.sign_in(key)
        assert (await browser.get("/")).status_code == 200
        await front.redis.delete(KEYS)
        assert (await browser.get("/")).status_code == 303


async def test_expired_key_ends_its_sessions(front: Front) -> None:
    key = await _made(front, expires_in_s=1)
    async with front.browser() as browser:
        await browser.sign_in(key)
        assert (await browser.get("/")).status_code == 200
        [(field, body)] = (await front.redis.hgetall(KEYS)).items()  # type: ignore[misc]
        kept = json.loads(body)
        kept["key"]["expires_at"] = int(time.time()) - 1
        await front.redis.hset(KEYS, field, json.dumps(kept))  # type: ignore[misc]
        assert (await browser.get("/")).status_code == 303


async def test_key_that_the_server_knows_no_more_ends_its_sessions(front: Front, alpha: Browser) -> None:
    sessions: Sessions = front.app.state.sessions
    cookie = alpha.client.cookies["box-review"]
    assert await sessions.opened(cookie) is not None
    secret = (front.data_dir / "session-secret").read_text()
    assert await Sessions(secret, Keys([BETA], front.redis), front.redis).opened(cookie) is None


async def test_signing_out_ends_copies_of_the_cookie_too(alpha: Browser) -> None:
    copy = alpha.client.cookies["box-review"]
    answer = await alpha.post("/logout", {"token": await alpha.token()})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    alpha.client.cookies.set("box-review", copy)
    assert (await alpha.get("/")).status_code == 303


ELSEWHERE_PATHS = [
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "javascript:alert(1)", "",
    "/@evil.example:x", "///evil", "/x//evil", "/%09/evil.example", " /x", "/x\r\nSet-Cookie: a=b", "/x#y", "evil.example", "/é",
]  # fmt: skip


async def test_way_on_never_leads_to_another_site(front: Front) -> None:
    async with front.browser() as browser:
        for to in ELSEWHERE_PATHS:
            assert local(to) == "/"
            browser.client.cookies.clear()
            assert (await browser.sign_in(ALPHA, to)).headers["location"] == "/"
            assert (await browser.get("/login", params={"next": to})).headers["location"] == "/"


@pytest.mark.parametrize("to", ["/", "/boxes", f"/reviews/{REVIEW}", "/?before=rv-1&repository=a%2Fb"])
def test_way_on_leads_to_pages_of_ours(to: str) -> None:
    assert local(to) == to


ELSEWHERE = {
    "origin": {"origin": "http://evil.example"},
    "another port": {"origin": "http://front.test:81"},
    "page of a box": {"origin": "http://bx1-80.front.test", "sec-fetch-site": "same-site"},
    "null": {"origin": "null"},
    "empty": {"origin": ""},
    "cross-site": {"sec-fetch-site": "cross-site"},
    "same-site": {"sec-fetch-site": "same-site"},
    "typed": {"sec-fetch-site": "none"},
}


@pytest.mark.parametrize("headers", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_form_of_another_site_does_nothing(front: Front, alpha: Browser, headers: dict[str, str]) -> None:
    await front.keep(records.record())
    token = await alpha.token()
    for form in (*FORMS, "/login"):
        answer = await alpha.post(form, {"token": token, "key": BETA}, **headers)
        assert (answer.status_code, "from another site" in answer.text) == (403, True), form
    assert (await alpha.get("/")).status_code == 200  # still signed in


async def test_form_without_a_word_of_where_it_comes_from_does_nothing(alpha: Browser) -> None:
    token = await alpha.token()
    del alpha.client.headers["origin"]
    assert (await alpha.post("/logout", {"token": token})).status_code == 403
    assert (await alpha.post("/logout", {"token": token}, **{"sec-fetch-site": "same-origin"})).status_code == 303


@pytest.mark.parametrize("token", ["", "wrong", "é", "0" * 64, "another"], ids=["none", "wrong", "letters", "zeros", "another"])
async def test_form_without_the_sessions_own_token_does_nothing(front: Front, alpha: Browser, token: str) -> None:
    await front.keep(records.record())
    if token == "another":
        async with front.browser() as other:
            await other.sign_in(ALPHA)
            token = await other.token()
    for form in FORMS:
        answer = await alpha.post(form, {"token": token})
        assert (answer.status_code, "another session" in answer.text) == (403, True), form


async def test_form_of_a_stranger_does_nothing(front: Front) -> None:
    async with front.browser() as browser:
        for form in FORMS:
            answer = await browser.post(form, {"token": "x"})
            assert (answer.status_code, answer.headers["location"]) == (303, "/login"), form


async def test_nobody_is_signed_in_by_a_form_of_somebody_elses_visit(front: Front) -> None:
    async with front.browser() as attacker, front.browser() as victim:
        token = token_in((await attacker.get("/login")).text)
        for _ in range(2):  # without the cookie of a visit, and with another's
            assert (await victim.post("/login", {"token": token, "key": ALPHA})).status_code == 403
            await victim.get("/login")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a" * 20_000, "application/x-www-form-urlencoded", 413), (b"{}", "application/json", 415), (b"x", "text/plain", 415),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400), (b"a=1&" * 50, "application/x-www-form-urlencoded", 400),
    ],
    ids=["large", "json", "plain", "bytes", "many"],
)  # fmt: skip
async def test_form_that_is_none_is_refused(alpha: Browser, body: bytes, kind: str, status: int) -> None:
    answer = await alpha.client.post("/logout", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/login", "/", f"/reviews/{REVIEW}", "/reviews/rv-0000000000000000", "/boxes", "/reviews/%3Cb%3E"])
async def test_every_page_tells_the_browser_what_it_may_do(front: Front, alpha: Browser, path: str) -> None:
    await front.keep(records.record())
    if path == "/login":
        alpha.client.cookies.clear()
    answer = await alpha.get(path)
    policy = answer.headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]{20,})'; style-src 'nonce-\1'", policy)
    assert nonce is not None
    assert set(re.findall(r'nonce="([^"]*)"', answer.text)) == {nonce[1]}
    assert nonce[1] not in (await alpha.get(path)).text
    for rule in ("default-src 'none'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert {"cache-control": "no-store", "referrer-policy": "same-origin", "x-content-type-options": "nosniff"}.items() <= dict(
        answer.headers
    ).items()
    assert not re.search(r"<[^>]*\s(style|on\w+)=", answer.text)
    assert "<style" not in answer.text


async def test_who_may_only_read_sees_no_buttons_and_changes_nothing(front: Front) -> None:
    await front.keep(records.record())
    running = records.record(review_id="rv-00000000000000aa", status="running")
    await front.keep(running)
    async with front.browser() as browser:
        await browser.sign_in(await _made(front, read_only=True))
        for path in (f"/reviews/{REVIEW}", f"/reviews/{running.review_id}", "/"):
            page = (await browser.get(path)).text
            assert re.findall(r"<button[^>]*>([^<]*)", page) == ["Sign out"]
            assert "read-only" in page
        token = await browser.token()
        for form in (*FORMS[:-1], f"/reviews/{running.review_id}/cancel"):
            answer = await browser.post(form, {"token": token})
            assert (answer.status_code, "only read" in answer.text) == (403, True)
        assert await front.redis.hget(review_key(running.review_id), "status") == b"running"  # type: ignore[misc]
        assert (await browser.post("/logout", {"token": token})).status_code == 303


async def test_session_can_be_begun_by_other_means_than_a_key(front: Front) -> None:
    await front.keep(records.record())
    sessions: Sessions = front.app.state.sessions
    session = sessions.begin(tenant_of(ALPHA), {Right.READ}, "@octocat", lasts_s=60)
    async with front.browser() as browser:
        browser.client.cookies.set("box-review", sessions.sealed(session))
        page = await browser.get(f"/reviews/{REVIEW}")
        assert (page.status_code, "@octocat, read-only" in page.text) == (200, True)


async def test_secret_that_signs_sessions_is_for_the_server_alone(front: Front) -> None:
    file = front.data_dir / "session-secret"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_text()) >= 32


async def test_forms_are_written_down_and_pages_are_not(front: Front) -> None:
    audit = Audit(front.app, front.data_dir / "audit.jsonl")
    async with front.browser(through=audit) as browser:
        await browser.sign_in(ALPHA)
        await browser.get("/boxes")
        await browser.post(f"/reviews/{REVIEW}/cancel", {"token": await browser.token()})
    audit._lines.handlers[0].close()
    said = (front.data_dir / "audit.jsonl").read_text()
    lines = [json.loads(line) for line in said.splitlines()]
    assert [(line["method"], line["path"], line["status"], line["tenant"]) for line in lines] == [
        ("POST", "/login", 303, tenant_of(ALPHA)),
        ("POST", f"/reviews/{REVIEW}/cancel", 404, tenant_of(ALPHA)),
    ]
    assert ALPHA not in said


async def test_page_of_a_box_is_never_the_dashboard(front: Front, alpha: Browser) -> None:
    for path in ("/", "/login", "/boxes"):
        answer = await alpha.get(path, headers={"Host": "bx1-80.localhost"})
        assert answer.status_code == 503  # no host holds boxes here
        assert "<html" not in answer.text


async def test_description_of_the_api_holds_no_pages(alpha: Browser) -> None:
    paths = (await alpha.get("/openapi.json")).json()["paths"]
    assert not [path for path in paths if path.startswith(("/login", "/reviews", "/boxes", "/assets")) or path == "/"]
