"""GitHub for boxes: pull requests and issues with a token that never enters the box; skills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from upstash_box import Box, BoxError

from tests.flow.box_api.recorder import Asked, Recorder

TOKEN = "ghp_0123456789secret"


@pytest.fixture
def work(account: None, outside: Recorder) -> Iterator[Box]:
    """A box with a token and a checkout whose origin is at GitHub."""
    outside.asked.clear()
    outside.answers = {
        "/github/repos/o/r/pulls": _pulls,
        "/github/repos/o/r/issues": _issue,
        "/github/repos/o/r": lambda _: (200, {"default_branch": "main"}),
    }
    with Box.create(git={"token": TOKEN}) as made:
        made.exec.command("git init -q -b topic work && cd work && git -c user.name=a -c user.email=b commit -q --allow-empty -m x")
        made.cd("work")
        made.git.exec(args=["remote", "add", "origin", "https://localhost/o/r.git"])
        yield made
        made.delete()
    outside.answers = {}


def _pulls(asked: Asked) -> tuple[int, Any]:
    there = {"html_url": "https://github.example/o/r/pull/7", "number": 7, "title": "known"}
    if asked.method == "GET":
        return 200, [there]
    if asked.json["title"] == "again":
        return 422, {"message": "Validation Failed", "errors": [{"message": "A pull request already exists for o:topic."}]}
    return 201, there | {"number": 8, "title": asked.json["title"]}


def _issue(asked: Asked) -> tuple[int, Any]:
    return 201, {"html_url": "https://github.example/o/r/issues/9", "number": 9, "title": asked.json["title"]}


def test_pull_request_is_opened_from_the_checked_out_branch(work: Box, outside: Recorder) -> None:
    made = work.git.create_pr(title="New", body="text")
    assert (made.number, made.title, made.base) == (8, "New", "main")
    asked = outside.on("/github/repos/o/r/pulls")[0]
    assert asked.json == {"title": "New", "body": "text", "head": "topic", "base": "main"}
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    again = work.git.create_pr(title="again", base="main")
    assert again.number == 7
    assert "already" in (again.warning or "")


def test_issue_is_opened_and_says_what_was_not_attached(work: Box) -> None:
    made = work.git.create_issue(title="Broken", attach=["/workspace/home/a.png"])
    assert made.number == 9
    assert "not attached" in (made.warning or "")


def test_github_token_is_nowhere_in_the_box(work: Box) -> None:
    found = work.exec.command("env; cat /proc/*/environ 2>/dev/null; grep -rs ghp_ /workspace /tmp /home /etc /run /var 2>/dev/null; true")
    assert TOKEN not in found.result
    assert TOKEN not in str(Box.get(work.id).__dict__)


def test_pull_request_needs_a_token_and_a_repository_at_github(box: Box, work: Box, outside: Recorder) -> None:
    box.exec.command("git init -q -b topic . && git -c user.name=a -c user.email=b commit -q --allow-empty -m x")
    with pytest.raises(BoxError, match="github_token"):
        box.git.create_pr(title="x")
    for origin in ("https://evil.example/o/r", "https://localhost@evil.example/o/r", "/workspace/home", "https://localhost/o/r/../../x"):
        work.git.exec(args=["remote", "set-url", "origin", origin])
        with pytest.raises(BoxError, match="no repository at"):
            work.git.create_pr(title="x")
    assert outside.on("/github") == []


def test_refusal_of_github_is_told_in_its_words(work: Box, outside: Recorder) -> None:
    outside.answers["/github/repos/o/r/issues"] = lambda _: (410, {"message": "Issues are disabled for this repo"})
    with pytest.raises(BoxError, match=r"410.*Issues are disabled"):
        work.git.create_issue(title="x")


def test_skill_is_fetched_by_the_box_and_removed(box: Box) -> None:
    made = "git init -q -b main up && cd up && mkdir -p skills/write skills/read && echo w > skills/write/SKILL.md"
    box.exec.command(f"{made} && echo r > skills/read/SKILL.md && git add . && git -c user.name=a -c user.email=b commit -q -m x")
    box.exec.command('git config --global url."file:///workspace/home/up".insteadOf https://localhost/o/r')
    box.skills.add("o/r/write")
    assert box.skills.list() == ["o/r/write"]
    assert box.exec.command("cat .claude/skills/write/SKILL.md").result == "w\n"
    with pytest.raises(BoxError, match="no folder"):
        box.skills.add("o/r/missing")
    with pytest.raises(BoxError, match="could not be fetched"):
        box.skills.add("o/other/write")
    box.skills.remove("o/r/write")
    assert box.skills.list() == []
    assert box.exec.command("ls .claude/skills").result == ""
    for wrong in ("o", "../../x", "o/r/../x", "o/r/-x"):
        with pytest.raises(BoxError):
            box.skills.add(wrong)
