"""Comparisons on a real server with real boxes, by agents of known quality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from box_review.boxes import Boxes
from box_review.comparison import Comparison, compare
from box_review.comparison.answer import Status
from box_review.comparison.result import NOT_DISTINGUISHABLE
from box_review.errors import InputError

from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step, Tool, steps
from tests.flow.comparison.made import custom, snapshots, spec, statuses
from tests.server import Server


def test_two_equal_models_and_a_worse_one_are_reported_as_that(served: Server, beside: Path) -> None:
    found = compare(spec("first", "second", "worse", count=20), folder=beside, out=beside / "out", address=served.address)
    assert [found.score(name, "exact_match").value for name in ("first", "second", "worse")] == [0.95, 0.95, 0.5]
    assert [found.score(name, "hallucination_pct").value for name in ("first", "second", "worse")] == [5.0, 5.0, 50.0]
    for score in ("exact_match", "hallucination_pct"):
        assert found.pair(score, "first", "second").verdict == NOT_DISTINGUISHABLE
        assert found.pair(score, "first", "worse").verdict == "first better"
        assert found.pair(score, "second", "worse").verdict == "second better"
    for model, true in (("first", 0.95), ("worse", 0.5)):
        interval = found.score(model, "exact_match").interval
        assert interval is not None
        assert interval.low < true < interval.high
    [wrong] = [cell for cell in found.cells if (cell.model, cell.input) == ("first", "i3")]
    assert wrong.marks["hallucination_pct"].unsupported == ("made up",)
    assert (found.models[0].cost_usd, found.models[0].input_tokens, found.spent_usd) == (0.2, 140, 0.6)
    assert '<mark class="unsupported">made up</mark>' in (beside / "out" / "report.html").read_text()
    assert Comparison.model_validate_json((beside / "out" / "report.json").read_text()) == found
    assert {path.name for path in (beside / "out").glob("report.*")} == {"report.html", "report.json", "report.xml", "report.md"}
    assert Boxes(served.address).list() == []


def test_same_base_has_the_same_digest_and_another_has_another(served: Server, beside: Path) -> None:
    def digest(out: str, **setup: Any) -> str:
        given = spec("first", count=1, setup={"files": {"agent.py": "agent.py"}, **setup})
        return compare(given, folder=beside, out=beside / out, address=served.address).digest

    made = digest("1", commands=["mkdir -p a && echo one > a/b && ln -s b a/c"])
    assert digest("2", commands=["mkdir -p a && echo one > a/b && touch -d 2001-01-01 a/b && ln -s b a/c"]) == made
    others = [["mkdir -p a && echo two > a/b && ln -s b a/c"], ["mkdir -p a && echo one > a/b && chmod 700 a/b && ln -s b a/c"], ["true"]]
    assert len({made, *(digest(str(number), commands=commands) for number, commands in enumerate(others, 3))}) == 4


def test_answers_are_taken_from_the_folder_when_nothing_has_changed(served: Server, beside: Path) -> None:
    first = compare(spec("first"), folder=beside, out=beside / "out", address=served.address)
    again = compare(spec("first", "second", scores=["claim_f1"]), folder=beside, out=beside / "out", address=served.address)
    assert (first.known_before, again.known_before) == (0, 4)
    assert [cell.answer for cell in again.cells if cell.model == "first"] == [cell.answer for cell in first.cells]


def test_questions_that_are_alike_have_answers_of_their_own(served: Server, beside: Path) -> None:
    (beside / "agent.py").write_text('import uuid\nprint(\'event: done\\ndata: {"output": "%s"}\\n\\n\' % uuid.uuid4())\n')
    given = spec("first", count=2, scores=[])
    given["models"] += [{**given["models"][0], "id": "same"}]
    given["inputs"] = [{"id": "i", "text": "1"}, {"id": "j", "text": "1"}]
    found = compare(given, folder=beside, out=beside / "out", address=served.address)
    answers = [cell.answer.text for cell in found.cells]
    assert len(set(answers)) == 4
    again = compare(given, folder=beside, out=beside / "out", address=served.address)
    assert ([cell.answer.text for cell in again.cells], again.known_before) == (answers, 4)


def test_files_of_base_and_input_are_in_the_box(served: Server, beside: Path) -> None:
    (beside / "given.txt").write_text("given ")
    (beside / "base.txt").write_text("base")
    given = spec("files", count=1, scores=[], setup={"files": {"agent.py": "agent.py", "base.txt": "base.txt"}})
    given["inputs"][0]["files"] = {"given.txt": "given.txt"}
    [cell] = compare(given, folder=beside, out=beside / "out", address=served.address).cells
    assert cell.answer.text == "given base"


def test_model_that_fails_on_half_the_cells_is_named_for_each_and_stops_nobody(served: Server, beside: Path) -> None:
    found = compare(spec("first", "half"), folder=beside, out=beside / "out", address=served.address)
    assert statuses(found) == {"first": {Status.ANSWERED: 4}, "half": {Status.ANSWERED: 2, Status.FAILED: 2}}
    assert {cell.answer.error for cell in found.cells if cell.answer.error} == {"exit code 1 of python3: it broke"}
    assert found.score("half", "exact_match").value == 0.5
    assert found.models[1].errors == {"exit code 1 of python3: it broke": 2}
    assert any("2 of 8 cells failed" in note for note in found.notes)


def test_budget_is_for_all_cells_and_those_not_run_are_said(served: Server, beside: Path) -> None:
    given = spec("dear", count=6, setup={"files": {"agent.py": "agent.py"}, "commands": ["date +%s%N > made-at"]})
    found = compare(given, folder=beside, out=beside / "out", address=served.address, budget_usd=2.5, at_once=1)
    assert statuses(found)["dear"] == {Status.ANSWERED: 3, Status.NOT_RUN: 3}
    assert not found.complete
    assert any("3 of 6 cells were not run: the budget of 2.5 USD" in note for note in found.notes)
    more = compare(given, folder=beside, out=beside / "out", address=served.address, budget_usd=10)
    assert (statuses(more)["dear"], more.known_before) == ({Status.ANSWERED: 6}, 3)
    assert (beside / "out" / ".label").read_text() not in snapshots(served)


def test_budget_is_kept_by_what_the_gateway_counts(served: Server, models: ModelServer, beside: Path) -> None:
    before, models.script = models.script, steps(Step(tools=(Tool("run", {"command": "true"}),)), Step(text="x"))
    try:
        given = spec("first", count=5, at_once=1) | {"models": [{"id": "priced", "model": "openai/priced"}]}
        found = compare(given, folder=beside, out=beside / "out", address=served.address, budget_usd=7)
    finally:
        models.script = before
    a_cell = found.cells[0].answer.cost_usd  # two calls
    assert 3 < a_cell < 5
    assert [cell.answer.status for cell in found.cells] == [Status.ANSWERED, Status.ANSWERED, *[Status.NOT_RUN] * 3]
    assert found.spent_usd == found.models[0].cost_usd < 7 + a_cell
    unpriced = given | {"models": [{"id": "unpriced", "model": "openai/unpriced"}]}
    [cell, *_] = compare(unpriced, folder=beside, out=beside / "other", address=served.address, budget_usd=7).cells
    assert (cell.answer.status, "price" in cell.answer.error) == (Status.FAILED, True)


def test_scorer_that_raises_is_named_for_its_cell_and_the_rest_goes_on(served: Server, beside: Path) -> None:
    (beside / "own.py").write_text("def own(answer, input_id, **_):\n    return 1 / (input_id != 'i2') == 1\n")
    given = spec("first", scores=["exact_match", {"python": {"function": "own.py:own"}}])
    found = compare(given, folder=beside, out=beside / "out", address=served.address)
    errors = {cell.input: cell.marks["own"].error for cell in found.cells}
    assert errors == {"i0": "", "i1": "", "i2": "ZeroDivisionError: division by zero", "i3": ""}
    score = found.score("first", "own")
    assert (score.value, score.cells, score.errors, found.complete) == (1.0, 3, 1, False)


def test_hostile_and_huge_answers_are_kept_within_bounds(served: Server, beside: Path) -> None:
    found = compare(spec("hostile", "huge", count=1), folder=beside, out=beside / "out", address=served.address)
    hostile, huge = found.cells
    assert (len(huge.answer.text), huge.answer.characters) == (200_000, 9_999_999)
    assert "<script>" in hostile.answer.text
    page = (beside / "out" / "report.html").read_text()
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "Cut here, of 9999999 characters" in page
    assert any("1 answers were longer" in note for note in found.notes)


def test_panel_votes_in_boxes_and_says_how_far_it_agrees(served: Server, beside: Path) -> None:
    judges = custom("mild", "strict", program="judge.py")
    given = spec("first", "worse", count=2, scores=[{"rubric": {"criteria": "No invention.", "lowest": 0}}], judges=judges)
    found = compare(given, folder=beside, out=beside / "out", address=served.address)
    values = {name: found.score(name, "rubric").value for name in ("first", "worse")}
    assert values == {"first": pytest.approx(0.9), "worse": pytest.approx((0.9 + 0.1) / 2)}
    [panel] = found.panels
    assert (panel.votes, panel.failed, panel.swapped, panel.cost_usd) == (8, 0, 0.0, 4.0)
    assert panel.alpha is not None
    assert 0.8 < panel.alpha < 1
    assert found.spent_usd == pytest.approx(4.04)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": [{"id": "a", "harness": "none", "model": "x"}]}, "models.a: agent: 'none' is not available on this server"),
        ({"setup": {"commands": ["true", "echo no such thing >&2; exit 3"]}}, "setup.commands.1 ended with 3: no such thing"),
        ({"setup": {"files": {"x": "none"}}}, "there is no file none"),
        ({"scores": ["bleu"]}, "there is no score 'bleu'"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_asked(served: Server, beside: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        compare({**spec("first"), **change}, folder=beside, out=beside / "out", address=served.address)
    assert said in str(raised.value)
    assert Boxes(served.address).list() == []


def test_model_that_its_provider_does_not_know_fails_alone(served: Server, models: ModelServer, beside: Path) -> None:
    def script(asked: Asked) -> Step:
        return Step(status=404, text="no such model") if asked.model == "missing" else Step(text="x0")

    before, models.script = models.script, script
    try:
        agents = [{"id": "known", "model": "openai/known"}, {"id": "unknown", "model": "openai/missing"}]
        given = spec("first", count=1) | {"models": agents}
        found = compare(given, folder=beside, out=beside / "out", address=served.address)
    finally:
        models.script = before
    assert [cell.answer.status for cell in found.cells] == [Status.ANSWERED, Status.FAILED]
    assert "404" in found.cells[1].answer.error
    assert (found.models[0].input_tokens, found.models[0].cached_input_tokens, found.models[0].output_tokens) == (90, 10, 20)


def test_what_may_pass_is_tried_again_in_a_new_box(served: Server, models: ModelServer, beside: Path) -> None:
    before, asked_before = models.script, len(models.asked)
    models.script = lambda _: Step(status=503, text="later") if len(models.asked) - asked_before <= 6 else Step(text="x0")
    try:
        given = spec("first", count=1) | {"models": [{"id": "a", "model": "openai/busy"}]}
        [cell] = compare(given, folder=beside, out=beside / "out", address=served.address).cells
    finally:
        models.script = before
    assert (cell.answer.status, cell.answer.text) == (Status.ANSWERED, "x0")
    assert cell.answer.attempts > 1


def test_answer_that_takes_too_long_is_a_failure_with_its_time(served: Server, beside: Path) -> None:
    given = spec("first", "late", count=1, timeout_s=2)
    found = compare(given, folder=beside, out=beside / "out", address=served.address)
    assert [cell.answer.status for cell in found.cells] == [Status.ANSWERED, Status.FAILED]
    assert found.cells[1].answer.error == "no answer within 2 s"
    assert found.cells[1].answer.attempts == 1
    assert Boxes(served.address).list() == []


def test_answers_fit_the_schema_of_the_spec_or_are_failures(served: Server, beside: Path) -> None:
    (beside / "agent.py").write_text(
        "import json, sys\nnumber = int(sys.argv[2].split()[1])\nsaid = {'claims': [f'x{number}']} if number else {'claims': 3}\n"
        "print('event: done\\ndata: ' + json.dumps({'output': json.dumps(said)}) + '\\n\\n')\n"
    )
    schema = {"type": "object", "properties": {"claims": {"type": "array"}}, "required": ["claims"]}
    found = compare(
        spec("first", count=2, json_schema=schema, scores=["claim_f1"]), folder=beside, out=beside / "out", address=served.address
    )
    assert [cell.answer.status for cell in found.cells] == [Status.FAILED, Status.ANSWERED]
    assert "does not fit json_schema" in found.cells[0].answer.error
    assert found.score("first", "claim_f1").value == 0.5


def test_judge_metrics_go_through_the_judge_of_the_spec(served: Server, beside: Path) -> None:
    def script(asked: Asked) -> Step:
        claims = [{"statement": "x", "verdict": 1, "reason": "said"}, {"statement": "made up", "verdict": 0, "reason": "not said"}]
        answers = {"extract_statements": {"statements": ["x", "made up"]}, "judge_statements": {"faithfulness": claims}}
        return Step(tools=(Tool(asked.tools[0], answers[asked.tools[0]]),))

    with ModelServer(script) as judge:
        api = {"base_url": f"{judge.url}/v1", "model": "judge"}
        given = spec("first", "second", count=2, scores=[{"hallucination_pct": {"by": "judge"}}], judge_api=api)
        found = compare(given, folder=beside, out=beside / "out", address=served.address)
        again = compare(given, folder=beside, out=beside / "out", address=served.address)
        assert len(judge.asked) == 4  # two calls an answer, once for the two models that gave it
    assert found.score("first", "hallucination_pct").value == 50.0
    assert again.scores == found.scores
    assert found.cells[0].marks["hallucination_pct"].unsupported == ("made up",)
