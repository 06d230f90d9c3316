"""Text of a record cannot do anything where it is shown."""

from __future__ import annotations

import json
import random
import re

import pytest
from box_review.sanitize import code_block, for_json, for_markdown, for_terminal, inline_code, visible

from tests.sdk.records import ESCAPES, HIDDEN, HOSTILE, outside_code


@pytest.mark.parametrize("clean", [visible, for_terminal, for_markdown])
@pytest.mark.parametrize("multiline", [False, True], ids=["one line", "many lines"])
def test_cleaning_twice_changes_nothing(clean, multiline):
    pieces = ["`", "``", "```", "~~~", "\n", "@x", "#1", " ", "a", "&", "&lt;", "&#35;", "\\", "<", "[", "]", "-", ":", "=", "#", "*"]
    pieces += ["\x1b[", "\x1b]0;", "\x07", "m", "www.", "\u202e", "|", "\t", "&#96;", "http://", "$", "\r", "\x9b"]
    dice = random.Random(7)
    texts = ["".join(dice.choices(pieces, k=dice.randint(1, 14))) for _ in range(3000)]
    for text in [*texts, HOSTILE]:
        once = clean(text, multiline=multiline)
        assert clean(once, multiline=multiline) == once


def test_terminal_gets_no_control_character():
    shown = for_terminal(ESCAPES + HIDDEN + "a\rb\x08c\x00d\te", multiline=True)
    assert shown == "redlinkabcdefga\nbcd    e"


def test_lines_are_kept_only_where_allowed():
    assert for_terminal("a\r\nb\u2028c\x85d") == "a b c d"
    assert for_terminal("a\r\nb\u2028c\x85d", multiline=True) == "a\nb\nc\nd"


def test_a_sequence_hidden_in_a_sequence_does_not_survive():
    assert "\x1b" not in for_terminal("\x1b\x1b[31m[31m")


def test_ordinary_words_of_every_language_stay():
    text = "naïve 数据库 Ünïcode — “quotes” 🎉"
    assert for_terminal(text) == text
    assert for_markdown(text) == text


@pytest.mark.parametrize(
    "live",
    ["https://", "www.", "@", "#1", "GH-42", "](", "![", "<", "javascript:", "9c4e1d2b3a4f", "|", "$", "\\"],
)
def test_nothing_live_is_leftoutside_code(live):
    markdown = for_markdown(HOSTILE + "\n$x$ \\`@a` \\", multiline=True)
    outside = re.sub(r"&(#\d+|lt|gt|amp);", "", outside_code(markdown))
    assert live not in outside


@pytest.mark.parametrize("disguised", ["&#64;octocat", "&commat;octocat", "&#35;123", "ht&#116;ps://x", "&#x40;octocat"])
def test_entities_disguise_nothing(disguised):
    markdown = for_markdown(disguised)
    assert markdown.startswith(("`", "&amp;")) or "`" in markdown


@pytest.mark.parametrize("line", ["# Verdict: success", "---", "===", "***", "~~~", "> quoted", "| a |", "[a]: x", ":-:"])
def test_no_structure_can_be_faked(line):
    assert for_markdown(f"words\n{line}", multiline=True).split("\n")[1].lstrip().startswith(("&", "`"))


def test_code_spans_of_one_line_are_kept():
    assert for_markdown("call `run(a | b)` twice") == "call `run(a | b)` twice"


def test_spans_that_touch_do_not_become_one():
    assert for_markdown("`a`@octocat") == "`a` `@octocat`"


def test_a_fence_of_the_text_is_closed_and_loses_its_language():
    assert for_markdown("see\n```suggestion\nrm -rf /", multiline=True) == "see\n```\nrm -rf /\n```"


def test_no_line_closes_a_code_block():
    block = code_block(["```", "````` @octocat", "a\rb\nc"], "python").split("\n")
    assert block[0] == "``````python"
    assert block[-1] == "``````"
    assert "``````" not in block[1:-1]


def test_a_code_block_keeps_tabs():
    assert code_block(["\tindented"]) == "```\n\tindented\n```"


@pytest.mark.parametrize("text", ["a", "`", "a``b", "`a`", "", " ", "x\ny"])
def test_inline_code_is_one_span(text):
    written = inline_code(text)
    ticks = re.match("`+", written)[0]
    inner = written[len(ticks) : -len(ticks)]
    assert written.endswith(ticks)
    assert "\n" not in written
    assert all(len(run) != len(ticks) for run in re.findall("`+", inner))


def test_json_keeps_its_value_and_loses_its_controls():
    value = {"a": HOSTILE + "\U000e0041 é"}
    written = for_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(written) == value
    assert visible(written, multiline=True) == written
    assert "é" in written
