"""Pull requests at a GitHub on loopback: how soon it says that it is looking, and how soon the review is there."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from box_review.client import Client

from bench.measure import tell
from tests.fakes.github import GitHub, Pull
from tests.flow.github.conftest import Installed, reviewed, settings, wait_for
from tests.repositories import BAD, Repository
from tests.server import Server

ROUNDS = 10


async def run(folder: Path) -> None:
    """Measure on a server of its own, with analyzers; the baseline is the same change, reviewed by the client without GitHub."""
    await asyncio.to_thread(_run, folder)


def _run(folder: Path) -> None:
    with GitHub(folder / "github") as github:
        github.user("ada")
        github.organization("acme")
        with Server(folder / "d", **settings(github)) as server, Client(server.address) as client:
            github.app.webhook_url = f"{server.url}/api/github/webhooks"
            installed = Installed(github, server)
            told, done, plain = [], [], []
            for number in range(ROUNDS):
                seen, over = _pull(installed)
                told.append(seen)
                done.append(over)
                plain.append(_plain(client, folder / str(number)))
    tell("delivery to check and comment, p50", statistics.median(told), 3.0, "s")
    tell("delivery to posted review, analyzers, p50", statistics.median(done), 15.0, "s")
    tell("the same / reviewed by the client without GitHub", statistics.median(done) / statistics.median(plain), 5.0, "x")


def _pull(installed: Installed) -> tuple[float, float]:
    """Seconds until check and comment are there, and until the check is over."""
    repository = installed.repository()
    repository.commit("topic", {"shop.py": BAD}, start="main")
    began = time.perf_counter()
    pull: Pull = repository.pull(user="ada", head="topic")
    wait_for(lambda: pull.check_runs and pull.comments, "check and comment")
    seen = time.perf_counter() - began
    reviewed(pull)
    return seen, time.perf_counter() - began


def _plain(client: Client, folder: Path) -> float:
    made = Repository(folder)
    made.commit({"README.md": "shop\n"})
    made.commit({"shop.py": BAD})
    began = time.perf_counter()
    client.review(folder)
    return time.perf_counter() - began
