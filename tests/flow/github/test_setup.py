"""From a server that knows no App to the first reviewed pull request, as its operator does it: in a browser, without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed; it comes with the other tools for tests")

import github as pygithub
from playwright.sync_api import Browser, Page, expect

from bot.settings import APP_FILE as FILE
from tests.browser import DEADLINE_MS, chromium, needs_chromium
from tests.conftest import short_folder
from tests.fakes.github import GitHub
from tests.flow.github.conftest import reviewed
from tests.repositories import BAD
from tests.server import Server

pytestmark = needs_chromium


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    with GitHub(tmp_path) as running:
        running.organization("acme")
        running.signed_in = "ada"
        yield running
        running.settle()
        assert not running.problems


@pytest.fixture
def server(github: GitHub) -> Iterator[Server]:
    for folder in short_folder():
        with Server(folder / "data", GITHUB_API_URL=github.api_url) as running:
            yield running


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    """A browser that complains of nothing: no page does what its own policy forbids."""
    said: list[str] = []
    with chromium() as browser:
        yield opened(browser, said)
    assert said == []


def opened(browser: Browser, said: list[str]) -> Page:
    page = browser.new_page()
    page.set_default_timeout(DEADLINE_MS)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return page


def test_server_without_an_app_is_set_up_in_two_clicks_and_reviews_the_next_pull_request(
    server: Server, github: GitHub, page: Page
) -> None:
    page.goto(server.url)
    page.get_by_label("API key").fill(server.address.api_key)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Organisation").fill("acme")
    page.get_by_label("Name of the App").fill("Reviewer of Acme")
    page.get_by_role("button", name="Create the App on GitHub").click()  # the second click is GitHub's own
    page.wait_for_url(f"{server.url}/github")
    expect(page.get_by_role("heading", level=1)).to_have_text("reviewer-of-acme")
    assert page.get_by_role("link", name="Install the App").get_attribute("href") == f"{github.url}/apps/reviewer-of-acme/installations/new"
    assert (server.data_dir / FILE).stat().st_mode & 0o777 == 0o600

    app = github.apps[-1]
    assert (app.owner.login, app.webhook_url) == ("acme", f"{server.url}/api/github/webhooks")
    shop = github.repository("acme/shop", private=True, installed=False)
    shop.member("ada", "write")
    app.install(shop)
    shop.commit("topic", {"shop.py": BAD}, start="main")
    pull = shop.pull(user="ada", head="topic", title="Run it")
    reviewed(pull)
    client = pygithub.Github(auth=pygithub.Auth.Token(github.user_token("ada")), base_url=github.api_url, retry=None)
    seen = client.get_repo("acme/shop").get_pull(pull.number)
    assert [comment.user.login for comment in seen.get_issue_comments()] == ["reviewer-of-acme[bot]"]
    assert [review.user.login for review in seen.get_reviews()] == ["reviewer-of-acme[bot]"]

    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in with GitHub").click()
    page.locator("ul.reviews a", has_text="Run it").click()
    expect(page.locator("article.card").first).to_contain_text("shop.py:5")
    expect(page.get_by_role("button", name="Replay")).to_be_visible()  # who can write may act
    expect(page.locator('a[href="/boxes"]')).to_have_count(0)
