"""What the pages show, to whom, and that nothing in them acts."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from box_review import Conclusion, ReviewRecord, ReviewStatus, RoleStatus
from box_review.events import FinishedEvent, LaneEvent, RoleEvent
from box_review.jobs import ACTIVE, review_key
from box_review.report import render
from box_review.sanitize import visible

from tests.bot.dashboard.front import BETA, Browser, Front, Host, Page, tenant_of
from tests.sdk import records

REVIEW = records.record().review_id
OUR_TAGS = frozenset(
    re.findall(
        r"\w+",
        "html head meta title link body a div nav span form input button main header p h1 h2 h3 h4 ul ol li dl dt dd code pre details "
        "summary section article table thead tbody tr th td strong small svg rect footer time label select option noscript script br",
    )
)


def numbered(number: int, **changed: object) -> ReviewRecord:
    return records.record(review_id=f"rv-{number:016d}", created_at=datetime.now(UTC) - timedelta(minutes=number), **changed)


def running(**changed: object) -> ReviewRecord:
    roles = tuple(role.model_copy(update={"status": RoleStatus.RUNNING, "box": None}) for role in records.record().roles)
    facts = {"status": ReviewStatus.RUNNING, "conclusion": Conclusion.NEUTRAL, "roles": roles, "findings": (), "jury": None}
    return records.record(review_id="rv-00000000000000aa", created_at=datetime.now(UTC), **(facts | changed))


def box(lane: str = "security", number: int = 1, **changed: object) -> dict[str, object]:
    now = int(time.time())
    about = {"id": f"bx-{number}a7f30c1", "name": f"{REVIEW}-{lane}", "labels": ["review", REVIEW], "size": "medium", "status": "paused"}
    return about | {"created_at": now - 7200, "last_activity_at": now - 3600, "keep_alive": False} | changed


async def test_list_says_of_each_review_what_came_of_it(front: Front, alpha: Browser) -> None:
    await front.keep(numbered(3))
    page = " ".join((await alpha.get("/")).text.split())
    said = ["acme/shop", "Export orders as zip archives", "failure", "1 critical", "1 high", "2 low", "security, quality, architecture"]
    assert [word for word in [*said, "0.21 USD", "1 min 6 s", "3 min ago", f'href="/reviews/rv-{3:016d}"'] if word not in page] == []


async def test_list_comes_in_pages_that_join(front: Front, alpha: Browser) -> None:
    for number in range(45):
        await front.keep(numbered(number))
    path, seen = "/", []
    for length in (20, 20, 5):
        page = (await alpha.get(path)).text
        found = re.findall(r'href="/reviews/(rv-\w+)"', page)
        assert len(found) == length
        seen += found
        older = re.search(r'href="([^"]*)">Older', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == [f"rv-{number:016d}" for number in range(45)]
    assert not path
    assert "no older reviews" in (await alpha.get(f"/?before={seen[-1]}")).text


async def test_list_shows_one_repository_if_asked(front: Front, alpha: Browser) -> None:
    await front.keep(numbered(1))
    await front.keep(numbered(2, repository="acme/a&b"))
    page = (await alpha.get("/", params={"repository": "acme/a&b"})).text
    assert re.findall(r'href="/reviews/(rv-\w+)"', page) == [f"rv-{2:016d}"]
    assert '<option value="acme/a&amp;b" selected>' in page
    assert "no reviews of nobody/nothing" in " ".join((await alpha.get("/?repository=nobody/nothing")).text.split())


async def test_empty_list_says_how_to_begin(front: Front, alpha: Browser) -> None:
    page = (await alpha.get("/")).text
    assert ("box-review review" in page, "/setup" in page) == (True, False)
    front.app.state.setup_open = lambda: True
    answer = await alpha.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/setup")


async def test_review_is_shown_whole(front: Front, alpha: Browser, host: Host) -> None:
    await front.keep(records.record())
    await front.report_host(host.address)
    host.boxes = [box(), box("quality", 2, status="idle")]
    page = " ".join((await alpha.get(f"/reviews/{REVIEW}")).text.split())
    said = [
        "The customer&#39;s file name reaches a shell", "subprocess.run(command, shell=True, check=True)", "shop/export.py:42-43",
        "proven by running it (exit 0 at base, exit 1 at head)", "python -m shop.export", "/tmp/pwned exists", "S602", "confidence 97%",
        "says how it looks, not how it fails", "shellcheck is not installed", "claude-sonnet-4-5", "0.07 USD", "0.21 USD", "3 rechecks",
        "41,200 tokens in (30,000 cached), 2,100 out", "cold: files, 212 KB", "Timeline", "docs/export.png",
        '<span class="state paused">frozen</span>', '<span class="state idle">awake</span>', "1 h ago",
        '<span class="state">gone</span>', '<span class="state">kept for the record</span>',
        f'href="/reviews/{REVIEW}/report.sarif"',
    ]  # fmt: skip
    assert [word for word in said if word not in page] == []
    assert re.findall(r"<button>([^<]*)", page) == ["Replay", "Resume box", "Freeze box"]


async def test_buttons_freeze_and_resume_the_boxes_of_the_review(front: Front, alpha: Browser, host: Host) -> None:
    await front.keep(records.record())
    await front.report_host(host.address)
    host.boxes = [box()]
    token = {"token": await alpha.token()}
    answer = await alpha.post(f"/reviews/{REVIEW}/boxes/security/resume", token)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/reviews/{REVIEW}#boxes")
    await alpha.post("/boxes/bx-1a7f30c1/freeze", token)
    assert host.asked == [f"POST /v2/box/{REVIEW}-security/resume", "POST /v2/box/bx-1a7f30c1/pause"]
    for nobodys in ("jury", "poetry", "Quality"):
        assert (await alpha.post(f"/reviews/{REVIEW}/boxes/{nobodys}/resume", token)).status_code == 404
    assert (await alpha.post(f"/reviews/{REVIEW}/boxes/quality/resume", token)).status_code == 404  # its host has it no more
    assert (await alpha.post("/boxes/bx-1a7f30c1/delete", token)).status_code == 404


async def test_review_is_readable_while_no_host_of_its_boxes_answers(front: Front, alpha: Browser) -> None:
    await front.keep(records.record())
    for address in ("", "http://127.0.0.1:9"):
        await front.report_host(address)
        answer = await alpha.get(f"/reviews/{REVIEW}")
        assert (answer.status_code, "How they are now is not known" in answer.text) == (200, True)
        assert (await alpha.get("/boxes")).status_code == 503


async def test_boxes_are_listed_with_their_logs(front: Front, alpha: Browser, host: Host) -> None:
    await front.report_host(host.address)
    host.boxes = [box(), box("", 2, name="mine", labels=["x"], status="running", keep_alive=True, size="large")]
    host.logs = [{"timestamp": 1_700_000_000, "level": "warn", "source": "system", "message": "box resumed; memory was lost"}]
    host.runs = [
        {"id": "r1", "type": "shell", "status": "failed", "prompt": "make test", "output": "2 failed", "created_at": 1_700_000_000}
    ]
    page = " ".join((await alpha.get("/boxes")).text.split())
    assert [
        word for word in ("mine", "large", "awake, at work", "kept awake", f'href="/reviews/{REVIEW}"', "1 h ago") if word not in page
    ] == []
    assert re.findall(r"<button>([^<]*)", page) == ["Resume box"]
    for path in ("/boxes/bx-1a7f30c1/logs", f"/reviews/{REVIEW}/boxes/security/logs"):
        if path.startswith("/reviews"):
            await front.keep(records.record())
        page = (await alpha.get(path)).text
        assert [word for word in ("2023-11-14 22:13:20 UTC", "memory was lost", "make test", "2 failed") if word not in page] == []


async def test_running_review_shows_its_lanes(front: Front, alpha: Browser) -> None:
    events = (
        LaneEvent(lane="security", stage="waiting"),
        LaneEvent(lane="security", stage="evidence", at_s=0.1, box_id="bx1"),
        LaneEvent(lane="quality", stage="frozen", at_s=0.2),
        RoleEvent(role="quality", status=RoleStatus.COMPLETED, findings=3),
        RoleEvent(role="architecture", status=RoleStatus.FAILED, error="the box went away"),
    )
    await front.keep(running(), events=events)
    page = " ".join((await alpha.get("/reviews/rv-00000000000000aa")).text.split())
    said = ["2 of 4 lanes done; security: evidence", "3 findings", "failed: the box went away", "waits for the others", "Cancel review"]
    assert [word for word in said if word not in page] == []
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page
    assert "Freeze box" not in page


async def test_lanes_are_told_until_the_review_ends(front: Front, alpha: Browser) -> None:
    end = FinishedEvent(status=ReviewStatus.COMPLETED, conclusion=Conclusion.SUCCESS)
    await front.keep(running(), events=(LaneEvent(lane="security", stage="judging"), end))
    answer = await alpha.get("/reviews/rv-00000000000000aa/events", headers={"Accept": "text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert re.findall(r"^event: (\w+)$", answer.text, re.MULTILINE) == ["lanes", "finished"]
    assert all(line.startswith(("event: ", "data: ")) for line in answer.text.split("\n") if line)


async def test_lanes_are_told_no_more_when_the_session_is_over(front: Front, alpha: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.reviews.STREAM_WAIT_S", 0.05)
    await front.keep(running(), events=(LaneEvent(lane="security", stage="judging"),))
    opened, asked = front.app.state.sessions.opened, 0

    async def once(cookie: str | None) -> object:
        nonlocal asked
        asked += 1
        return await opened(cookie) if asked < 3 else None

    monkeypatch.setattr(front.app.state.sessions, "opened", once)
    answer = await alpha.get("/reviews/rv-00000000000000aa/events")
    assert re.findall(r"^event: (\w+)$", answer.text, re.MULTILINE) == ["lanes"]
    assert "still here" in answer.text


async def test_running_review_is_cancelled_by_its_button(front: Front, alpha: Browser) -> None:
    await front.keep(running())
    await front.redis.zadd(ACTIVE, {running().review_id: time.time() + 900})
    answer = await alpha.post("/reviews/rv-00000000000000aa/cancel", {"token": await alpha.token()})
    assert (answer.status_code, answer.headers["location"]) == (303, "/reviews/rv-00000000000000aa")
    assert await front.redis.hget(review_key(running().review_id), "status") == b"cancelled"  # type: ignore[misc]
    assert "the review was cancelled" in (await alpha.get("/reviews/rv-00000000000000aa")).text


async def test_replay_that_cannot_be_is_explained_on_a_page(front: Front, alpha: Browser) -> None:
    await front.keep(records.record())
    answer = await alpha.post(f"/reviews/{REVIEW}/replay", {"token": await alpha.token()})
    assert (answer.status_code, answer.headers["content-type"]) == (409, "text/html; charset=utf-8")
    assert "is not kept any more" in answer.text


@pytest.mark.parametrize(("form", "name"), [("html", "html"), ("sarif", "sarif"), ("json", "json"), ("md", "markdown")])
async def test_report_is_a_file_that_no_browser_runs(front: Front, alpha: Browser, form: str, name: str) -> None:
    await front.keep(records.hostile_record())
    answer = await alpha.get(f"/reviews/{REVIEW}/report.{form}")
    assert answer.text == render(records.hostile_record(), name)
    assert answer.headers["content-disposition"] == f'attachment; filename="{REVIEW}.{form}"'
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_other_tenants_review_is_as_one_that_never_was(front: Front, alpha: Browser, host: Host) -> None:
    await front.keep(records.record(), BETA)
    await front.report_host(host.address)
    host.tenant = tenant_of(BETA)
    host.boxes = [box()]
    token = {"token": await alpha.token()}
    never = "rv-0000000000000000"
    for path in ("", "/events", "/report.json", "/boxes/security/logs"):
        theirs, unknown = await alpha.get(f"/reviews/{REVIEW}{path}"), await alpha.get(f"/reviews/{never}{path}")
        assert (theirs.status_code, unknown.status_code) == (404, 404), path
        assert "Export orders" not in theirs.text
    for path in ("/cancel", "/replay", "/boxes/security/resume", "/boxes/security/freeze"):
        assert (await alpha.post(f"/reviews/{REVIEW}{path}", token)).status_code == 404, path
    assert (await alpha.post("/boxes/bx-1a7f30c1/resume", token)).status_code == 404
    assert "There are no boxes" in (await alpha.get("/boxes")).text
    assert "acme/shop" not in (await alpha.get("/")).text
    assert box()["status"] == host.boxes[0]["status"]


NOWHERE = [
    "/reviews/rv-x", "/reviews/RV-0123456789abcdef", "/reviews/%2e%2e", "/reviews/rv-0123456789abcdef/report.exe",
    "/boxes/..%2f..%2f/logs", "/boxes/BX/logs", "/?before=" + "x" * 100,
]  # fmt: skip


@pytest.mark.parametrize("path", NOWHERE)
async def test_path_that_means_nothing_is_a_page_that_says_so(alpha: Browser, path: str) -> None:
    answer = await alpha.get(path)
    assert answer.status_code == 404


def check_inert(page: str) -> None:
    """Nothing in it acts but what is ours."""
    assert visible(page, multiline=True) == page
    seen = Page(page)
    assert set(seen.tags) <= OUR_TAGS
    assert seen.tags.count("script") <= 1
    assert not [name for name in seen.attributes if name.startswith("on") or name in ("style", "srcdoc", "formaction", "srcset")]
    elsewhere = [where for where in seen.leads_to if not re.match(r"/(?!/)|#|data:image/svg", where)]
    assert elsewhere == []
    assert "alert(1)" not in " ".join(value for values in seen.attributes.values() for value in values if "<" not in value)


@pytest.mark.parametrize("made", [records.record, records.hostile_record, records.partial_record, records.failed_record])
async def test_hostile_text_of_a_review_acts_on_no_page(front: Front, alpha: Browser, host: Host, made) -> None:
    record = made()
    await front.keep(record)
    await front.keep(numbered(1, repository=records.HOSTILE[:300]))
    await front.report_host(host.address)
    host.boxes = [
        box(),
        box(number=2, status=records.MARKUP, name=records.HOSTILE, agent=records.LIVE, size=records.ESCAPES, labels=["<b>", "x"]),
    ]
    host.logs = [{"timestamp": 0, "level": records.MARKUP, "source": records.HOSTILE, "message": records.HOSTILE}]
    host.runs = [
        {"id": "x", "type": records.MARKUP, "status": records.LIVE, "prompt": records.HOSTILE, "output": records.HOSTILE, "created_at": 0}
    ]
    for path in (
        "/",
        f"/reviews/{record.review_id}",
        "/boxes",
        f"/reviews/{record.review_id}/boxes/security/logs",
        "/boxes/bx-1a7f30c1/logs",
    ):
        answer = await alpha.get(path)
        assert answer.status_code == 200, path
        check_inert(answer.text)
        if path != f"/reviews/{record.review_id}" or made is records.hostile_record:
            assert "&lt;img src=x onerror=alert(1)&gt;" in answer.text or "![pixel](https://evil" in answer.text, path


async def test_hostile_text_of_a_running_review_acts_neither_on_the_page_nor_in_its_stream(front: Front, alpha: Browser) -> None:
    hostile = records.HOSTILE
    events = (
        LaneEvent(lane=hostile, stage="evidence", at_s=-1e308, note=hostile[:500], box_id=hostile, driver=hostile),
        RoleEvent(role="security", status=RoleStatus.FAILED, error=hostile),
        RoleEvent(role=hostile, status=RoleStatus.COMPLETED, findings=-5),
        LaneEvent(lane="quality", stage="evidence", at_s=1e308),
        FinishedEvent(status=ReviewStatus.COMPLETED, conclusion=Conclusion.SUCCESS),
    )
    await front.keep(running(title=hostile[:1000], repository=hostile[:300]), events=events)
    check_inert((await alpha.get("/reviews/rv-00000000000000aa")).text)
    told = (await alpha.get("/reviews/rv-00000000000000aa/events")).text
    assert all(line.startswith(("event: lanes", "event: finished", "data: ")) for line in told.split("\n") if line)
    check_inert("\n".join(line.removeprefix("data: ") for line in told.split("\n") if line.startswith("data: ")))


async def test_hostile_address_acts_on_no_page(alpha: Browser) -> None:
    for path in ("/", "/login"):
        for name in ("repository", "before", "next", "x"):
            check_inert((await alpha.client.get(path, params={name: records.HOSTILE[:200]}, follow_redirects=True)).text)
    check_inert((await alpha.get("/reviews/%3Cscript%3Ealert(1)%3C%2Fscript%3E")).text)
    alpha.client.cookies.clear()
    check_inert((await alpha.get("/login", params={"next": records.MARKUP})).text)


async def test_style_and_script_may_be_kept_and_nothing_else(alpha: Browser) -> None:
    await alpha.get("/")
    page = (await alpha.get("/")).text
    [style] = re.findall(r'href="(/assets/[^"]*)"', page)
    answer = await alpha.get(style)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]
    assert "@import" not in answer.text
    assert "url(" not in answer.text
    stale = re.sub("/assets/[0-9a-f]+/", "/assets/0000/", style)
    assert (await alpha.get(stale)).headers["cache-control"] == "no-store"
    for name in ("base.html.j2", "..%2fpage.py", "dashboard.css.j2", ""):
        assert (await alpha.get(f"/assets/0000/{name}")).status_code == 404


async def test_page_says_so_when_the_queue_cannot_be_reached(front: Front, alpha: Browser, valkey) -> None:
    valkey.stop()
    answer = await alpha.get("/")
    assert (answer.status_code, "queue cannot be reached" in answer.text) == (503, True)
    assert answer.headers["content-type"].startswith("text/html")
