"""What deliveries mean: rules without I/O, tried on GitHub's own examples and on what those lack."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.errors import Refused
from bot.github.decide import Closed, ForPull, InstallationGone, Look, Nothing, Said, decide
from bot.github.events import KNOWN, read_event
from tests.fakes.github.examples import event_names, examples

APP = 7
PLACE = {
    "installation": {"id": 5},
    "repository": {"id": 9, "name": "shop", "owner": {"login": "acme"}},
    "sender": {"login": "ada", "type": "User"},
}


def meant(name: str, **body: Any) -> Any:
    """The intent of an event in a repository of ours."""
    decided = decide(name, read_event(json.dumps(PLACE | body).encode()), APP)
    return decided.intent if isinstance(decided, ForPull) else decided


@pytest.mark.parametrize("name", event_names())
def test_every_example_of_githubs_is_understood_or_left_alone(name: str) -> None:
    for payload in examples(name):
        decided = decide(name, read_event(json.dumps(payload).encode()), APP)
        if name not in KNOWN:
            assert isinstance(decided, Nothing)


def test_examples_of_pull_requests_ask_for_what_they_are() -> None:
    for action, kind in {"opened": Look, "synchronize": Look, "reopened": Look, "ready_for_review": Look, "closed": Closed}.items():
        for payload in examples("pull_request", action):
            body = json.dumps(payload | {"installation": {"id": 5}}).encode()
            decided = decide("pull_request", read_event(body), APP)
            assert isinstance(decided, ForPull), action
            assert isinstance(decided.intent, kind)
            assert decided.pull.number == payload["number"]


@pytest.mark.parametrize(
    ("action", "more", "why"),
    [
        ("opened", {}, "opened"),
        ("synchronize", {}, "pushed"),
        ("reopened", {}, "reopened"),
        ("ready_for_review", {}, "ready"),
        ("edited", {"changes": {"base": {"ref": {"from": "main"}}}}, "retargeted"),
        ("labeled", {"label": {"name": "box-review"}}, "labeled"),
    ],
)
def test_events_of_a_pull_request_that_ask_for_a_look(action: str, more: dict[str, Any], why: str) -> None:
    look = meant("pull_request", action=action, pull_request={"number": 3}, **more)
    assert (look.why, look.again) == (why, False)


@pytest.mark.parametrize("action", ["edited", "assigned", "unlabeled", "converted_to_draft", "locked", "auto_merge_enabled"])
def test_events_of_a_pull_request_that_change_nothing(action: str) -> None:
    assert isinstance(meant("pull_request", action=action, pull_request={"number": 3}, changes={"title": {}}), Nothing)


def test_comment_speaks_to_us_only_by_its_first_line() -> None:
    on_pull = {"issue": {"number": 3, "pull_request": {}}, "action": "created"}

    def said(body: str) -> Any:
        return meant("issue_comment", comment={"id": 1, "body": body, "user": {"login": "ada"}}, **on_pull)

    assert said("/box review").author == "ada"
    assert isinstance(said("\n\n  /box help\nthanks"), Said)
    for other in ("please /box review", "thanks\n/box review", "/boxes", "`/box review`", "> /box review", ""):
        assert isinstance(said(other), Nothing), other


def test_comment_in_a_thread_knows_where_it_stands() -> None:
    comment = {"id": 4, "body": "/box ask why?", "user": {"login": "ada"}, "in_reply_to_id": 2}
    said = meant("pull_request_review_comment", action="created", pull_request={"number": 3}, comment=comment)
    assert (said.on_line, said.thread_id, said.comment_id) == (True, 2, 4)


def test_programs_issues_and_edits_are_not_answered() -> None:
    comment = {"id": 1, "body": "/box review", "user": {"login": "ada"}}
    on_pull = {"issue": {"number": 3, "pull_request": {}}}
    robot = comment | {"user": {"login": "box-review[bot]", "type": "Bot"}}
    assert isinstance(meant("issue_comment", action="created", comment=robot, **on_pull), Nothing)
    assert isinstance(meant("issue_comment", action="edited", comment=comment, **on_pull), Nothing)
    assert isinstance(meant("issue_comment", action="created", comment=comment, issue={"number": 3}), Nothing)
    assert isinstance(meant("issue_comment", action="created", comment=comment | {"user": None}, **on_pull), Nothing)


def test_only_our_own_checks_are_done_again_and_those_of_forks_are_known_by_their_name() -> None:
    ours = {"app": {"id": APP}, "head_sha": "a" * 40, "external_id": f"9:12:{'a' * 40}:1", "pull_requests": []}
    decided = decide("check_run", read_event(json.dumps(PLACE | {"action": "rerequested", "check_run": ours}).encode()), APP)
    assert isinstance(decided, ForPull)
    assert (decided.pull.number, decided.intent) == (12, Look(why="rerequested", again=True))
    assert isinstance(meant("check_run", action="rerequested", check_run=ours | {"app": {"id": 8}}), Nothing)
    assert isinstance(meant("check_run", action="rerequested", check_run=ours | {"external_id": "9:x:1:1"}), Nothing)
    assert isinstance(meant("check_run", action="completed", check_run=ours), Nothing)


def test_removed_installation_is_told_apart() -> None:
    assert meant("installation", action="deleted") == InstallationGone(5)
    assert meant("installation", action="suspend") == InstallationGone(5)
    assert isinstance(meant("installation", action="created"), Nothing)


@pytest.mark.parametrize(
    "missing", [{"installation": None}, {"repository": None}, {"repository": {"id": 9, "name": "a/../b", "owner": {"login": "acme"}}}]
)
def test_delivery_that_names_no_place_of_ours_is_nothing(missing: dict[str, Any]) -> None:
    assert isinstance(meant("pull_request", action="opened", pull_request={"number": 3}, **missing), Nothing)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"pull_request": 3}', b'{"repository": {"id": "x"}}', b"\xff"])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        read_event(body)
