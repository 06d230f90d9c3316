"""The dashboard in a real browser, before a real server that reviews."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed; it comes with the other tools for tests")

from box_review import ReviewRecord
from box_review.client import Client
from playwright.sync_api import Browser, expect

from tests.browser import Visitor, chromium, needs_chromium, visiting
from tests.repositories import BAD, Repository
from tests.server import Server

pytestmark = needs_chromium
TITLE = "Run it <img src=x onerror=alert(1)><script>alert(2)</script>"
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "color_scheme": "dark"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser; each visitor has a profile of his own."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A change with a finding, a hostile title and a name that nobody else reviews."""
    made = Repository(tmp_path_factory.mktemp("browser") / "seen-in-a-browser")
    made.commit({"x": "1"})
    made.commit({"a.py": BAD}, message=TITLE)
    return made.path


@contextmanager
def reviewing(server: Server, project: Path) -> Iterator[Future[ReviewRecord]]:
    """A review that runs while the context begins, and is over when it ends."""
    with Client(server.address) as client, ThreadPoolExecutor(1) as pool:
        review = pool.submit(client.review, project)
        yield review
        review.result()


@pytest.fixture(scope="module")
def reviewed(server: Server, project: Path) -> ReviewRecord:
    """A review that is over."""
    with Client(server.address) as client:
        return client.review(project)


@pytest.fixture
def visitor(browser: Browser, server: Server) -> Iterator[Visitor]:
    """Somebody who is signed in."""
    with visiting(browser, server) as visiting_one:
        visiting_one.sign_in()
        yield visiting_one


def open_running(visitor: Visitor, project: Path) -> None:
    """Open the review that runs, from the list, as soon as it is there."""
    for _ in range(100):
        page = visitor.open(f"/?repository={project.name}")
        if (link := page.locator("ul.reviews a", has=page.locator(".working"))).count():
            link.first.click()
            return
    raise AssertionError("no review is running")


def test_review_is_watched_live_to_its_end_and_then_read(visitor: Visitor, server: Server, project: Path) -> None:
    with reviewing(server, project):
        open_running(visitor, project)
        page = visitor.page
        page.evaluate("window.stays = true")
        told = page.locator("#said").inner_text()
        page.wait_for_function("told => window.stays && document.getElementById('said').textContent !== told", arg=told)
        expect(page.locator(".lane", has_text="security").locator("rect.evidence")).to_have_count(1)
        page.wait_for_selector("#findings")  # the page has loaded itself anew
    assert page.evaluate("window.stays") is None
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
    finding = page.locator("article.card").first
    expect(finding).to_contain_text("a.py:5")
    expect(finding.locator("tr.meant")).to_contain_text("subprocess.run('ls ' + name, shell=True)")
    expect(finding).to_contain_text("ruff S602")
    expect(page.locator(".verdict")).to_have_text(re.compile("failure"))
    assert page.locator("svg.track rect").count() >= 8


def test_box_is_resumed_and_frozen_by_its_buttons(visitor: Visitor, reviewed: ReviewRecord) -> None:
    page = visitor.open(f"/reviews/{reviewed.review_id}")
    box = page.locator("#box-security")
    expect(box.locator(".state")).to_have_text("frozen")
    box.get_by_role("button", name="Resume box").click()
    expect(box.locator(".state")).to_have_text("awake")
    assert page.url.endswith("#boxes")
    box.get_by_role("link", name="Logs").click()
    expect(page.locator("ol.log")).to_contain_text("box resumed")
    page.get_by_role("link", name="Boxes").click()
    listed = page.locator("ul.boxes li", has_text=f"{reviewed.review_id}-security")
    listed.get_by_role("button", name="Freeze box").click()
    expect(listed.locator(".state")).to_have_text("frozen")


def test_pages_can_be_read_and_forms_sent_without_javascript(browser: Browser, server: Server, project: Path) -> None:
    with visiting(browser, server, java_script_enabled=False) as visitor, reviewing(server, project):
        visitor.sign_in()
        open_running(visitor, project)
        page = visitor.page
        expect(page.locator(".lane")).to_have_count(4)
        page.wait_for_selector("#findings")  # by the refresh of the page
        expect(page.locator("article.card").first).to_contain_text("shell=True")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_replay_and_cancel_are_buttons(visitor: Visitor, server: Server, project: Path, reviewed: ReviewRecord) -> None:
    page = visitor.open(f"/reviews/{reviewed.review_id}")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("header.top")).to_contain_text(reviewed.review_id)
    page.wait_for_selector("#findings")
    assert not page.url.endswith(reviewed.review_id)
    expect(page.get_by_role("button", name="Replay")).to_have_count(0)
    with reviewing(server, project):
        open_running(visitor, project)
        page.get_by_role("button", name="Cancel review").click()
        expect(page.locator(".verdict")).to_have_text(re.compile("cancelled"))
    with page.expect_download() as download:
        visitor.open(f"/reviews/{reviewed.review_id}").get_by_role("link", name="sarif").click()
    assert download.value.suggested_filename == f"{reviewed.review_id}.sarif"


def test_pages_fit_a_phone_in_the_dark(browser: Browser, server: Server, reviewed: ReviewRecord, tmp_path: Path) -> None:
    with visiting(browser, server, **PHONE) as visitor:
        visitor.sign_in()
        for name, path in {"list": "/", "review": f"/reviews/{reviewed.review_id}", "boxes": "/boxes"}.items():
            page = visitor.open(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 20, 26)"
            page.screenshot(path=tmp_path / f"{name}.png")
            assert (tmp_path / f"{name}.png").stat().st_size > 10_000


def test_who_is_signed_out_comes_back_to_the_page_he_wanted(visitor: Visitor, server: Server) -> None:
    visitor.context.clear_cookies()
    page = visitor.open("/boxes")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_label("API key").fill(server.address.api_key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Boxes")
