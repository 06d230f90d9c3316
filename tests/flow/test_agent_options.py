"""What the command line and the host's settings tell agents, as the model's provider sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from box_review import ReviewRecord
from upstash_box import Box, BoxError

from tests.conftest import short_folder
from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step, Tool
from tests.flow.test_agents import LOOK, by_role
from tests.server import Ended, Server, box_review

PRICES = "".join(f'["{name}"]\ninput = 10.0\noutput = 50.0\n' for name in ("scripted", "judge", "tired", "spare"))
CALL_USD = (100 * 10 + 20 * 50) / 1_000_000
HOST_USD = 40 * CALL_USD


def script(asked: Asked) -> Step:
    return Step(status=529) if asked.model == "tired" else by_role(asked)


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


@pytest.fixture(scope="module")
def served(models: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    prices = tmp_path_factory.mktemp("prices") / "prices.toml"
    prices.write_text(PRICES)
    where = {"BOX_MODEL": "openai/scripted", "BOX_PRICES": str(prices), "BOX_BUDGET_USD": str(HOST_USD)}
    for folder in short_folder():
        with Server(folder / "data", **models.environment, **where) as server:
            yield server


def command(served: Server, *words: str | Path) -> Ended:
    return box_review(*words, BOX_REVIEW_URL=served.url, BOX_REVIEW_API_KEY=served.address.api_key)


def review(served: Server, shop: Path, *options: str) -> ReviewRecord:
    done = command(served, "review", shop, "--role", "quality", "--format", "json", "-q", *options)
    assert done.out, done.err
    return ReviewRecord.model_validate_json(done.out)


def test_command_line_says_who_reviews_and_judges_and_what_they_are_told(served: Server, models: ModelServer, shop: Path) -> None:
    before = len(models.asked)
    words = ("--harness", "builtin", "--model", "openai/scripted", "--jury", "builtin:openai/judge", "--instructions", "Mind the cents.")
    record = review(served, shop, *words)
    assert record.status == "completed", record.model_dump_json(indent=1)
    assert record.roles[0].model == "openai/scripted"
    assert record.jury is not None
    assert record.jury.model == "openai/judge"
    asked = models.asked[before:]
    assert {one.model for one in asked} == {"scripted", "judge"}
    assert all("Mind the cents." in one.said for one in asked if one.tools)


def test_fallback_of_the_command_line_answers_for_an_overloaded_model(served: Server, models: ModelServer, shop: Path) -> None:
    before = len(models.asked)
    record = review(served, shop, "--model", "openai/tired", "--fallback-model", "openai/spare", "--jury", "static")
    assert record.status == "completed", record.model_dump_json(indent=1)
    assert {one.model for one in models.asked[before:]} == {"tired", "spare"}


def test_budget_of_the_command_line_bounds_the_review(served: Server, shop: Path) -> None:
    record = review(served, shop, "--budget", str(CALL_USD))
    assert record.usage.cost_usd <= 2 * CALL_USD
    assert record.status != "completed"
    assert any("The budget of" in sentence for sentence in record.not_covered)


def test_host_bounds_what_a_review_asks_for_and_what_it_does_not(served: Server, models: ModelServer, shop: Path) -> None:
    """BOX_BUDGET_USD holds whatever the request says."""

    def endless(asked: Asked) -> Step:
        return Step(text="More.", tools=(Tool(LOOK, {"command": "true"}),)) if asked.tools else Step(text="ok")

    before, models.script = models.script, endless
    try:
        for options in ((), ("--budget", "5")):
            record = review(served, shop, *options)
            assert record.usage.cost_usd <= HOST_USD + CALL_USD
            assert record.status == "failed"
    finally:
        models.script = before


def test_events_of_an_answer_are_json_for_programs(served: Server, shop: Path) -> None:
    record = review(served, shop)
    told = command(served, "ask", record.review_id, "And why?", "--json")
    events = [json.loads(line) for line in told.out.splitlines()]
    assert events[-1]["kind"] == "done", told.err
    assert events[-1]["output"] == "Because the slice begins at one."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--budget", "0"), "0"),
        (("--budget", "much"), "'much' is not a valid float"),
        (("--model", "openai/"), "openai/"),
        (("--jury", "judge"), "no runner host has the harness 'judge'"),
    ],
    ids=["no budget", "no number", "no name", "no harness"],
)
def test_wrong_option_is_told(options: tuple[str, ...], said: str, served: Server, shop: Path) -> None:
    told = command(served, "review", shop, *options)
    assert told.code in (2, 3), told
    assert said in told.err
    assert "Traceback" not in told.err


def test_key_of_ones_own_is_refused_and_a_run_may_have_a_bound(served: Server) -> None:
    where = {"base_url": served.url, "api_key": served.address.api_key}
    agent = {"harness": "builtin", "model": "openai/scripted"}
    with pytest.raises(BoxError, match="asks models with its own keys"):
        Box.create(agent=agent | {"api_key": "sk-mine"}, **where)
    box = Box.create(agent=agent, **where)
    try:
        with pytest.raises(BoxError, match="budget"):
            box.agent.run(prompt="Review.", options={"maxBudgetUsd": CALL_USD / 10})
    finally:
        box.delete()


def test_role_that_the_operator_added_reviews_in_his_words(models: ModelServer, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "money.md").write_text("Look for money that is lost; you work for quality too.\n")
    where = {"BOX_MODEL": "openai/scripted", "BOX_ROLES_DIR": str(tmp_path)}
    before = len(models.asked)
    for folder in short_folder():
        with Server(folder / "data", **models.environment, **where) as server:
            done = command(server, "review", shop, "--role", "money", "--format", "json", "-q")
            refused = command(server, "review", shop, "--role", "money", "--harness", "static", "-q", "--format", "json")
    record = ReviewRecord.model_validate_json(done.out)
    assert (record.status, record.roles[0].role) == ("completed", "money"), done.err
    assert any("Look for money that is lost" in asked.said for asked in models.asked[before:])
    assert "no analyzer speaks for the role 'money'" in refused.out + refused.err
