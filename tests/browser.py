"""A real browser: Debian's Chromium without a window, driven by Playwright, which brings none of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.server import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")
DEADLINE_MS = 20_000
_QUIET = ("gpu", "quic", "background-networking", "component-update", "sync", "default-apps", "extensions", "breakpad")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for as long as the context lasts. It asks nobody but the pages it is sent to."""
    arguments = ["--no-first-run", *(f"--disable-{what}" for what in _QUIET), *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)  # in a folder of its own, removed afterwards
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visitor:
    """Somebody before the dashboard of a server, and what should not have happened meanwhile."""

    server: Server
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a page of the server."""
        self.page.goto(self.server.url + path)
        return self.page

    def sign_in(self, key: str = "") -> Page:
        """By the form, as people do."""
        page = self.open("/login")
        page.get_by_label("API key").fill(key or self.server.address.api_key)
        page.get_by_role("button", name="Sign in").click()
        return page


@contextmanager
def visiting(browser: Browser, server: Server, **how: Any) -> Iterator[Visitor]:
    """A visitor with an empty profile; what the browser complains of, asks elsewhere or lets pop up is an error at the end."""
    context = browser.new_context(**({"viewport": {"width": 1100, "height": 900}} | how))
    context.set_default_timeout(DEADLINE_MS)
    visitor = Visitor(server, context, context.new_page())
    said = visitor.complaints
    visitor.page.on("console", lambda message: said.append(f"{message.type}: {message.text}") if message.type != "debug" else None)
    visitor.page.on("pageerror", lambda error: said.append(f"error: {error}"))
    visitor.page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    context.on("request", lambda request: None if request.url.startswith((server.url, "data:")) else said.append(f"asked {request.url}"))
    try:
        yield visitor
    finally:
        context.close()
    assert said == []
