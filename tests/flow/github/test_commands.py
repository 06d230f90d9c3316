"""`/box …` in comments, from the delivery to the answer, on a server without a model."""

from __future__ import annotations

import pytest

from tests.fakes.github import Comment, Fault, Pull
from tests.flow.github.conftest import Installed, reviewed, wait_for
from tests.repositories import BAD

CONFIG = ".github/box-review.yml"


def answered(pull: Pull, said: Comment) -> str:
    """What we say to a comment, once we have said it; once."""
    mark = f"<!-- box-review:reply:{said.id} -->"
    wait_for(lambda: any(mark in one.body for one in pull.comments), "the answer")
    (answer,) = [one.body for one in pull.comments if mark in one.body]
    return answer.removeprefix(f"{mark}\n")


@pytest.fixture
def pull(installed: Installed) -> Pull:
    """One that was reviewed."""
    made = installed.opened(installed.repository())
    reviewed(made)
    return made


def test_help_is_given_once_also_to_a_redelivered_comment(installed: Installed, pull: Pull) -> None:
    said = pull.comment("ada", "/box help")
    assert answered(pull, said).startswith("@ada | say in the first line")
    assert [one.content for one in said.reactions] == ["eyes"]
    installed.github.settle()
    again = next(one for one in installed.github.deliveries if one.event == "issue_comment" and one.payload["comment"]["id"] == said.id)
    installed.github.redeliver(again.id)
    installed.github.settle()
    answered(pull, pull.comment("ada", "/box status"))
    answered(pull, said)


def test_mistake_is_answered_with_what_would_be_right(pull: Pull) -> None:
    assert "is `review` meant?" in answered(pull, pull.comment("ada", "/box reveiw"))


def test_status_says_how_far_it_is(pull: Pull) -> None:
    assert f"`{pull.head_sha[:10]}` is reviewed (`rv-" in answered(pull, pull.comment("ada", "/box status"))


def test_review_is_not_repeated_unless_forced_or_otherwise(pull: Pull) -> None:
    assert "/box review --force" in answered(pull, pull.comment("ada", "/box review"))
    assert len(pull.check_runs) == 1
    pull.comment("ada", "/box review --force")
    reviewed(pull, 2)
    pull.comment("ada", "/box review security")
    reviewed(pull, 3)
    (sticky,) = [one for one in pull.comments if "box-review:sticky" in one.body]
    assert "\nsecurity · " in sticky.body


def test_review_of_what_nobody_is_is_refused_in_the_check(pull: Pull) -> None:
    pull.comment("ada", "/box review --harness nothing")
    reviewed(pull, 2)
    assert pull.check_runs[-1].conclusion == "action_required"
    assert "no runner host has the harness" in (pull.check_runs[-1].summary or "")


def test_cancel_stops_the_review_that_runs(installed: Installed) -> None:
    installed.github.faults.add("GET", r"/compare/", Fault.slow(2.0))
    pull = installed.opened(installed.repository())
    wait_for(lambda: pull.check_runs, "the check")
    pull.comment("ada", "/box cancel")
    reviewed(pull)
    assert pull.check_runs[0].conclusion == "cancelled"
    assert "Cancelled by ada." in next(one.body for one in pull.comments if "sticky" in one.body)
    assert "No review is under way." in answered(pull, pull.comment("ada", "/box cancel"))
    pull.comment("ada", "/box review")
    reviewed(pull, 2)
    assert pull.check_runs[-1].conclusion == "failure"


def test_ignored_finding_is_told_no_more_and_fails_no_check(pull: Pull) -> None:
    ident = next(one.body for one in pull.review_comments if "**High" in one.body).partition("box-review:finding:")[2].split(" ")[0]
    answered(pull, pull.comment("ada", f"/box ignore {ident} we own both ends"))
    (sticky,) = [one for one in pull.comments if "box-review:sticky" in one.body]
    wait_for(lambda: pull.check_runs[0].conclusion == "neutral", "the check without it")
    assert "1 finding ignored on request." in sticky.body
    assert "ignored by ada: we own both ends" in sticky.body
    assert (pull.check_runs[0].title or "").startswith("1 finding: 1 medium")
    pull.push({"other.py": BAD})
    reviewed(pull)
    assert ident not in "".join(one.body for one in pull.review_comments if one.commit_id == pull.head_sha)
    assert "has no finding `F-00000000`" in answered(pull, pull.comment("ada", "/box ignore F-00000000"))


def test_resume_says_how_to_get_into_the_boxes(pull: Pull) -> None:
    said = answered(pull, pull.comment("ada", "/box resume security"))
    assert "export BOX_REVIEW_URL=https://review.example.com" in said
    assert "box-review resume rv-" in said
    assert "security" in said
    assert "No box of `taste` is kept; there is security" in answered(pull, pull.comment("ada", "/box resume taste"))


def test_analyzers_cannot_be_asked(pull: Pull) -> None:
    assert "by analyzers alone" in answered(pull, pull.comment("ada", "/box ask Why?"))


def test_stranger_commands_nothing_and_gets_a_sign_instead_of_words(installed: Installed, pull: Pull) -> None:
    for body in ("/box review --force", "/box cancel", "/box nonsense"):
        said = pull.comment("mallory", body)
        wait_for(lambda said=said: [one.content for one in said.reactions] == ["confused"], "the sign")
    installed.github.settle()
    assert len(pull.check_runs) == 1
    assert [one for one in pull.comments if "box-review:reply" in one.body] == []


def test_repository_may_let_others_command(installed: Installed) -> None:
    shop = installed.repository(**{CONFIG: "github:\n  commands_from: triage\n"})
    shop.member("mallory", "triage")
    pull = installed.opened(shop)
    reviewed(pull)
    pull.comment("mallory", "/box review --force")
    reviewed(pull, 2)


def test_words_of_a_comment_become_nothing_else(pull: Pull) -> None:
    """Threat: a comment whose words are to run, to mention or to end our marks."""
    said = answered(pull, pull.comment("ada", "/box `@mallory <!-- box-review:sticky -->` $(id) ![x](http://x.example/y)"))
    assert "there is no command" in said.lower()
    assert "@mallory" not in said.replace("`@mallory", "")
    assert said.count("box-review:sticky") == 0
