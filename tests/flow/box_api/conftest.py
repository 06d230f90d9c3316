"""A real server, an account of the official Python client, and a server outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from upstash_box import Box

from tests.conftest import short_folder
from tests.flow.box_api.recorder import Recorder
from tests.server import Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "box_api" in item.path.parts:
            for ignored in (
                "ignore:connect:DeprecationWarning",  # how the client calls a newer websockets
                "ignore:.*unclosed.*:ResourceWarning",  # as programs do, the tests leave the closing of its connections to the end
                "ignore::pytest.PytestUnraisableExceptionWarning",
            ):
                item.add_marker(pytest.mark.filterwarnings(ignored))


@pytest.fixture(scope="package")
def outside() -> Iterator[Recorder]:
    """A server that boxes and webhooks may reach."""
    with Recorder() as recorder:
        yield recorder


@pytest.fixture(scope="package")
def served(outside: Recorder) -> Iterator[Server]:
    """The server under test, with two tenants."""
    settings = {
        "BOX_API_KEYS": "box_one,box_two",
        "BOX_ALLOW_PRIVATE": "127.0.0.1/32",
        "BOX_ALLOWED_PORTS": f"80,443,{outside.port}",
        "GITHUB_API_URL": f"http://localhost:{outside.port}/github",
    }
    for folder in short_folder():
        with Server(folder / "d", **settings) as server:
            yield server


@pytest.fixture
def account(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client finds the server as users tell it where it is."""
    monkeypatch.setenv("UPSTASH_BOX_BASE_URL", served.url)
    monkeypatch.setenv("UPSTASH_BOX_API_KEY", "box_one")


@pytest.fixture
def box(account: None) -> Iterator[Box]:
    """A box for one test."""
    with Box.create() as made:
        yield made
        made.delete()


def until(happened: Callable[[], bool], patience_s: float = 10) -> None:
    """Wait for something."""
    ends = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.02)
