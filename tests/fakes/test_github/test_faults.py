"""What goes wrong when a test says so, and what the log says of it."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.fakes.github import Fault, GitHub, Pull, Repository
from tests.fakes.github.api.call import HANDLERS
from tests.fakes.github.description import description
from tests.fakes.test_github.clients import Client

COMMENTS = r"/issues/\d+/comments$"


@pytest.mark.parametrize("status", [500, 502, 503, 401, 404, 409, 422])
def test_error_is_answered_so_often_and_nothing_is_done(github: GitHub, bot: Client, pull: Pull, status: int) -> None:
    github.faults.add("POST", COMMENTS, Fault.answers(status), times=2)
    statuses = [bot.post("/issues/1/comments", json={"body": "x"}).status_code for _ in range(3)]
    assert statuses == [status, status, 201]
    assert len(pull.comments) == 1


def test_fault_meets_only_its_method_and_path(github: GitHub, bot: Client, pull: Pull) -> None:
    github.faults.add("POST", COMMENTS, Fault.answers(500), times=-1)
    assert bot.get("/issues/1/comments").status_code == 200
    assert bot.post("/issues/1/labels", json={"labels": ["x"]}).status_code == 200
    assert bot.post("/issues/1/comments", json={"body": "x"}).status_code == 500
    github.faults.clear()
    assert bot.post("/issues/1/comments", json={"body": "x"}).status_code == 201
    assert [request.method for request in github.faults.met] == ["POST"]


def test_fault_can_wait_for_a_later_request(github: GitHub, bot: Client, pull: Pull) -> None:
    github.faults.add("POST", COMMENTS, Fault.answers(500), after=1)
    assert [bot.post("/issues/1/comments", json={"body": "x"}).status_code for _ in range(3)] == [201, 500, 201]


def test_connection_breaks_after_the_write(github: GitHub, bot: Client, pull: Pull) -> None:
    github.faults.add("POST", COMMENTS, Fault.CUT_AFTER_WRITE)
    with pytest.raises(httpx.TransportError):
        bot.post("/issues/1/comments", json={"body": "x"})
    assert len(pull.comments) == 1
    assert (github.requests[-1].status, github.requests[-1].cut) == (201, True)


def test_connection_breaks_before_the_write(github: GitHub, bot: Client, pull: Pull) -> None:
    github.faults.add("POST", COMMENTS, Fault.CUT_BEFORE)
    with pytest.raises(httpx.TransportError):
        bot.post("/issues/1/comments", json={"body": "x"})
    assert not pull.comments
    assert (github.requests[-1].status, github.requests[-1].cut) == (None, True)
    assert bot.get("/issues/1/comments").status_code == 200


def test_limits_say_how_long_to_wait(github: GitHub, bot: Client, pull: Pull) -> None:
    github.faults.add("*", "", Fault.secondary_limit(7))
    github.faults.add("*", "", Fault.primary_limit(5, status=429))
    first, second = bot.get("/pulls"), bot.get("/pulls")
    assert (first.status_code, first.headers["retry-after"], "secondary rate limit" in first.text) == (403, "7", True)
    assert (second.status_code, second.headers["x-ratelimit-remaining"]) == (429, "0")
    assert 3 <= int(second.headers["x-ratelimit-reset"]) - time.time() <= 5
    assert bot.get("/pulls").status_code == 200


def test_answer_can_be_late(github: GitHub, bot: Client, pull: Pull) -> None:
    github.faults.add("GET", "/pulls", Fault.slow(0.1))
    began = time.monotonic()
    assert bot.get("/pulls").status_code == 200
    assert time.monotonic() - began >= 0.1


def test_git_and_sign_in_can_fail_too(github: GitHub, shop: Repository) -> None:
    github.faults.add("GET", r"^/acme/shop\.git/info/refs", Fault.answers(503))
    assert httpx.get(f"{shop.url}.git/info/refs?service=git-upload-pack", trust_env=False).status_code == 503


def test_log_says_who_asked_for_what(github: GitHub, bot: Client, app: Client, pull: Pull) -> None:
    bot.create("/issues/1/comments", body="x")
    app.get("/app")
    said = [(asked.method, asked.path, asked.kind, asked.who, asked.status) for asked in github.requests]
    assert said == [
        ("POST", "/api/v3/repos/acme/shop/issues/1/comments", "installation", "box-review[bot]", 201),
        ("GET", "/api/v3/app", "app", "box-review", 200),
    ]  # fmt: skip


def test_waiting_ends_when_it_is_so_or_says_what_happened(github: GitHub, bot: Client, pull: Pull) -> None:
    bot.create("/issues/1/comments", body="x")
    assert github.until(lambda: pull.comments)[0].body == "x"
    with pytest.raises(AssertionError, match="POST /api/v3/repos/acme/shop/issues/1/comments 201"):
        github.until(lambda: pull.reviews, timeout_s=0.02)


def test_word_that_github_passes_over_is_a_problem_and_nothing_else(github: GitHub, bot: Client, pull: Pull) -> None:
    comment = {"path": "cart.py", "line": 10, "body": "here", "startline": 9}
    assert bot.post("/pulls/1/reviews", params={"perpage": 1}, json={"event": "COMMENT", "comments": [comment]}).status_code == 200
    said = "pulls/create-review: the request says {}, which GitHub does not know"
    assert github.problems == [said.format("perpage"), said.format("comments/startline")]
    github.problems.clear()


def test_all_that_the_description_knows_can_be_asked(github: GitHub) -> None:
    assert {operation.id for operation in description().operations} == HANDLERS.keys()


def test_request_for_what_github_does_not_have_is_a_problem(github: GitHub, app: Client) -> None:
    assert app.get("/repositories-of-the-future").status_code == 404
    assert github.problems == ["GET /repositories-of-the-future: no such operation is known"]
    github.problems.clear()


def test_answer_that_breaks_the_description_is_a_problem(github: GitHub, app: Client) -> None:
    github.app.name = 7  # type: ignore[assignment]
    app.get("/app")
    assert "apps/get-authenticated: the answer 200 is wrong: name" in github.problems[0]
    github.problems.clear()
