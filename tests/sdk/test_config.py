"""`.github/box-review.yml`: what may stand in it, and what is said of what may not."""

from __future__ import annotations

import pytest
from box_review.config import RepoConfig, read_config
from box_review.errors import ConfigInvalid
from box_review.finding import Severity
from box_review.review import Reviewer
from hypothesis import given
from hypothesis import strategies as st


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(ConfigInvalid) as caught:
        read_config(text.encode())
    return list(caught.value.problems)


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "{}", "\ufeff"])
def test_empty_file_decides_nothing(text: str) -> None:
    assert read_config(text.encode()).options() == {}


def test_what_is_decided_comes_as_options() -> None:
    options = read_config(b"roles: [security]\ntimeout_minutes: 1.5\nfail_on: never\nmax_comments: 0\nbudget_usd: 2\n").options()
    assert options == {"roles": ("security",), "timeout_s": 90, "fail_on": None, "max_comments": 0, "budget_usd": 2}
    assert read_config(b"fail_on: low").options() == {"fail_on": Severity.LOW}
    assert read_config(b"model: null").options() == {}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("roles: [security]\nmodle: x\n", 2, "modle: there is no such key; is 'model' meant?"),
        ("zzz: 1\n", 1, "zzz: there is no such key; there are roles, harness"),
        ("jury:\n  harnes: x\n", 2, "jury.harnes: there is no such key; is 'harness' meant?"),
        ("roles:\n- security\n- Not a role\n", 3, "roles.1: string should match pattern"),
        ("\nbudget_usd: -1\n", 2, "budget_usd: input should be greater than 0, not '-1'"),
        ("budget_usd: .nan\n", 1, "budget_usd: input should be a valid number, not '.nan'"),
        ("budget_usd: 1:59:59\n", 1, "budget_usd: input should be a valid number"),
        ("reviewers:\n  security:\n    model: [a]\n", 3, "reviewers.security.model: input should be a valid string"),
        ("roles: [jury]\n", 1, "'jury' is no name for a reviewer"),
        ("reviewers:\n  Money: {}\n", 2, "reviewers.Money: string should match pattern"),
        ("roles: []\n", 1, "roles: tuple should have at least 1 item"),
        ("fail_on: sometimes\n", 1, "fail_on"),
        ("max_comments: yes\n", 1, "max_comments"),
        ("- security\n", 1, "the file must hold keys and values"),
        ("security\n", 1, "the file must hold keys and values"),
        ("roles: [a\nmodel: x\n", 2, "this is no YAML"),
        ("model: x\nmodel: y\n", 2, "the key 'model' stands here a second time"),
        ("model: &a x\n", 1, "anchors, aliases and tags are not supported"),
        ("a: b\n---\nc: d\n", 2, "this is no YAML"),
        ("? [a]\n: b\n", 1, "this is no YAML"),
        ("model: !!python/object:os.system x\n", 1, "tags are not supported"),
        ("budget_usd: !!int '1:59'\n", 1, "tags are not supported"),
        ("model: \x00\n", 1, "this is no YAML"),
        ('model: "\\U00110000"\n', 1, "this is no YAML"),
        ('model: "\\UFFFFFFFF"\n', 1, "this is no YAML"),
    ],
)  # fmt: skip
def test_problem_is_told_with_its_line(text: str, line: int, said: str) -> None:
    assert any(at == line and said in sentence for at, sentence in problems(text)), problems(text)


def test_all_problems_are_told_in_order() -> None:
    assert [line for line, _ in problems("model: 1\nharness: 2\nzzz: 3\n")] == [1, 2, 3]


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(ConfigInvalid, match=r":2: the file is no UTF-8"):
        read_config(b"model: x\nmodel: \xff\n")


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\n",
        "[" * 30_000,
        "roles: " + "[" * 5_000 + "]" * 5_000,
        "budget_usd: " + "9" * 60_000,
        "x" * 70_000,
        "budget_usd: 1" + ":59" * 20_000,
    ],
    ids=["laughs", "open", "deep", "digits", "large", "sixties"],
)
def test_bomb_is_a_clear_error_at_once(text: str) -> None:
    """Threat: a file that makes its reader work without end."""
    assert problems(text)


@given(st.one_of(st.text(max_size=200), st.from_regex(r"([a-z_]{1,9}: ?[\[\]{}\-\"'&*!|>%@0-9a-z, .]{0,20}\n){0,6}")))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    try:
        assert isinstance(read_config(text.encode("utf-8", "replace")), RepoConfig)
    except ConfigInvalid as error:
        assert all(line >= 1 and said for line, said in error.problems)


def test_what_somebody_gives_stands_above_the_file_for_every_reviewer_and_the_jury() -> None:
    config = read_config(
        b"roles: [security, money]\nharness: builtin\nreviewers: {money: {model: a/x, instructions: Look.}, security: {harness: codex}}\n"
        b"jury: {model: a/y, instructions: Mind.}\n"
    )
    chosen = config.under({"harness": "static", "roles": ("security",)})
    assert (chosen["harness"], chosen["roles"], chosen["reviewers"]) == ("static", ("security",), {"security": Reviewer()})
    assert config.under({"model": "a/z"})["reviewers"]["money"] == Reviewer(instructions="Look.")
    assert config.under({"model": "a/z"})["jury"] == Reviewer(instructions="Mind.")
    assert config.under({"jury": Reviewer(harness="static")})["jury"] == Reviewer(harness="static", instructions="Mind.")
    assert config.under({}) == config.options()
    assert RepoConfig().under({"fail_on": None}) == {"fail_on": None}


def test_paths_are_ignored_and_instructed() -> None:
    text = b"""
language: German
paths:
  ignore: ['dist/**', '**/*.lock']
path_instructions:
  - path: src/billing/**
    instructions: Amounts are cents.
"""
    chosen = read_config(text).under({})
    assert chosen["ignore_paths"] == ("dist/**", "**/*.lock")
    assert chosen["instructions"].split("\n\n") == [
        "Write what people read (titles, explanations, the summary) in German.",
        "Of files that match `src/billing/**`: Amounts are cents.",
    ]
    with pytest.raises(ConfigInvalid, match=r":2: paths\.ignor: there is no such key; is 'ignore' meant\?"):
        read_config(b"paths:\n  ignor: [x]\n")
    with pytest.raises(ConfigInvalid, match=r":1: paths\.ignore\.0"):
        read_config(b"paths: {ignore: ['/etc/**']}\n")


def test_organisations_settings_stand_below_a_repositorys() -> None:
    general = read_config(b"roles: [security]\nfail_on: low\ngithub: {drafts: true, sarif: true}\n")
    own = read_config(b"fail_on: never\ngithub: {drafts: false}\n")
    both = own.over(general)
    assert both.under({}) == {"roles": ("security",), "fail_on": None}
    assert (both.github.drafts, both.github.sarif) == (False, True)
    assert general.over(read_config(b"")) == general
