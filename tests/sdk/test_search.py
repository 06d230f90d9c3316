"""Ranked search: what fits stands first, and no question is an error."""

from __future__ import annotations

import pytest
from box_review.search import Index
from hypothesis import given
from hypothesis import strategies as st


def test_best_fit_stands_first_and_forms_of_a_word_are_one() -> None:
    index = Index([("a", "Invoices are sent on Mondays."), ("b", "The office is closed on Mondays."), ("c", "Payroll runs monthly.")])
    assert [hit.id for hit in index.find("When is an invoice sent?", 5)] == ["a"]
    assert [hit.id for hit in index.find("mondays", 5)] == ["a", "b"]
    assert [hit.id for hit in index.find("mondays", 1)] == ["a"]
    assert len(index) == 3


def test_replaced_and_dropped_texts_are_not_found() -> None:
    index = Index([("a", "The plan is gold."), ("b", "The plan is silver.")])
    index.add("a", "The plan is bronze.")
    index.drop("b")
    index.drop("never there")
    assert index.find("gold silver", 5) == []
    assert [hit.id for hit in index.find("bronze", 5)] == ["a"]


def test_question_of_nothing_but_common_words_still_finds() -> None:
    assert [hit.id for hit in Index([("a", "to be or not to be"), ("b", "x")]).find("to be", 5)] == ["a"]


@pytest.mark.parametrize("question", ["", "???", "\x00", '" OR text:', "NEAR(a b)", "a* -b ^c {d}", "😀"])
def test_operators_of_the_search_are_words_here(question: str) -> None:
    assert Index([("a", "nothing of the kind")]).find(question, 5) == []


@given(st.text(), st.text())
def test_any_text_can_be_kept_and_looked_for(text: str, question: str) -> None:
    index = Index([("a", text.encode("utf-8", "replace").decode())])
    index.find(question.encode("utf-8", "replace").decode(), 5)
    index.close()


def test_word_of_most_texts_changes_neither_rank_nor_what_is_found() -> None:
    index = Index((f"f{number}", f"The branch {number} sells {'apples' if number % 7 else 'pears'}.") for number in range(2000))
    assert index.find("which branch is 1205?", 1)[0].id == "f1205"
    assert index.find("branch 1205", 5)[0].id == "f1205"
    assert len(index.find("branch 1205", 5)) == 5
    assert len(index.find("branch", 5)) == 5
