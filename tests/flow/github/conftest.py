"""A server with the App, and a GitHub on loopback that sends it deliveries; PyGithub reads what was written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import github as pygithub
import pytest
from github.PullRequest import PullRequest

from tests.conftest import short_folder
from tests.fakes.github import GitHub, Pull, Repository
from tests.repositories import BAD
from tests.server import Server

OVER_S = 40.0


@dataclass
class Installed:
    """One server, its App, and the GitHub that it is installed at."""

    github: GitHub
    server: Server
    made: int = 0

    def repository(self, name: str = "shop", **files: str) -> Repository:
        """A repository of its own for a test: its names are never used twice."""
        self.made += 1
        made = self.github.repository(f"acme/{name}-{self.made}")
        made.member("ada", "write")
        made.commit("main", {"README.md": "shop\n", **files})
        return made

    def opened(self, repository: Repository, branch: str = "topic", **about: object) -> Pull:
        """A pull request that brings a file in which every review finds something."""
        repository.commit(branch, {"shop.py": BAD}, start="main")
        return repository.pull(user="ada", head=branch, title="Run it", **about)  # type: ignore[arg-type]

    def seen(self, pull: Pull) -> PullRequest:
        """The same, as PyGithub reads it with a token of the repository."""
        token = self.github.token(pull.repository, {"pull_requests": "read", "issues": "read", "checks": "read", "contents": "read"})
        client = pygithub.Github(auth=pygithub.Auth.Token(token), base_url=self.github.api_url, retry=None)
        return client.get_repo(pull.repository.full_name).get_pull(pull.number)


def wait_for(condition: Callable[[], object], what: str, seconds: float = OVER_S) -> None:
    """Until something is true."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)


def reviewed(pull: Pull, count: int = 1) -> None:
    """Until so many of its checks are over, and nothing more comes."""
    wait_for(lambda: sum(run.status == "completed" for run in pull.check_runs) >= count, "the review")


def settings(github: GitHub) -> dict[str, str]:
    """The environment of a server whose App it is."""
    app = github.app
    return {
        "APP_ID": str(app.id),
        "PRIVATE_KEY": app.private_key,
        "WEBHOOK_SECRET": app.webhook_secret,
        "GITHUB_API_URL": github.api_url,
        "BOX_URL": "https://review.example.com",
    }


@pytest.fixture(scope="package")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    with GitHub(tmp_path_factory.mktemp("github")) as github:
        github.user("ada")
        github.user("mallory")
        github.organization("acme")
        yield github


@pytest.fixture(scope="package")
def served(outside: GitHub) -> Iterator[Installed]:
    for folder in short_folder():
        with Server(folder / "data", **settings(outside)) as server:
            outside.app.webhook_url = f"{server.url}/api/github/webhooks"
            yield Installed(outside, server)


@pytest.fixture
def installed(served: Installed) -> Iterator[Installed]:
    """The server with the App; whatever a test makes it ask, GitHub's description of its API must allow."""
    yield served
    served.github.faults.clear()
    served.github.settle()
    assert not served.github.problems
