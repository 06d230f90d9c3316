"""What Apps are told, and how."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.github import GitHub, Pull, Repository
from tests.fakes.github.examples import event_names, examples
from tests.fakes.test_github.clients import Client, Receiver


def told(github: GitHub) -> list[str]:
    """Names of what was sent, without what came of installing."""
    return [f"{delivery.event}.{delivery.action}" for delivery in github.deliveries if delivery.event != "installation"]


def last(github: GitHub, event: str) -> dict[str, Any]:
    return next(delivery.payload for delivery in reversed(github.deliveries) if delivery.event == event)


def test_delivery_is_signed_and_says_what_it_is(github: GitHub, receiver: Receiver, pull: Pull) -> None:
    github.settle()
    arrived = receiver.received[-1]
    signature = hmac.new(github.app.webhook_secret.encode(), arrived.body, hashlib.sha256).hexdigest()
    assert arrived.headers["X-Hub-Signature-256"] == f"sha256={signature}"
    assert arrived.headers["X-GitHub-Event"] == "pull_request"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", arrived.headers["X-GitHub-Delivery"])
    assert arrived.headers["X-GitHub-Hook-Installation-Target-ID"] == str(github.app.id)
    assert arrived.headers["User-Agent"].startswith("GitHub-Hookshot/")
    assert {"X-GitHub-Hook-ID", "X-Hub-Signature", "X-GitHub-Hook-Installation-Target-Type"} <= arrived.headers.keys()
    payload = json.loads(arrived.body)
    assert (payload["action"], payload["number"], payload["installation"]["id"]) == ("opened", 1, pull.repository.installation_id)
    sent = github.deliveries[-1]
    assert (sent.payload, sent.guid, sent.status_code, sent.status) == (payload, arrived.headers["X-GitHub-Delivery"], 202, "OK")


EXAMPLES = ("pull_request", "issue_comment", "pull_request_review", "pull_request_review_comment", "check_run", "check_suite", "push",
            "installation", "installation_repositories", "ping")  # fmt: skip

OF_OTHER_HOOKS = {"sender", "hook.url", "hook.ping_url"}
"""What the examples of pings have because they are of hooks of repositories, not of Apps."""


def keys(value: Any, place: str = "") -> set[str]:
    """All names in a payload, as paths; lists count as their first item."""
    if isinstance(value, list):
        return keys(value[0], place) if value else set()
    if not isinstance(value, dict):
        return set()
    return {f"{place}{name}" for name in value} | {path for name, item in value.items() for path in keys(item, f"{place}{name}.")}


def test_payloads_have_what_the_official_examples_have(github: GitHub, shop: Repository, pull: Pull, bot: Client) -> None:
    github.app.events.append("push")
    pull.push({"more.py": "x\n"})
    pull.label("seen")
    comment = pull.comment("ada", "/box review")
    pull.edit_comment(comment, "/box help")
    pull.review("grace", "APPROVED", "fine")
    pull.review_comment("ada", "cart.py", 10, "why?")
    bot.create("/check-runs", name="box-review", head_sha=pull.head_sha, conclusion="success")
    github.app.install(github.repository("acme/other", installed=False))
    github.app.ping()
    missing = {}
    for event in EXAMPLES:
        ours = set().union(*(keys(delivery.payload) for delivery in github.deliveries if delivery.event == event))
        wanted = set.intersection(*(keys(example) for example in examples(event)))
        missing[event] = {name for name in wanted - ours - OF_OTHER_HOOKS if ".permissions." not in name and not name.startswith("sender.")}
    assert not {event: names for event, names in missing.items() if names}


HAPPENINGS: dict[str, tuple[Callable[[Pull], object], list[str]]] = {
    "push": (lambda pull: pull.push({"x": "x"}), ["pull_request.synchronize"]),
    "forced push": (lambda pull: pull.push({"x": "x"}, force=True), ["pull_request.synchronize"]),
    "close": (lambda pull: (pull.close(), pull.reopen()), ["pull_request.closed", "pull_request.reopened"]),
    "merge": (lambda pull: pull.merge(), ["pull_request.closed"]),
    "draft": (lambda pull: (pull.to_draft(), pull.ready()), ["pull_request.converted_to_draft", "pull_request.ready_for_review"]),
    "edit": (lambda pull: pull.edit(title="x", body="y"), ["pull_request.edited"]),
    "retarget": (lambda pull: (pull.repository.commit("next", {}), pull.retarget("next")), ["pull_request.edited"]),
    "label": (lambda pull: (pull.label("a"), pull.label("a"), pull.unlabel("A")), ["pull_request.labeled", "pull_request.unlabeled"]),
    "comment": (lambda pull: pull.delete_comment(pull.comment("ada", "x")), ["issue_comment.created", "issue_comment.deleted"]),
    "review": (lambda pull: pull.review("grace", "APPROVED"), ["pull_request_review.submitted"]),
    "line": (
        lambda pull: pull.reply("grace", pull.review_comment("ada", "cart.py", 10, "x"), "y"),
        ["pull_request_review.submitted", "pull_request_review_comment.created"] * 2,
    ),
    "branch deleted": (lambda pull: pull.repository.delete_branch("topic"), ["pull_request.closed"]),
}


@pytest.mark.parametrize("name", HAPPENINGS)
def test_app_hears_what_happens(github: GitHub, pull: Pull, name: str) -> None:
    happen, events = HAPPENINGS[name]
    happen(pull)
    assert told(github)[1:] == events


def test_event_says_what_was_before(github: GitHub, shop: Repository, pull: Pull) -> None:
    before = pull.head_sha
    after = pull.push({"x": "x"})
    assert (last(github, "pull_request")["before"], last(github, "pull_request")["after"]) == (before, after)
    shop.commit("next", {})
    pull.retarget("next")
    assert last(github, "pull_request")["changes"]["base"]["ref"] == {"from": "main"}
    pull.edit(body="words")
    assert last(github, "pull_request")["changes"] == {"body": {"from": ""}}


def test_comment_on_a_pull_request_says_that_it_is_one(github: GitHub, pull: Pull) -> None:
    pull.comment("ada", "/box review")
    payload = last(github, "issue_comment")
    assert payload["issue"]["pull_request"]["url"].endswith("/repos/acme/shop/pulls/1")
    assert (payload["sender"]["login"], payload["sender"]["type"]) == ("ada", "User")


def test_what_the_app_writes_comes_back_to_it(github: GitHub, bot: Client, pull: Pull) -> None:
    bot.create("/issues/1/comments", body="reviewing")
    payload = last(github, "issue_comment")
    assert (payload["sender"]["login"], payload["sender"]["type"]) == ("box-review[bot]", "Bot")
    assert payload["comment"]["performed_via_github_app"]["id"] == github.app.id
    bot.create("/pulls/1/reviews", event="COMMENT", comments=[{"path": "cart.py", "line": 10, "body": "here"}])
    bot.create("/issues/1/labels", labels=["seen"])
    run = bot.create("/check-runs", name="box-review", head_sha=pull.head_sha)
    bot.patch(f"/check-runs/{run['id']}", json={"conclusion": "success"})
    assert told(github)[1:] == [
        "issue_comment.created", "pull_request_review.submitted", "pull_request_review_comment.created", "pull_request.labeled",
        "check_run.created", "check_run.completed", "check_suite.completed",
    ]  # fmt: skip


def test_only_the_app_of_a_check_run_hears_that_it_is_wanted_again(github: GitHub, bot: Client, shop: Repository, pull: Pull) -> None:
    bot.create("/check-runs", name="box-review", head_sha=pull.head_sha)
    (run,) = pull.check_runs
    pull.rerequest(run, "ada")
    payload = last(github, "check_run")
    assert (payload["action"], payload["check_run"]["id"], payload["sender"]["login"]) == ("rerequested", run.id, "ada")
    pull.rerequest_suite(run)
    assert last(github, "check_suite")["check_suite"]["head_sha"] == pull.head_sha
    pull.press(run, "fix")
    assert last(github, "check_run")["requested_action"] == {"identifier": "fix"}
    with Client(github, github.token(shop, {"checks": "write"}), "/repos/acme/shop") as workflow:
        workflow.create("/check-runs", name="tests", head_sha=pull.head_sha)
    before = len(github.deliveries)
    pull.rerequest(pull.check_runs[-1])
    assert len(github.deliveries) == before


def test_app_hears_only_what_it_asked_for_and_where_it_is_installed(github: GitHub, shop: Repository) -> None:
    other = github.repository("acme/other", installed=False)
    for repository in (shop, other):
        repository.commit("topic", {"x": "x"})
        repository.pull(user="ada", head="topic")
    assert told(github) == ["pull_request.opened"]
    github.app.events.remove("pull_request")
    shop.pulls[0].close()
    assert told(github) == ["pull_request.opened"]


def test_app_hears_where_it_is_installed(github: GitHub, shop: Repository) -> None:
    other = github.repository("acme/other")
    github.app.suspend(shop)
    shop.commit("topic", {})
    shop.pull(user="ada", head="topic")
    github.app.unsuspend(shop)
    github.app.uninstall(other)
    github.app.uninstall(shop)
    assert [f"{delivery.event}.{delivery.action}" for delivery in github.deliveries] == [
        "installation.created", "installation_repositories.added", "installation.suspend", "installation.unsuspend",
        "installation_repositories.removed", "installation.deleted",
    ]  # fmt: skip
    assert github.deliveries[1].payload["repositories_added"][0]["full_name"] == "acme/other"


def test_failed_delivery_is_not_sent_again_by_itself(github: GitHub, receiver: Receiver, app: Client, pull: Pull) -> None:
    github.settle()
    receiver.status = 500
    pull.comment("ada", "/box review")
    github.settle()
    failed = github.deliveries[-1]
    assert (failed.status_code, failed.status) == (500, "Invalid HTTP Response: 500")
    count = len(receiver.received)
    time.sleep(0.05)
    assert len(receiver.received) == count
    receiver.status = 202
    assert app.post(f"/app/hook/deliveries/{failed.id}/attempts").status_code == 202
    github.settle()
    again = github.deliveries[-1]
    assert (again.guid, again.attempt, again.status_code, again.id != failed.id) == (failed.guid, 2, 202, True)
    assert receiver.received[-1].body == receiver.received[-2].body


def test_lost_delivery_is_only_in_the_list(github: GitHub, receiver: Receiver, app: Client, shop: Repository) -> None:
    github.settle()
    github.lose_next_deliveries(1)
    shop.commit("topic", {"x": "x"})
    shop.pull(user="ada", head="topic")
    github.settle()
    assert all(arrived.headers["X-GitHub-Event"] != "pull_request" for arrived in receiver.received)
    (lost,) = app.json_of("/app/hook/deliveries", params={"status": "failure"})
    assert (lost["event"], lost["action"], lost["redelivery"], lost["repository_id"]) == ("pull_request", "opened", False, shop.id)
    whole = app.json_of(f"/app/hook/deliveries/{lost['id']}")
    assert whole["request"]["payload"]["action"] == "opened"
    assert whole["request"]["headers"]["X-GitHub-Delivery"] == lost["guid"]
    github.redeliver(lost["id"])
    github.settle()
    assert [(found["guid"], found["redelivery"]) for found in app.json_of("/app/hook/deliveries")[:2]] == [
        (lost["guid"], True),
        (lost["guid"], False),
    ]


def test_deliveries_are_listed_newest_first_by_cursor(github: GitHub, receiver: Receiver, app: Client, pull: Pull) -> None:
    for number in range(4):
        pull.comment("ada", str(number))
    github.settle()
    seen, answer = [], app.get("/app/hook/deliveries", params={"per_page": 2})
    while True:
        seen += [delivery["id"] for delivery in answer.json()]
        if "next" not in answer.links:
            break
        answer = app.get(answer.links["next"]["url"])
    assert seen == [delivery.id for delivery in reversed(github.deliveries) if delivery.status_code]
    assert app.get("/app/hook/deliveries", params={"cursor": "seven"}).status_code == 400


def test_deliveries_can_arrive_in_another_order(github: GitHub, receiver: Receiver, pull: Pull) -> None:
    github.settle()
    before = len(receiver.received)
    with github.held_deliveries() as held:
        pull.push({"x": "1"})
        pull.push({"x": "2"})
        held.reverse()
    github.settle()
    afters = [json.loads(arrived.body)["after"] for arrived in receiver.received[before:]]
    assert afters[0] == pull.head_sha != afters[1]


def test_nobody_listening_is_a_failed_delivery(github: GitHub, pull: Pull) -> None:
    github.app.webhook_url = "http://127.0.0.1:9/"
    pull.comment("ada", "x")
    github.settle()
    assert (github.deliveries[-1].status_code, github.deliveries[-1].status) == (502, "failed to connect to host")


def test_address_and_secret_can_be_changed_by_the_app(github: GitHub, app: Client) -> None:
    assert app.patch("/app/hook/config", json={"url": "https://new.example/hook", "secret": "other"}).json()["secret"] == "********"
    assert (github.app.webhook_url, github.app.webhook_secret) == ("https://new.example/hook", "other")


def test_examples_are_all_there() -> None:
    assert len(event_names()) == 58
    assert sum(len(examples(event)) for event in event_names()) == 329
    assert examples("pull_request", "synchronize")
