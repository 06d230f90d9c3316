"""`/box compare …` is read as it is meant; what it cannot mean is answered with what would be right."""

from __future__ import annotations

import pytest

from bot.github.commands import Compare, read_command
from bot.github.errors import NotUnderstood


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/box compare anthropic/a openai/b", Compare(("anthropic/a", "openai/b"))),
        ("/box compare a b c d\nplease", Compare(("a", "b", "c", "d"))),
        ("/box compare a b --role security --role quality", Compare(("a", "b"), ("security", "quality"))),
        ("/box compare a b --role=security quality security --harness codex", Compare(("a", "b"), ("security", "quality"), "codex")),
        ("/box COMPARE a/b-1.5 x:y@z --harness=builtin", Compare(("a/b-1.5", "x:y@z"), (), "builtin")),
    ],
)
def test_comparison_is_read_as_it_is_meant(body: str, command: Compare) -> None:
    assert read_command(body) == command


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("/box compare", "takes 2 to 4 models, as `anthropic/NAME openai/NAME`, not 0"),
        ("/box compare a", "not 1"),
        ("/box compare a b c d e", "not 5"),
        ("/box compare a b a", "`a` is named twice"),
        ("/box compare a |b|", "`|b|` cannot be a model"),
        ("/box compare a <img>", "cannot be a model"),
        ("/box compare a " + "b" * 300, "cannot be a model"),
        ("/box compare a b --role", "`--role` needs a value"),
        ("/box compare a b --role jury", "cannot be a role"),
        ("/box compare a b --harness", "`--harness` needs a value"),
        ("/box compare a b --harness c d", "takes one harness"),
        ("/box compare a b --model c", "no option `--model`"),
        ("/box compare a b --role " + " ".join(f"r{number}" for number in range(17)), "16 roles at most"),
        ("/box compair a b", "is `compare` meant"),
    ],
)
def test_what_is_no_comparison_is_answered_with_what_would_be_right(body: str, said: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        read_command(body)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400
