"""`/box compare` with a real bot, worker, runner and boxes: a model that finds a planted bug, one that does not, and some that fail."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.conftest import short_folder
from tests.fakes.github import Comment, Fault, GitHub, Pull
from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step, answer
from tests.flow.github.conftest import Installed, reviewed, settings, wait_for
from tests.flow.github.test_agents import agreeing, finds_nothing
from tests.flow.github.test_kills import kill
from tests.flow.test_agents import TEST, claim
from tests.repositories import MISPRICED, PRICED
from tests.server import Server

LONG_S = 90.0
HOSTILE = "<!-- box-review:sticky --> @ada ![x](http://x.example/y) \u202e| </details> |"
PRICES = '["scripted"]\ninput = 1.0\noutput = 1.0\n["sharp"]\ninput = 10.0\noutput = 50.0\n["blunt"]\ninput = 1.0\noutput = 2.0\n'
GO_ON = threading.Event()
"""Until then, `waiting` says nothing."""
REFUSED = {
    "broken": Step(status=400, text=f"no such model {HOSTILE}"),
    "unheard-of": Step(status=404, text="there is no model unheard-of"),
}


def by_model(asked: Asked) -> Step:
    """`blunt` finds nothing, `broken` answers nobody, `hostile` writes what is to be more than words; the others find the bug."""
    if "You are the jury" in asked.said:
        return agreeing(asked)
    if asked.model in REFUSED:
        return REFUSED[asked.model]
    if asked.model == "blunt":
        return finds_nothing(asked)
    if asked.model == "slow":
        return replace(agreeing(asked), delay_s=1.0)
    if asked.model.startswith("waiting"):
        GO_ON.wait(LONG_S)
    if asked.model == "hostile" and asked.turn:
        bad = claim(HOSTILE, TEST, why=HOSTILE, scenario=HOSTILE)
        return answer({"findings": [bad], "evidence": [], "not_covered": [HOSTILE]})
    return agreeing(asked)


pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer(by_model) as server:
        yield server


@pytest.fixture(scope="module")
def installed(models: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    prices = tmp_path_factory.mktemp("prices") / "prices.toml"
    prices.write_text(PRICES)
    known = {"BOX_MODEL": "openai/scripted", "BOX_PRICES": str(prices), "BOX_LEASE_S": "3", "BOX_STANDBY": "0"}
    known["BOX_RUNNER_JOBS"] = "4"  # room for the three reviewers of one model at a time
    for folder in short_folder():
        with GitHub(tmp_path_factory.mktemp("github")) as github:
            github.user("ada")
            github.user("mallory")
            github.organization("acme")
            with Server(folder / "data", **settings(github), **models.environment, **known) as server:
                github.app.webhook_url = f"{server.url}/api/github/webhooks"
                yield Installed(github, server)
                assert not github.problems


@pytest.fixture(scope="module")
def pull(installed: Installed) -> Pull:
    """One that forgets the first price, reviewed."""
    shop = installed.repository(**{"cart.py": PRICED})
    shop.commit("topic", {"cart.py": MISPRICED}, start="main")
    made = shop.pull(user="ada", head="topic", title="Faster totals")
    reviewed(made)
    return made


def published(pull: Pull) -> tuple[object, ...]:
    """What a review leaves at GitHub."""
    runs = [(run.status, run.conclusion, run.title, len(run.annotations)) for run in pull.check_runs]
    sticky = [one.body for one in pull.comments if one.body.startswith("<!-- box-review:sticky -->")]
    return runs, sticky, len(pull.reviews), len(pull.review_comments), list(pull.labels)


def found(pull: Pull, kind: str, said: Comment) -> list[str]:
    """Our comments of one kind that belong to somebody's comment."""
    return [one.body for one in pull.comments if one.body.startswith(f"<!-- box-review:{kind}:{said.id} -->")]


def compared(pull: Pull, said: Comment) -> str:
    """The comparison, once it is there; once."""
    wait_for(lambda: found(pull, "comparison", said), "the comparison", LONG_S)
    (text,) = found(pull, "comparison", said)
    return text


def rows(text: str) -> dict[str, list[str]]:
    """The table."""
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {name: values for name, *values in cells}


def test_two_models_are_compared_and_nothing_else_is_published(pull: Pull, installed: Installed) -> None:
    before = published(pull)
    said = pull.comment("ada", "/box compare openai/sharp openai/blunt")
    text = compared(pull, said)
    table = rows(text)
    assert table["findings"] == ["2", "0"]
    assert table["critical"] == ["1", "0"]
    assert table["claims proven by running"] == ["1", "0"]
    assert table["claims refuted by running"] == ["1", "0"]
    assert table["found by this model only"] == ["2", "0"]
    assert table["of these proven"] == ["1", "0"]
    assert table["found by all"] == ["0", "0"]
    assert all(re.fullmatch(r"0\.\d+ USD", cell) and cell != "0.00 USD" for cell in table["cost"])
    assert all("tokens in" in cell for cell in table["tokens"])
    assert all(cell.endswith(" s") for cell in table["wall time"])
    assert (
        "`cart.py:2` The first price is left out: `openai/sharp` (critical, proven by running it (exit 0 at base, exit 1 at head))" in text
    )
    assert "These models cannot be told apart by what they found here" in text
    assert "The jury of each was `openai/scripted`." in text
    (told,) = found(pull, "reply", said)
    assert f"2 reviews of `{pull.head_sha[:10]}` run in the shadow" in told
    installed.github.settle()
    assert published(pull) == before


def test_who_is_asked_afterwards_is_the_reviewer_of_the_review(pull: Pull, models: ModelServer) -> None:
    asked = pull.comment("ada", "/box ask And why?")
    wait_for(lambda: found(pull, "reply", asked), "the answer")
    assert models.asked[-1].model == "scripted"
    said = pull.comment("ada", "/box status")
    wait_for(lambda: found(pull, "reply", said), "the status")
    assert "is reviewed (`rv-" in found(pull, "reply", said)[0]
    assert "under way" not in found(pull, "reply", said)[0]


def test_model_that_fails_costs_the_others_nothing(pull: Pull) -> None:
    """Also one whose price is not known, and one that its provider does not know."""
    text = compared(pull, pull.comment("ada", "/box compare openai/sharp openai/broken openai/unpriced anthropic/unheard-of"))
    table = rows(text)
    assert table["verdict"][1].endswith("(review failed)")
    assert table["verdict"][3].endswith("(review failed)")
    assert [table["findings"][at] for at in (0, 1, 2, 3)] == ["2", "-", "2", "-"]
    assert table["found by all"] == ["2", "-", "2", "-"]
    assert table["cost"][1:] == ["unknown", "unknown", "unknown"]
    assert "`openai/broken`: security failed, quality failed, architecture failed: " in text
    assert "there is no model unheard-of" in text
    assert "Those with a verdict found the same 2 problems: this pull request tells no difference" in text


def test_hostile_words_of_a_model_are_words(pull: Pull, installed: Installed) -> None:
    """Threat: a finding that is to be a mark of ours, a mention, a link, or the end of a table."""
    before = published(pull)
    text = compared(pull, pull.comment("ada", "/box compare openai/hostile openai/broken --role quality"))
    assert "\u202e" not in text
    assert all(line.count("|") == 4 for line in text.splitlines() if line.startswith("| "))
    assert text.count("<!--") == 1
    assert "![x](" not in text.replace("`![x](http://x.example/y)`", "")
    assert rows(text)["claims proven by running"][0] == "1"
    installed.github.settle()
    assert published(pull) == before


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ("/box compare openai/a openai/b openai/c openai/d openai/e", "takes 2 to 4 models"),
        ("/box compare openai/a openai/a", "is named twice"),
        ("/box compare openai/a", "takes 2 to 4 models"),
        ("/box compare openai/a |b|", "cannot be a model"),
    ],
    ids=["five", "twice", "one", "no name"],
)
def test_what_cannot_be_compared_is_answered(pull: Pull, body: str, right: str) -> None:
    said = pull.comment("ada", body)
    wait_for(lambda: found(pull, "reply", said), "the answer")
    assert right in found(pull, "reply", said)[0]
    assert found(pull, "comparison", said) == []


def test_unknown_harness_and_role_are_told_by_the_host(pull: Pull) -> None:
    text = compared(pull, pull.comment("ada", "/box compare openai/sharp openai/blunt --harness cursor"))
    assert text.count("no runner host has the harness 'cursor'") == 2
    text = compared(pull, pull.comment("ada", "/box compare openai/sharp openai/blunt --role taste"))
    assert text.count("no runner host knows the role 'taste'") == 2


def test_stranger_compares_nothing(pull: Pull, models: ModelServer, installed: Installed) -> None:
    before = len(models.asked)
    said = pull.comment("mallory", "/box compare openai/sharp openai/blunt")
    wait_for(lambda: [one.content for one in said.reactions] == ["confused"], "the sign")
    installed.github.settle()
    assert (found(pull, "reply", said), found(pull, "comparison", said)) == ([], [])
    assert len(models.asked) == before


def test_cancel_ends_a_comparison(pull: Pull, models: ModelServer) -> None:
    said = pull.comment("ada", "/box compare openai/waiting openai/waiting-too")
    try:
        wait_for(lambda: any(asked.model == "waiting" for asked in models.asked), "the first model", LONG_S)
        pull.comment("ada", "/box cancel")
        text = compared(pull, said)
    finally:
        GO_ON.set()
    assert text.count("Cancelled by ada.") == 2
    assert not any(asked.model == "waiting-too" for asked in models.asked)


def strike(installed: Installed, pull: Pull, said: Comment, times: int, pause_s: float) -> None:
    """Kill the App's worker again and again while a comparison runs."""
    for _ in range(times):
        time.sleep(pause_s)
        if found(pull, "comparison", said):
            return
        kill(installed.server, "github")


@pytest.mark.parametrize(("times", "pause_s"), [(1, 0.0), (3, 0.7)], ids=["at once", "again and again"])
def test_comparison_is_told_once_whenever_the_worker_dies(pull: Pull, installed: Installed, times: int, pause_s: float) -> None:
    installed.github.faults.add("POST", rf"/{pull.repository.full_name}/issues/1/comments$", Fault.CUT_AFTER_WRITE)
    before = published(pull)
    said = pull.comment("ada", "/box compare openai/slow openai/blunt --role quality")
    strike(installed, pull, said, times, pause_s)
    assert rows(compared(pull, said))["found by this model only"] == ["2", "0"]
    installed.github.settle()
    deliveries = [one for one in installed.github.deliveries if one.event == "issue_comment" and one.payload["comment"]["id"] == said.id]
    installed.github.redeliver(deliveries[0].id)
    installed.github.settle()
    last = pull.comment("ada", "/box status")
    wait_for(lambda: found(pull, "reply", last), "the status", LONG_S)
    assert "under way" not in found(pull, "reply", last)[0]
    assert (len(found(pull, "reply", said)), len(found(pull, "comparison", said))) == (1, 1)
    assert published(pull) == before


def test_worker_that_dies_between_the_comment_and_its_note_makes_no_second(pull: Pull, installed: Installed) -> None:
    """GitHub takes its time with the comment; meanwhile its author is killed."""
    said = pull.comment("ada", "/box compare openai/sharp openai/blunt --role quality")
    wait_for(lambda: found(pull, "reply", said), "the answer")
    installed.github.faults.add("POST", rf"/{pull.repository.full_name}/issues/1/comments$", Fault.slow(1.0))
    wait_for(lambda: any("box-review:comparison" in str(one.body) for one in installed.github.faults.met), "the slow comment", LONG_S)
    kill(installed.server, "github")
    compared(pull, said)
    last = pull.comment("ada", "/box status")
    wait_for(lambda: found(pull, "reply", last), "the status", LONG_S)
    installed.github.settle()
    assert len(found(pull, "comparison", said)) == 1
