"""Killed at any moment, while GitHub stumbles: every pull request is reviewed, once, and no secret shows up anywhere.

`TEST_KILLS=30` kills so often, and opens fifty pull requests for two workers; `TEST_SEED` repeats a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.queue import connect
from tests.conftest import short_folder
from tests.fakes.github import Fault, GitHub, Pull
from tests.flow.github.conftest import Installed, settings, wait_for
from tests.repositories import BAD
from tests.server import Server, children, command_line

KILLS = int(os.environ.get("TEST_KILLS", "4"))
SEED = int(os.environ.get("TEST_SEED", "0")) or random.randrange(1, 1 << 30)
MANY = 50 if KILLS >= 30 else 6
MOST_STRIKES = KILLS // 2
LONG_S = 60.0 + 6 * KILLS
VICTIMS = {
    "github": lambda line: "-m\0bot.github\0" in line,
    "bot": lambda line: "-m\0bot\0" in line,
    "runner": lambda line: "-m\0runner\0" in line,
    "queue": lambda line: "--unixsocket\0" in line,
}
FAULTS = (
    ("POST", r"/check-runs$", Fault.CUT_AFTER_WRITE),
    ("PATCH", r"/check-runs/\d+$", Fault.CUT_AFTER_WRITE),
    ("POST", r"/issues/1/comments$", Fault.CUT_AFTER_WRITE),
    ("POST", r"/pulls/1/reviews$", Fault.CUT_AFTER_WRITE),
    ("POST", r"/pulls/1/reviews$", Fault.slow(0.7)),
    ("POST", r"/check-runs$", Fault.answers(502)),
    ("POST", r"/issues/1/comments$", Fault.slow(0.5)),
    ("GET", r"/reviews$", Fault.slow(0.5)),
    ("GET", r"/comments$", Fault.answers(503)),
)

pytestmark = pytest.mark.timeout(int(LONG_S) + 60)


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """A server of its own, and a GitHub that knows it."""
    print(f"TEST_KILLS={KILLS} TEST_SEED={SEED}")
    with GitHub(tmp_path_factory.mktemp("github")) as github:
        github.user("ada")
        for folder in short_folder():
            with Server(folder / "data", **settings(github), BOX_LEASE_S="3", BOX_STANDBY="0") as server:
                github.app.webhook_url = f"{server.url}/api/github/webhooks"
                yield Installed(github, server)


def kill(server: Server, name: str) -> None:
    """One of its processes, without warning."""
    for pid in children(server.process.pid):
        if VICTIMS[name](f"{command_line(pid)}\0"):
            os.kill(pid, signal.SIGKILL)


def opened(installed: Installed, name: str) -> Pull:
    """A pull request in a repository of its own."""
    shop = installed.github.repository(f"acme/{name}")
    shop.commit("topic", {"shop.py": BAD})
    return shop.pull(user="ada", head="topic", title="Run it")


def deliver_again(github: GitHub) -> None:
    """What found nobody at home is sent once more, as somebody does by hand. In the long run the server asks for it itself."""
    arrived = {one.guid for one in github.deliveries if one.status_code is None or 200 <= one.status_code < 300}
    for one in {one.guid: one for one in list(github.deliveries) if one.guid not in arrived}.values():
        github.redeliver(one.id)


def all_reviewed(installed: Installed, pulls: list[Pull], more: Callable[[], object] = lambda: None) -> None:
    """Until every one has its verdict and its review."""

    def done() -> bool:
        more()
        if KILLS < 30:
            deliver_again(installed.github)
        return all(pull.reviews and pull.check_runs and pull.check_runs[0].status == "completed" for pull in pulls)

    try:
        wait_for(done, "all reviews", LONG_S)
    except AssertionError:
        open_ones = [(pull.repository.name, len(pull.check_runs), len(pull.comments), len(pull.reviews)) for pull in pulls]
        raise AssertionError(f"{open_ones}\n{installed.server.log.read_text()[-20_000:]}") from None
    installed.github.settle()


def single(pull: Pull) -> None:
    """One of each, and all of it."""
    runs = [(run.status, run.conclusion, len(run.annotations)) for run in pull.check_runs]
    assert runs == [("completed", "failure", 2)], (pull.repository.name, runs)
    assert ["shop.py:5" in comment.body for comment in pull.comments] == [True], pull.repository.name
    assert [len(review.comments) for review in pull.reviews] == [2], pull.repository.name


def test_whatever_is_killed_each_pull_request_is_reviewed_once(victim: Installed) -> None:
    chance, pulls = random.Random(SEED), list[Pull]()
    for number in range(KILLS):
        name = f"killed-{number}"
        method, path, fault = chance.choice(FAULTS)
        victim.github.faults.add(method, f"/acme/{name}.*{path}", fault)
        pulls.append(opened(victim, name))
        time.sleep(chance.uniform(0.0, 1.6))
        # The first few take each process once.
        kill(victim.server, list(VICTIMS)[number] if number < len(VICTIMS) else chance.choice(list(VICTIMS)))
        time.sleep(chance.uniform(0.2, 0.8))
    all_reviewed(victim, pulls)
    for pull in pulls:
        single(pull)


def test_two_workers_that_are_killed_review_each_pull_request_once(victim: Installed) -> None:
    chance, pulls = random.Random(SEED + 1), list[Pull]()
    second = Second(victim)
    strikes, at = list[str](), [time.monotonic() + 1.0]

    def strike() -> None:
        if time.monotonic() < at[0] or len(strikes) >= MOST_STRIKES:
            return
        strikes.append(chance.choice(["first", "second"]))
        if strikes[-1] == "first":
            kill(victim.server, "github")
        else:
            second.kill()
            second.start()
        at[0] = time.monotonic() + chance.uniform(1.5, 4.0)

    second.start()
    try:
        for number in range(MANY):
            pulls.append(opened(victim, f"two-{number}"))
            strike()
        all_reviewed(victim, pulls, strike)
        assert strikes
    finally:
        second.kill()
    for pull in pulls:
        single(pull)


class Second:
    """Another worker of the App beside the server's own."""

    def __init__(self, installed: Installed) -> None:
        data = installed.server.data_dir
        self._log = Path(f"{data}.second.log")
        self._environment = {**os.environ, **settings(installed.github), "REDIS_URL": f"unix://{data}/queue/valkey.sock"}
        self._environment |= {"BOX_DATA_DIR": str(data)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Unless it runs."""
        if self._process is None or self._process.poll() is not None:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen([sys.executable, "-m", "bot.github"], env=self._environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """Without warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


async def test_no_secret_is_in_any_log_file_record_or_comment(victim: Installed) -> None:
    secrets = known_secrets(victim)
    assert len(secrets) > 10
    places = {str(path): path.read_bytes() for path in files(victim.server.data_dir.parent)}
    places |= {f"posted {number}": text for number, text in enumerate(posted(victim.github))}
    places |= await kept(victim.server.data_dir)
    found = [(place, secret[:12]) for place, text in places.items() for secret in secrets if secret in text]
    assert found == []


def known_secrets(installed: Installed) -> list[bytes]:
    """Keys and tokens; of the private key each line, since a part of it is as bad."""
    app, tokens = installed.github.app, list(installed.github.credentials._tokens)
    lines = [line for line in app.private_key.splitlines() if len(line) > 40]
    return [secret.encode() for secret in (app.webhook_secret, app.client_secret, installed.server.address.api_key, *lines, *tokens)]


def files(folder: Path) -> list[Path]:
    """All that the server has written, but the file that is there to hold its key."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path.name != "api-key"]


def posted(github: GitHub) -> Iterator[bytes]:
    """All that was sent to GitHub."""
    return (request.body for request in github.requests)


async def kept(data_dir: Path) -> dict[str, bytes]:
    """All keys of the queue with their values, as it would write them to a disk."""
    redis = connect(f"unix://{data_dir}/queue/valkey.sock")
    try:
        await redis.config_set("rdbcompression", "no")
        keys = [key async for key in redis.scan_iter(count=1000)]
        values = await asyncio.gather(*(redis.dump(key) for key in keys))
    finally:
        await redis.aclose(close_connection_pool=True)
    return {f"key {key!r}": key + (value or b"") for key, value in zip(keys, values, strict=True)}
