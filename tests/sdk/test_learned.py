"""Learned rules: what they may say, how they read as a file, and that every report names them."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from box_review.errors import ConfigInvalid
from box_review.learned import LearnedRule, LearnedUse, Mute, RuleState, in_force, title_words, together
from box_review.learned_file import read_learned, render_learned
from box_review.report import render
from pydantic import ValidationError

from tests.sdk.records import HOSTILE, outside_code, record

RULES = (
    LearnedRule(id="l-one", text="Amounts are cents", source="/box learn by @ada on #12", since=date(2026, 3, 1)),
    LearnedRule(id="l-two", text="yes", mute=Mute(tool="ruff", rule="E501", path="src/gen/**"), source="3 dismissals: #1, #4, #9"),
    LearnedRule(id="l-3", text="# 1:59 - {x: y}", mute=Mute(role="quality", title="null value"), state=RuleState.CLOSED, closed="by @ada"),
)


def test_file_says_the_same_again() -> None:
    assert read_learned(render_learned(RULES).encode()) == RULES
    assert read_learned(render_learned(()).encode()) == read_learned(b"") == ()


def test_file_in_the_docs_is_valid() -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "learning.md").read_text()
    [shown] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert [rule.id for rule in read_learned(shown.encode())] == ["l-cents", "l-gen"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules:\n- {id: x, text: a}", "2: rules.0.id: string should match pattern"),
        ("rules:\n- {id: l-1, text: a, mute: {tol: ruff}}", "2: rules.0.mute.tol: there is no such key; is 'tool' meant?"),
        ("rules:\n- {id: l-1, text: a}\n- {id: l-1, text: b}", "the id 'l-1' stands there twice"),
        ("rules:\n- {id: l-1, text: a, mute: {rule: E501}}", "a rule needs the tool that it is of"),
        ("rules:\n- {id: l-1, text: a, mute: {path: src/**}}", "a mute names a tool, or a role with words of the title or a path"),
        ("rules:\n- {id: l-1, text: a, mute: {tool: ruff, path: /etc}}", "a pattern is a path in the repository"),
        ("rules:\n- {id: l-1, text: ' '}", "a text needs words"),
        ("rules:\n- {id: l-1, text: " + "x" * 301 + "}", "at most 300 characters"),
        ("rules:\n- &a {id: l-1, text: a}", "anchors, aliases and tags are not supported"),
        ("rules: [" + ", ".join(f"{{id: l-{n}, text: a}}" for n in range(101)) + "]", "at most 100 items"),
        ("- a", "the file must hold keys and values, e.g. `rules: […]`"),
        ("mutes: []", "mutes: there is no such key; is 'rules' meant?"),
    ],
)
def test_file_that_cannot_be_used_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        read_learned(text.encode())
    assert said in str(caught.value)
    assert str(caught.value).startswith(".github/box-review-learned.yml:")


@pytest.mark.parametrize(
    "mute", [{"title": "x y"}, {"role": "quality"}, {"tool": "ruff", "title": "some words"}, {"role": "jury", "path": "a"}]
)
def test_mute_that_is_too_wide_or_means_nothing_is_refused(mute: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Mute.model_validate(mute)


def test_text_is_one_line_that_shows_all_it_says() -> None:
    assert LearnedRule(id="l-1", text=" a\n- b\u202e\x1b[31m c").text == "a - b c"


def test_rule_of_the_file_stands_above_what_is_remembered_by_its_id() -> None:
    file = (LearnedRule(id="l-two", text="ended here", state=RuleState.CLOSED),)
    both = together(file, RULES)
    assert [(rule.id, rule.text) for rule in both] == [("l-two", "ended here"), ("l-one", "Amounts are cents"), ("l-3", RULES[2].text)]
    assert [rule.id for rule in in_force(both)] == ["l-one"]


def test_titles_are_compared_by_their_words() -> None:
    assert title_words("The total of 3 prices IS wrong") == title_words("wrong total: the prices") == "prices the total wrong"


USES = (LearnedUse(id="l-7", text="t", guidance=True), LearnedUse(id="l-3", text="t", source="s", muted=2))


@pytest.mark.parametrize("kind", ["text", "markdown", "html"])
def test_reports_name_the_rules_in_one_line(kind: str) -> None:
    assert "Learned: l-3 (muted 2), l-7" in render(record(learned=USES), kind)
    assert "Learned:" not in render(record(), kind)


def test_json_has_the_rules_with_their_words() -> None:
    assert '"muted": 2' in render(record(learned=USES), "json")


def test_no_text_of_a_rule_is_live_in_a_report() -> None:
    """Threat: a rule that mentions, links or hides."""
    use = LearnedUse(id="l-3", text=HOSTILE[:300], source=HOSTILE[:300], muted=1)
    told = outside_code(render(record(learned=(use,)), "markdown"))
    assert "evil.example" not in told
    assert "Learned: l-3 (muted 1)" in told
