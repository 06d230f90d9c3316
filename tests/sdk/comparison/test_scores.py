"""What counts as right, claim by claim."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from box_review.comparison.answer import MOST_TEXT
from box_review.comparison.claims import claims_of, f1, plain, stands_in
from box_review.comparison.plan import Case, SourceText
from box_review.comparison.report.html import marked
from box_review.comparison.scores import Mark, scorer
from box_review.errors import InputError
from box_review.sanitize import visible
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sdk.comparison.made import spec


def mark(score: Any, answer: str, expected: Any = "x", *sources: str, folder: Path = Path()) -> Mark:
    """The mark of an answer by one score of a spec."""
    [made] = spec(scores=[score]).scores
    given = scorer(made, folder)
    assert given is not None
    return given(answer, Case("p", "i", "?", {}, expected, tuple(SourceText("s", text) for text in sources)))


@pytest.mark.parametrize(
    ("answer", "claims"),
    [
        ('["GET /a", "POST /b"]', ["GET /a", "POST /b"]),
        ('Here:\n```json\n["GET /a"]\n```\nDone.', ["GET /a"]),
        ('{"endpoints": [{"method": "GET", "path": "/a"}]}', ["GET /a"]),
        ('{"name": "Ann", "age": 3}', ["name: Ann", "age: 3"]),
        ("- GET /a\n- POST /b\n- GET /a", ["GET /a", "POST /b"]),
        ("Endpoints:\n1. GET /a\n2) POST /b", ["GET /a", "POST /b"]),
        ("GET /a\nPOST /b", ["GET /a", "POST /b"]),
        ("It rains. The sun shines, too! Does it?", ["It rains.", "The sun shines, too!", "Does it?"]),
        ("", []),
        ("[]", []),
        ("[" * 100_000, ["[" * 2000]),
    ],
    ids=["list", "fenced", "objects", "object", "bullets", "numbers", "lines", "prose", "nothing", "empty", "deep"],
)
def test_answer_is_read_as_claims(answer: str, claims: list[str]) -> None:
    assert [claim for claim in claims_of(answer) if plain(claim)] == [claim for claim in claims if plain(claim)]


def test_claims_of_objects_read_as_they_are_told_to() -> None:
    answer = '{"more": [1], "endpoints": [{"path": "/a", "method": "GET", "note": "x"}]}'
    assert claims_of(answer, key="endpoints", form="{method} {path}") == ["GET /a"]
    assert claims_of(answer, key="missing") == []


@pytest.mark.parametrize(
    ("claim", "text", "stands"),
    [
        ("GET /v1/users", "Call `GET` **/v1/users** to list them.", True),
        ("GET /v1/users", "| GET | /v1/users |", True),
        ("get /v1/users.", "GET\n/v1/users", True),
        ("GET /v1/user", "GET /v1/users", False),
        ("GET /v1", "GET /v1/users", False),
        ("GET /v1/users", "GET /v1/users/{id}", False),
        ("", "anything", False),
    ],
)
def test_claim_stands_in_a_text_as_whole_words_however_it_is_set(claim: str, text: str, stands: bool) -> None:
    assert stands_in(claim, plain(text)) is stands


def test_f1_of_nothing_expected_and_nothing_said_is_whole() -> None:
    assert f1(0, 0, 0) == (1, 1, 1)
    assert f1(0, 2, 0) == (0, 0, 0)
    assert f1(1, 1, 2) == (0.5, pytest.approx(1 / 3), 0.4)


@pytest.mark.parametrize(
    ("score", "answer", "expected", "value"),
    [
        ("exact_match", " Paris\n", "Paris", 1),
        ("exact_match", "paris", "Paris", 0),
        ({"exact_match": {"ignore_case": True}}, "paris", "Paris", 1),
        ("json_match", '{"b": 1, "a": [1, 2]}', {"a": [1, 2], "b": 1}, 1),
        ("json_match", '{"a": [2, 1]}', {"a": [1, 2]}, 0),
        ({"json_match": {"unordered": True}}, '[{"a": [2, 1]}, 3]', [3, {"a": [1, 2]}], 1),
        ({"json_match": {"unordered": ["a"]}}, '{"a": [2, 1], "b": [2, 1]}', {"a": [1, 2], "b": [1, 2]}, 0),
        ("json_match", "true", 1, 0),
        ("json_match", "1.0", 1, 1),
        ("json_match", "no JSON", 1, 0),
        ("json_match", '{"a": 1}', '{"a": 1}', 1),
        ("claim_f1", '["a", "b", "c"]', ["a", "b", "d"], pytest.approx(2 / 3)),
        ("claim_precision", '["a", "b"]', ["a", "c", "d"], 0.5),
        ("claim_recall", '["a", "b"]', ["a", "c", "d"], pytest.approx(1 / 3)),
        ("answer_correctness", '["a", "b"]', ["a", "b"], 1),
    ],
)
def test_score_against_the_expected_answer(score: Any, answer: str, expected: Any, value: float) -> None:
    assert mark(score, answer, expected).value == value


def test_hallucination_is_the_share_of_unsupported_claims_in_percent_and_lists_them() -> None:
    found = mark("hallucination_pct", '["GET /a", "GET /b", "GET /c", "GET /d"]', None, "GET /a and GET /b", "Also GET /c")
    assert (found.value, found.unsupported) == (25.0, ("GET /d",))
    assert mark("faithfulness", '["GET /a", "GET /d"]', None, "GET /a").value == 0.5


def test_answer_without_claims_is_neither_faithful_nor_made_up() -> None:
    assert mark("hallucination_pct", "[]", None, "x").value is None
    assert mark("faithfulness", "", None, "x").value is None


def test_quotations_must_stand_in_the_sources() -> None:
    answer = 'It says "the limit is ten" and “never more”.\n> A quoted line'
    found = mark("quoted_spans", answer, None, "The limit is ten. A quoted line.")
    assert (found.value, found.unsupported) == (pytest.approx(2 / 3), ("never more",))
    assert mark("quoted_spans", "no quotation", None, "x").value is None


def test_contexts_are_judged_by_the_claims_they_hold() -> None:
    answer = json.dumps({"contexts": ["nothing here", "it has a", "and b"], "answer": "a, b"})
    recall = {"context_recall": {"contexts": "contexts"}}
    assert mark(recall, answer, ["a", "b", "c"]).value == pytest.approx(2 / 3)
    precision = {"context_precision": {"contexts": "contexts"}}
    assert mark(precision, answer, ["a", "b"]).value == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert mark(precision, "no JSON", ["a"]).value == 0


def test_own_function_is_called_and_what_it_raises_is_the_marks_error(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "def short(answer, **_):\n    return len(answer) < 5\n"
        "def broken(**_):\n    raise KeyError('no such thing')\n"
        "def odd(**_):\n    return float('nan')\n"
        "def ends(**_):\n    raise SystemExit(3)\n"
    )
    assert mark({"python": {"function": "own.py:short"}}, "yes", folder=tmp_path).value == 1
    assert mark({"python": {"function": "own.py:broken"}}, "yes", folder=tmp_path).error == "KeyError: 'no such thing'"
    assert "a number from 0 to 1" in mark({"python": {"function": "own.py:odd"}}, "yes", folder=tmp_path).error
    assert mark({"python": {"function": "own.py:ends"}}, "yes", folder=tmp_path).error == "SystemExit: 3"


@pytest.mark.parametrize(("function", "said"), [("none.py:f", "no file"), ("own.py:f", "no function f"), ("bad.py:f", "cannot be loaded")])
def test_own_function_that_cannot_be_had_is_said_before_the_work(tmp_path: Path, function: str, said: str) -> None:
    (tmp_path / "own.py").write_text("")
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(InputError, match=said):
        mark({"python": {"function": function}}, "yes", folder=tmp_path)


@pytest.mark.parametrize(
    "piece",
    ["\n", " ", "- ", "a```\n", "```\n", "“", "«", '"', ". ", "\n ", "> ", "1.", "é", "(", "[", "{", "a b ", "*|`", "e ", "th "],
)
def test_no_answer_takes_longer_than_its_length(piece: str) -> None:
    answer = piece * (MOST_TEXT // len(piece))
    source = (answer + " x ") * 2
    for score in ("claim_f1", "json_match", "hallucination_pct", "quoted_spans", "faithfulness"):
        mark(score, answer, ["x"], source)


@given(st.text(), st.lists(st.text(), max_size=5))
@settings(max_examples=200, deadline=None)
def test_any_text_is_scored_and_marked(text: str, claims: list[str]) -> None:
    for score in ("claim_f1", "json_match", "hallucination_pct", "quoted_spans", "exact_match", "context_recall"):
        assert mark(score, text, claims, *claims).error == ""
    assert html.unescape(re.sub(r"</?mark[^<>]*>", "", str(marked(text, [*claims, text[1:3]])))) == visible(text, multiline=True)


def test_ten_megabytes_are_scored_in_bounded_work() -> None:
    many = json.dumps([f"claim {number}" for number in range(200_000)])
    found = mark("hallucination_pct", many, None, "claim 1 " * 10_000)
    assert found.note == "1999 of 2000 claims unsupported"
    assert len(found.unsupported) == 200
    for score in ("exact_match", "json_match", "claim_f1", "faithfulness"):
        assert mark(score, "word " * 200_000, "word", "x").value == 0
    assert mark("quoted_spans", '"' * 1_000_000, None, "x").value is None
