"""A GitHub with one repository and one pull request, and who asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.github import GitHub, Pull, Repository
from tests.fakes.test_github.clients import Client, Receiver

LINES = [f"line {number}\n" for number in range(1, 61)]


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    """One that nobody may ask what its own description does not know."""
    with GitHub(tmp_path / "github") as made:
        yield made
    assert not made.problems


@pytest.fixture
def shop(github: GitHub) -> Repository:
    """A repository with `cart.py`, of sixty lines."""
    made = github.repository("acme/shop", files={"cart.py": "".join(LINES)})
    made.member("ada", "write")
    return made


@pytest.fixture
def pull(shop: Repository) -> Pull:
    """A pull request that changes lines 10 and 40."""
    changed = [line.upper() if number in (10, 40) else line for number, line in enumerate(LINES, 1)]
    shop.commit("topic", {"cart.py": "".join(changed)})
    return shop.pull(user="ada", head="topic", title="Louder")


@pytest.fixture
def app(github: GitHub) -> Iterator[Client]:
    """The App itself."""
    with Client.of_app(github) as client:
        yield client


@pytest.fixture
def bot(github: GitHub, shop: Repository) -> Iterator[Client]:
    """The App in its installation at the shop; paths are below the repository's."""
    with Client.of_installation(shop) as client:
        yield client


@pytest.fixture
def receiver(github: GitHub) -> Iterator[Receiver]:
    """Where the App's webhooks arrive."""
    with Receiver() as made:
        github.app.webhook_url = made.url
        yield made
        github.settle()
