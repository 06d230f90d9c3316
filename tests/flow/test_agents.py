"""Reviews by agents: the whole way from a repository to a record, with models that say what a script tells them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from box_review import RequestRejected, ReviewRecord
from box_review.client import Client, Options
from box_review.review import Reviewer
from upstash_box import Box, BoxError

from tests.conftest import short_folder
from tests.fakes.models import ModelServer
from tests.fakes.programs import programs
from tests.fakes.script import Asked, Script, Step, Tool, answer
from tests.repositories import MISPRICED
from tests.sandbox.drivers import DRIVERS
from tests.server import Server, box_review

TEST = "python3 -B -c 'import cart; assert cart.total([1, 2]) == 3'"
FALSE = "python3 -B -c 'import cart; assert cart.total([]) == 0'"
SEARCH = "env; cat /proc/*/environ 2>/dev/null; grep -rl sk-the-real ~ /tmp"
LOOK = ("Bash", "exec_command", "bash", "run")
MODELS = {"builtin": "openai/scripted", "claude-code": "anthropic/scripted", "codex": "responses/scripted", "opencode": "openai/scripted"}


def claim(title: str, script: str | None, **more: object) -> dict[str, object]:
    reproducer = None if script is None else {"kind": "regression", "script": script, "expects": "the sum of all prices"}
    place = {"path": "cart.py", "start_line": 2, "end_line": 2}
    words = {"title": title, "why": "The slice leaves out the first price.", "scenario": "total([1, 2]) gives 2.", "suggestion": None}
    return {**place, "severity": "critical", "confidence": 0.9, "topic": "off-by-one", "reproducer": reproducer, **words, **more}


CLAIMS = [
    claim("The first price is left out", TEST),
    claim("An empty cart fails", FALSE, start_line=1, end_line=1, topic="empty"),
    claim("It is slow", None, topic="slow"),
    claim("A line that is not there", TEST, start_line=99, end_line=99, topic="nowhere"),
    claim("Says not how it fails", None, scenario=" ", topic="vague"),
]


def by_role(asked: Asked) -> Step:
    """Reads a file first, then answers by what it is asked to be."""
    if not asked.tools:
        return Step(text="ok")
    if "And why?" in asked.said:
        return Step(text="Because the slice begins at one.")
    if asked.turn == 0:
        arguments = {"cmd" if "exec_command" in asked.tools else "command": "cat cart.py"}
        return Step(text="I look.", tools=(Tool(LOOK, arguments | ({"description": "read"} if "bash" in asked.tools else {})),))
    if "You are the jury" in asked.said:
        return answer({"votes": against_all(asked), "summary": "The total is wrong."})
    return answer({"findings": CLAIMS if "for quality" in asked.said else [], "evidence": [], "not_covered": ["Nothing else."]})


def against_all(asked: Asked) -> list[dict[str, object]]:
    """What is proven stays all the same."""
    ids = sorted(set(re.findall(r"F-[0-9a-f]{8}", asked.said)))
    return [{"id": ident, "vote": "drop", "severity": None, "into": None, "reason": "I do not like it."} for ident in ids]


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer(by_role) as server:
        yield server


@pytest.fixture(scope="module")
def served(models: ModelServer) -> Iterator[Server]:
    for folder in short_folder():
        with Server(folder / "data", **models.environment, BOX_MODEL="openai/scripted") as server:
            yield server


@pytest.fixture(scope="module")
def record(served: Server, shop: Path) -> ReviewRecord:
    with Client(served.address) as client:
        return client.review(shop)


def check(record: ReviewRecord, harness: str) -> None:
    """The one finding that was proven is there, and every other claim is dropped with a reason."""
    assert record.status == "completed", record.model_dump_json(indent=1)
    assert {report.harness for report in record.roles} == {harness}
    [proven] = record.findings
    assert (proven.title, proven.proof.state, proven.severity) == ("The first price is left out", "proven", "critical")
    assert (proven.proof.base_exit_code, proven.proof.head_exit_code) == (0, 1)
    assert proven.excerpt is not None
    assert proven.excerpt.lines[1] == "    return sum(prices[1:])"
    assert record.conclusion == "failure"
    reasons = {item.title: item.reason for item in record.dropped}
    assert reasons["An empty cart fails"].startswith("refuted")
    assert reasons["A line that is not there"] == "there is no such file or line at head"
    assert reasons["It is slow"] == "I do not like it."


def test_review_by_agents_carries_what_was_proven(record: ReviewRecord) -> None:
    check(record, "builtin")
    assert record.summary.startswith("The total is wrong.")
    assert "A claim of quality about cart.py:2 says not how it fails." in record.not_covered
    assert record.jury is not None
    assert (record.jury.harness, record.jury.proofs, record.jury.fell_back) == ("builtin", 2, None)


def test_jury_cannot_vote_away_what_was_proven(record: ReviewRecord) -> None:
    """Threat: a jury that was talked into dropping a true finding."""
    [proven] = record.findings
    assert record.jury is not None
    vote = next(vote for vote in record.jury.votes if vote.finding == proven.id)
    assert (vote.vote, vote.applied) == ("drop", False)
    assert proven.note.startswith("The jury would drop it")


def test_unproven_claim_is_never_critical(record: ReviewRecord) -> None:
    [slow] = [item for item in record.dropped if item.title == "It is slow"]
    assert slow.severity == "high"


def test_usage_is_what_the_model_server_counted(record: ReviewRecord, models: ModelServer, served: Server, shop: Path) -> None:
    before = list(models.counted)
    with Client(served.address) as client:
        again = client.review(shop)
    asked, cached, said = (now - then for now, then in zip(models.counted, before, strict=True))
    assert (again.usage.input_tokens + again.usage.cached_input_tokens, again.usage.cached_input_tokens) == (asked, cached)
    assert again.usage.output_tokens == said == record.usage.output_tokens


def test_no_key_is_in_any_box_or_transcript(record: ReviewRecord, models: ModelServer, served: Server) -> None:
    """Threat: what is in a box reads the provider's key."""
    for report in record.roles:
        found = box_review(
            "resume",
            record.review_id,
            report.role,
            "--",
            "sh",
            "-c",
            "env; cat /proc/*/environ 2>/dev/null; grep -rl sk-the-real ~ /tmp",
            **address(served),
        )
        assert "sk-the-real" not in found.out + found.err
    for file in (served.data_dir / "artifacts").rglob("*.jsonl"):
        assert "sk-the-real" not in file.read_text()
    assert all(dict(asked.headers).get("Authorization", "").endswith("provider") for asked in models.asked if "chat" in asked.path)


def address(served: Server) -> dict[str, str]:
    return {"BOX_REVIEW_URL": served.url, "BOX_REVIEW_API_KEY": served.address.api_key}


def test_reviewer_is_asked_in_its_own_session(record: ReviewRecord, models: ModelServer, served: Server) -> None:
    told = box_review("ask", record.review_id, "And why?", **address(served))
    assert (told.code, told.out.strip()) == (0, "Because the slice begins at one."), told.err
    assert "Asking quality (builtin, openai/scripted)" in told.err
    assert "The first price is left out" in models.asked[-1].said  # it knows what it has said


def test_reviewers_box_is_opened_as_it_was_left(record: ReviewRecord, served: Server) -> None:
    shown = box_review("resume", record.review_id, "quality", "--", "git", "log", "-1", "--format=%H", **address(served))
    assert (shown.code, shown.out.strip()) == (0, record.head_sha), shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ask", "rv-0000000000000000", "Why?"), "no review 'rv-0000000000000000'"),
        (("ask", "REVIEW", "Why?", "--role", "taste"), "has no reviewer 'taste'; it has security, quality, architecture"),
        (("resume", "REVIEW", "quality"), "a shell needs a terminal"),
    ],
    ids=["no review", "no reviewer", "no terminal"],
)
def test_wrong_follow_up_is_told(arguments: tuple[str, ...], said: str, record: ReviewRecord, served: Server) -> None:
    told = box_review(*(record.review_id if word == "REVIEW" else word for word in arguments), **address(served))
    assert told.code != 0
    assert said in told.err
    assert "Traceback" not in told.err


def test_role_of_ones_own_and_another_model_per_role(served: Server, models: ModelServer, shop: Path) -> None:
    mine = Reviewer(instructions="Look for prices that are lost. You work for quality.", model="anthropic/other")
    options = Options(roles=("prices", "security"), reviewers={"prices": mine}, jury=Reviewer(harness="static"))
    before = len(models.asked)
    with Client(served.address) as client:
        record = client.review(shop, options=options)
    assert [report.model for report in record.roles] == ["anthropic/other", "openai/scripted"]
    assert any("Look for prices that are lost" in asked.said for asked in models.asked[before:])
    assert record.jury is not None
    assert record.jury.harness == "static"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(harness="cursor"), "no runner host has the harness 'cursor'"),
        (Options(roles=("taste",)), "no runner host knows the role 'taste'"),
        (Options(reviewers={"taste": Reviewer(model="x")}), "'taste' is not among the roles"),
        (Options(roles=("taste",), reviewers={"taste": Reviewer(harness="static", instructions="x")}), "needs an agent"),
    ],
    ids=["harness", "role", "reviewer", "static"],
)
def test_wrong_wish_is_refused_at_once(options: Options, said: str, served: Server, shop: Path) -> None:
    with Client(served.address) as client, pytest.raises(RequestRejected, match=said):
        client.review(shop, options=options)


@contextlib.contextmanager
def serving(script: Script, **environment: str) -> Iterator[tuple[Client, ModelServer]]:
    """A server of its own with models that say what a script tells them."""
    where = {"BOX_MODEL": "openai/scripted", **environment}
    for folder in short_folder():
        with (
            ModelServer(script) as models,
            Server(folder / "data", **models.environment, **where) as server,
            Client(server.address) as client,
        ):
            yield client, models


def test_budget_is_a_hard_stop_and_the_review_says_so(tmp_path: Path, shop: Path) -> None:
    """One call costs 100 tokens in and 20 out, at 10 and 50 USD a million."""
    prices = tmp_path / "prices.toml"
    prices.write_text('["scripted"]\ninput = 10.0\noutput = 50.0\n')
    each = (100 * 10 + 20 * 50) / 1_000_000
    budget = 20 * each
    endless = Step(text="More.", tools=(Tool(LOOK, {"command": "true"}),))
    with serving(lambda _: endless, BOX_PRICES=str(prices)) as (client, _):
        record = client.review(shop, options=Options(budget_usd=budget, roles=("quality",)))
    assert record.roles[0].error is not None
    assert "the budget of this run is used up" in record.roles[0].error
    assert record.usage.cost_usd <= budget + each
    assert record.status == "failed"


def test_jury_whose_model_fails_leaves_it_to_the_rules(shop: Path) -> None:
    def script(asked: Asked) -> Step:
        return Step(status=400, text="no jury today") if "You are the jury" in asked.said else by_role(asked)

    with serving(script) as (client, _):
        record = client.review(shop, options=Options(roles=("quality",)))
    assert record.jury is not None
    assert record.jury.status == "completed"
    assert record.jury.fell_back is not None
    assert any("rules alone did" in sentence for sentence in record.not_covered)
    assert {finding.proof.state for finding in record.findings} == {"proven", "not_attempted"}


def test_agents_work_at_the_same_time(shop: Path) -> None:
    """Three agents whose models take a second a call: none waits for another."""

    def slow(asked: Asked) -> Step:
        return Step(**{**vars(by_role(asked)), "delay_s": 1.0})

    with serving(slow) as (client, _):
        record = client.review(shop, options=Options(jury=Reviewer(harness="static")))
    stages = {report.role: next(stage for stage in report.stages if stage.name == "reviewing") for report in record.roles}
    assert max(stage.started_s for stage in stages.values()) < min(stage.ended_s for stage in stages.values())


def test_without_a_model_the_review_is_static_and_says_what_one_would_add(server: Server, shop: Path) -> None:
    with Client(server.address) as client:
        record = client.review(shop)
    assert {report.harness for report in record.roles} == {"static"}
    assert any("no model is configured on the host" in sentence for sentence in record.not_covered)


def test_boxes_of_the_api_have_the_same_agents(served: Server) -> None:
    """By the official client: a tool call, an answer, a session that goes on, tokens as the gateway counts them."""
    where = {"base_url": served.url, "api_key": served.address.api_key}
    box = Box.create(agent={"harness": "builtin", "model": "openai/scripted"}, **where)
    box.files.write(path="cart.py", content=MISPRICED)
    told = box.agent.run(prompt="And why?")
    assert told.result == "Because the slice begins at one."
    assert told.cost.input_tokens + told.cost.output_tokens > 0
    box.pause()
    assert box.agent.run(prompt="And why? Again.").result == "Because the slice begins at one."
    with pytest.raises(BoxError, match="is not available on this server; available: custom, builtin"):
        Box.create(agent={"harness": "cursor", "model": "x"}, **where)
    box.delete()


@pytest.mark.timeout(200)
@pytest.mark.parametrize("harness", ["claude-code", "codex", "opencode"])
@pytest.mark.parametrize("driver", [name for name in DRIVERS if name in ("bubblewrap", "gvisor")])
def test_real_program_completes_a_review_in_a_box(harness: str, driver: str, shop: Path) -> None:
    """A tool call, findings with reproducers, a structured answer, a jury; then a question in the same session."""
    where = {"BOX_HARNESS_DIR": str(programs()), "BOX_DRIVER": driver, "BOX_MODEL": MODELS[harness], "BOX_HARNESS": harness}
    for folder in short_folder():
        with ModelServer(by_role) as models, Server(folder / "data", **models.environment, **where) as server:
            with Client(server.address) as client:
                record = client.review(shop, options=Options(roles=("quality",)))
            check(record, harness)
            assert record.roles[0].harness_version
            assert {asked.path for asked in models.asked} == {
                "claude-code": {"/v1/messages"}, "codex": {"/v1/responses"}, "opencode": {"/v1/chat/completions"},
            }[harness]  # fmt: skip
            told = box_review("ask", record.review_id, "And why?", timeout_s=60, **address(server))
            assert (told.code, told.out.strip()) == (0, "Because the slice begins at one."), told.err
            assert "The first price is left out" in models.asked[-1].said


@pytest.mark.parametrize("model", ["openai/scripted", "anthropic/scripted", "responses/scripted"])
def test_builtin_completes_a_review_over_every_wire(model: str, served: Server, shop: Path) -> None:
    with Client(served.address) as client:
        check(client.review(shop, options=Options(model=model)), "builtin")
