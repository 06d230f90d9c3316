"""Pull requests reviewed by agents: what is proven is said at its line, a push is held against it, and a reviewer answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import short_folder
from tests.fakes.github import GitHub, Pull, ReviewComment
from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step, answer
from tests.flow.github.conftest import Installed, reviewed, settings, wait_for
from tests.flow.test_agents import by_role
from tests.repositories import MISPRICED, PRICED
from tests.server import Server


def agreeing(asked: Asked) -> Step:
    """Reviewers that find one thing, and a jury that drops nothing."""
    if "You are the jury" in asked.said and asked.turn:
        return answer({"votes": [], "summary": "The total is wrong."})
    return by_role(asked)


def finds_nothing(asked: Asked) -> Step:
    """Reviewers that report nothing, and a jury that votes on nothing."""
    if "You are the jury" in asked.said:
        return answer({"votes": [], "summary": "Nothing new."})
    return answer({"findings": [], "evidence": [], "not_covered": []})


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer(agreeing) as server:
        yield server


@pytest.fixture(scope="module")
def installed(models: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    for folder in short_folder():
        with GitHub(tmp_path_factory.mktemp("github")) as github:
            github.user("ada")
            github.organization("acme")
            with Server(folder / "data", **settings(github), **models.environment, BOX_MODEL="openai/scripted") as server:
                github.app.webhook_url = f"{server.url}/api/github/webhooks"
                yield Installed(github, server)
                assert not github.problems


@pytest.fixture(scope="module")
def pull(installed: Installed) -> Pull:
    """One that forgets the first price, reviewed."""
    shop = installed.repository(**{"cart.py": PRICED, "AGENTS.md": "Prices are integers.\n"})
    shop.commit("topic", {"cart.py": MISPRICED}, start="main")
    made = shop.pull(user="ada", head="topic", title="Faster totals")
    reviewed(made)
    return made


def at_line(pull: Pull) -> ReviewComment:
    """Our comment at the line of the critical finding."""
    return next(one for one in pull.review_comments if "**Critical" in one.body)


def test_proven_finding_is_said_at_its_line(pull: Pull) -> None:
    assert (pull.check_runs[0].conclusion, pull.check_runs[0].title) == ("failure", "2 findings: 1 critical, 1 high · failure")
    line = at_line(pull)
    assert (line.path, line.line) == ("cart.py", 2)
    assert "proven by running it (exit 0 at base, exit 1 at head)" in line.body
    (sticky,) = pull.comments
    assert "The total is wrong." in sticky.body
    assert "openai/scripted" in sticky.body
    assert "USD" in sticky.body


def test_guidance_of_the_base_reaches_the_reviewers(pull: Pull, models: ModelServer) -> None:
    assert any("Prices are integers." in asked.said for asked in models.asked)


def test_reviewer_answers_in_the_thread_of_its_finding(pull: Pull, models: ModelServer) -> None:
    line = at_line(pull)
    asked = pull.reply("ada", line, "/box ask And why?")
    mark = f"<!-- box-review:reply:{asked.id} -->"
    wait_for(lambda: any(mark in one.body for one in pull.review_comments), "the answer")
    (answer,) = [one for one in pull.review_comments if mark in one.body]
    assert answer.in_reply_to is line
    assert answer.body.endswith("**quality**: Because the slice begins at one.")
    assert "The first price is left out" in models.asked[-1].said  # it knows what it has said
    assert "About your finding F-" in models.asked[-1].said


def test_push_that_mends_it_is_held_against_the_old_reproducer(pull: Pull) -> None:
    line = at_line(pull)
    pull.push({"cart.py": "def total(prices):\n    return sum(list(prices))\n"})
    reviewed(pull)
    (sticky,) = [one for one in pull.comments if "box-review:sticky" in one.body]
    assert "**fixed**: 1" in sticky.body
    answers = [one.body for one in pull.review_comments if one.in_reply_to is line and "box-review:fixed" in one.body]
    assert len(answers) == 1
    assert "its reproducer, which showed it before, does not any more (exit 0 at head)" in answers[0]


def test_push_that_mends_nothing_keeps_what_was_proven(installed: Installed, models: ModelServer) -> None:
    """Also where no reviewer says it again: the reproducer speaks for itself."""
    shop = installed.repository(**{"cart.py": PRICED})
    shop.commit("topic", {"cart.py": MISPRICED}, start="main")
    pull = shop.pull(user="ada", head="topic")
    reviewed(pull)
    models.script = finds_nothing
    pull.push({"cart.py": f"# totals\n\n{MISPRICED}"})
    reviewed(pull)
    (sticky,) = pull.comments
    assert "**still there**: 1" in sticky.body
    assert pull.check_runs[-1].conclusion == "failure"
    assert {one.line for one in pull.review_comments if one.commit_id == pull.head_sha} == {4}
