"""What is joined, and above all what is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.knowledge.sameness import signature
from tests.bot.knowledge.pairs import DIFFERENT, SAME


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_differs_in_a_number_name_negation_or_order_is_never_joined(one: str, other: str) -> None:
    assert signature(one) != signature(other)


def test_most_of_what_says_the_same_is_joined() -> None:
    joined = sum(signature(one) == signature(other) for one, other in SAME)
    assert joined >= 21, f"{joined} of {len(SAME)}"


@settings(max_examples=200, deadline=None)
@given(number=st.integers(0, 10**6), other=st.integers(0, 10**6), name=st.from_regex(r"[a-z]{3,8}_[a-z]{3,8}", fullmatch=True))
def test_another_number_is_another_statement(number: int, other: int, name: str) -> None:
    text = f"The limit of {name} is {number} rows."
    assert (signature(text) == signature(f"The limit of {name} is {other} rows.")) == (number == other)


@pytest.mark.parametrize("text", ["…", "?!", "-", "the", "«»", "数据库"], ids=["dots", "signs", "dash", "empty word", "quotes", "chinese"])
def test_texts_of_no_words_are_not_all_the_same(text: str) -> None:
    assert signature(text) != signature("a")
    assert signature(text) == signature(f" {text} ")
