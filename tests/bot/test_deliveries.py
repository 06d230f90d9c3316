"""`box-review deliveries`: GitHub's list is shown, and what is sent again arrives as if GitHub had sent it."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot.github.deliveries import command
from tests.fakes.github import GitHub, Pull
from tests.fakes.loopback import Handler, Loopback
from tests.server import box_review


class Receiver:
    """A server that takes deliveries, or refuses those of an event."""

    def __init__(self) -> None:
        self.took: list[tuple[dict[str, str], bytes]] = []
        self.refuse = ""

    @contextlib.contextmanager
    def listening(self) -> Iterator[str]:
        """Its URL."""
        receiver = self

        class Takes(Handler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.took.append(({name.lower(): value for name, value in self.headers.items()} | {"path": self.path}, body))
                refused = self.headers["x-github-event"] == receiver.refuse
                said = json.dumps({"error": "no such thing"} if refused else {"accepted": "look"}).encode()
                self.send_response(422 if refused else 202)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        with Loopback(Takes) as loopback:
            yield loopback.url


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    with GitHub(tmp_path / "github") as made:
        made.user("ada")
        yield made
        assert not made.problems


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def url(receiver: Receiver) -> Iterator[str]:
    with receiver.listening() as where:
        yield where


@pytest.fixture
def pull(github: GitHub, url: str) -> Pull:
    """A pull request that the App has heard of."""
    github.app.webhook_url = f"{url}/api/github/webhooks"
    shop = github.repository("acme/shop")
    shop.commit("topic", {"a.py": "x = 1\n"}, start="main")
    made = shop.pull(user="ada", head="topic")
    github.settle()
    return made


class Run:
    """The command as people call it, in this process."""

    def __init__(self, github: GitHub, data_dir: Path) -> None:
        app = github.app
        self.environment: dict[str, str | None] = {
            "APP_ID": str(app.id), "PRIVATE_KEY": app.private_key, "WEBHOOK_SECRET": app.webhook_secret, "GITHUB_API_URL": github.api_url,
            "BOX_DATA_DIR": str(data_dir), "BOX_REVIEW_URL": None,
        }  # fmt: skip

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(command, arguments, env=self.environment)


@pytest.fixture
def run(github: GitHub, tmp_path: Path) -> Run:
    return Run(github, tmp_path)


def test_list_has_what_and_where_and_how_it_ended(github: GitHub, pull: Pull, run: Run) -> None:
    github.lose_next_deliveries(1)
    pull.push({"b.py": "y = 1\n"})
    github.settle()
    done = run("ls")
    assert done.exit_code == 0, done.output
    newest, *_ = done.stdout.splitlines()
    assert "pull_request.synchronize" in newest and "acme/shop" in newest and "502 failed to connect" in newest
    assert "pull_request.opened" in done.stdout
    (row,) = run("ls", "--failed", "--json").stdout.splitlines()
    (lost,) = [one for one in github.deliveries if one.status_code == 502]
    assert json.loads(row).items() >= {"id": lost.id, "guid": lost.guid, "event": "pull_request", "repository": "acme/shop"}.items()
    assert len(run("ls", "-n", "1").stdout.splitlines()) == 1


def test_what_was_delivered_later_has_not_failed(github: GitHub, pull: Pull, run: Run) -> None:
    github.lose_next_deliveries(1)
    pull.push({"b.py": "y = 1\n"})
    github.settle()
    (lost,) = [one for one in github.deliveries if one.status_code == 502]
    github.redeliver(lost.id)
    github.settle()
    assert run("ls", "--failed").stdout == ""
    assert run("replay", "--failed", "--url", "http://127.0.0.1:1").exit_code == 0


@pytest.mark.parametrize("by", ["id", "guid", "failed"])
def test_replay_arrives_as_if_github_had_sent_it(by: str, github: GitHub, pull: Pull, run: Run, receiver: Receiver, url: str) -> None:
    github.lose_next_deliveries(1)
    pull.push({"b.py": "y = 1\n"})
    github.settle()
    (lost,) = [one for one in github.deliveries if one.status_code == 502]
    receiver.took.clear()
    done = run("replay", {"id": str(lost.id), "guid": lost.guid, "failed": "--failed"}[by], "--url", url)
    assert (done.exit_code, done.stdout) == (0, f"{lost.guid}  pull_request  202  accepted: look\n")
    ((headers, body),) = receiver.took
    assert (headers["path"], headers["x-github-delivery"]) == ("/api/github/webhooks", lost.guid)
    assert json.loads(body) == lost.payload
    assert headers["x-hub-signature-256"] == "sha256=" + hmac.new(github.app.webhook_secret.encode(), body, hashlib.sha256).hexdigest()


def test_delivery_sent_anew_is_a_new_one(github: GitHub, pull: Pull, run: Run, receiver: Receiver, url: str) -> None:
    known = github.deliveries[-1]
    assert run("replay", str(known.id), "--anew", "--url", url).exit_code == 0
    assert uuid.UUID(receiver.took[-1][0]["x-github-delivery"]) != uuid.UUID(known.guid)


def test_file_needs_no_github(github: GitHub, run: Run, receiver: Receiver, url: str, tmp_path: Path) -> None:
    asked = len(github.requests)
    file = tmp_path / "opened.json"
    file.write_text('{"action": "opened"}')
    run.environment["BOX_REVIEW_URL"] = url
    assert run("replay", str(file), "--event", "pull_request").exit_code == 0
    assert receiver.took[-1][1] == file.read_bytes()
    assert len(github.requests) == asked


def test_some_refused_is_1(run: Run, receiver: Receiver, url: str, tmp_path: Path) -> None:
    receiver.refuse = "check_run"
    file = tmp_path / "a.json"
    file.write_text("{}")
    done = run("replay", str(file), "--event", "check_run", "--url", url)
    assert (done.exit_code, done.stdout.split("  ", 1)[1]) == (1, "check_run  422  error: no such thing\n")


def test_server_of_the_data_directory_is_the_one_that_is_meant(run: Run, receiver: Receiver, url: str, tmp_path: Path) -> None:
    (tmp_path / "serve.json").write_text(json.dumps({"pid": 1, "url": url}))
    (tmp_path / "a.json").write_text("{}")
    assert run("replay", str(tmp_path / "a.json"), "--event", "ping").exit_code == 0
    assert len(receiver.took) == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        (["ls"], {"APP_ID": None, "PRIVATE_KEY": None, "WEBHOOK_SECRET": None}, 2, "no GitHub App is configured here: set APP_ID"),
        (["ls"], {"APP_ID": None}, 2, "APP_ID must be set too"),
        (["ls"], {"APP_ID": "one"}, 2, "APP_ID: "),
        (["ls"], {"APP_ID": "7"}, 2, "GitHub answered GET /app/hook/deliveries with 404"),
        (["ls"], {"GITHUB_API_URL": "http://127.0.0.1:1"}, 3, "GitHub did not answer"),
        (["replay"], {}, 2, "say which deliveries, or --failed"),
        (["replay", "1", "--failed"], {}, 2, "say which deliveries, or --failed"),
        (["replay", "1", "--url", "{url}"], {}, 2, "404"),
        (["replay", "0b1f4c6e-0000", "--url", "{url}"], {}, 2, "GitHub keeps no delivery '0b1f4c6e-0000'"),
        (["replay", "gone.json", "--event", "ping", "--url", "{url}"], {}, 2, "gone.json is no payload: No such file"),
        (["replay", "gone.json", "--url", "{url}"], {}, 2, "which event? --event says it"),
        (["replay", "1"], {}, 2, "no server runs on"),
        (["replay", "{file}", "--event", "ping", "--url", "http://127.0.0.1:1"], {}, 3, "no server answers at http://127.0.0.1:1"),
        (["replay", "{file}", "--event", "ping", "--url", "nowhere"], {}, 3, "no server answers at nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(
    arguments: list[str], environment: dict[str, Any], code: int, said: str, run: Run, url: str, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text("{}")
    run.environment |= environment
    done = run(*(one.format(url=url, file=tmp_path / "a.json") for one in arguments))
    assert (done.exit_code, said in done.output) == (code, True), done.output
    assert run.environment["PRIVATE_KEY"] is None or str(run.environment["PRIVATE_KEY"])[40:80] not in done.output


def test_command_line_has_it() -> None:
    done = box_review("deliveries", "--help")
    assert (done.code, "replay" in done.out) == (0, True), done.err
