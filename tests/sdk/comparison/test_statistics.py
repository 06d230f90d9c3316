"""Figures against published ones, and verdicts that name no winner without reason."""

from __future__ import annotations

import random
import sys

import pytest
from box_review.comparison.agreement import krippendorff_alpha
from box_review.comparison.result import NOT_DISTINGUISHABLE
from box_review.comparison.statistics import bootstrap, holm, interval_of_mean, mcnemar_p, pass_all, pass_at, permutation_p, wilson
from box_review.comparison.summary import scores_about, summed_up
from box_review.errors import InputError

from tests.sdk.comparison.made import cells, spec

# K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): four observers, twelve units; None is a missing value.
PUBLISHED = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


def test_alpha_is_the_published_one() -> None:
    units = list(zip(*PUBLISHED, strict=True))
    nominal, interval = krippendorff_alpha(units, "nominal"), krippendorff_alpha(units, "interval")
    assert nominal is not None
    assert interval is not None
    assert (round(nominal, 3), round(interval, 3)) == (0.743, 0.849)


def test_alpha_says_nothing_where_nothing_varies() -> None:
    assert krippendorff_alpha([(3, 3), (3, 3)], "interval") is None
    assert krippendorff_alpha([(3, None), (None, 4)], "nominal") is None


def test_alpha_of_judges_who_contradict_each_other_is_below_zero() -> None:
    alpha = krippendorff_alpha([(1, 5), (5, 1), (1, 5), (5, 1)], "interval")
    assert alpha is not None
    assert alpha < 0


def test_scipy_that_is_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(InputError, match=r"pip install 'box-review-sdk\[compare\]'"):
        wilson(1, 2)


def test_wilson_is_the_textbook_one() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 and 0 of 20.
    found, none = wilson(81, 263), wilson(0, 20)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    assert (round(none.low, 4), round(none.high, 4)) == (0.0, 0.1611)


def test_wilson_stands_in_where_resampling_would_claim_certainty() -> None:
    found = interval_of_mean([100.0] * 5, top=100.0, binary=False, seed=0)
    assert found is not None
    assert found.method == "Wilson"
    assert found.low < 60
    assert found.high == pytest.approx(100)


def test_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = random.Random(1)
    hit = sum((found := bootstrap([draw.gauss(0.3, 1) for _ in range(40)], 0)).low <= 0.3 <= found.high for _ in range(60))
    assert 50 <= hit <= 60  # 57 are expected


def test_same_seed_gives_the_same_figures() -> None:
    values = [0.1, 0.5, 0.9, 0.2, 0.4, 0.8]
    assert bootstrap(values, 7) == bootstrap(values, 7)
    assert permutation_p([*values, -0.3] * 4, 7) == permutation_p([*values, -0.3] * 4, 7)


def test_permutation_is_exact_for_few_cases() -> None:
    assert permutation_p([1.0] * 6, 0) == pytest.approx(2 / 2**6)
    assert permutation_p([0.0] * 6, 0) == 1.0


def test_mcnemar_is_exact() -> None:
    assert mcnemar_p(10, 0) == pytest.approx(2 / 2**10)
    assert mcnemar_p(3, 3) == pytest.approx(1.0)
    assert mcnemar_p(0, 0) == 1.0


def test_holm_is_the_worked_example() -> None:
    # Holm's step-down of .01, .04, .03, .005: .005 x 4, .01 x 3, .03 x 2, and .04 not below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_pass_at_k_is_unbiased_and_pass_all_its_counterpart() -> None:
    assert pass_at(1, 5, 2) == pytest.approx(0.4)
    assert pass_at(2, 5, 2) == pytest.approx(1 - 3 / 10)
    assert pass_all(2, 5, 2) == pytest.approx(1 / 10)
    assert (pass_at(3, 3, 0), pass_all(3, 3, 3)) == (0, 1)


def test_a_difference_by_chance_has_no_winner_and_a_real_one_has() -> None:
    of = spec(["a", "b", "c"], scores=["exact_match"])
    made = cells(
        ["a", "b", "c"], 30, lambda model, number, _: float({"a": number % 5 != 0, "b": number % 5 != 1, "c": number % 3 == 0}[model])
    )
    scores, pairs = summed_up(made, scores_about(of)[0], of)
    assert [round(score.value or 0, 3) for score in scores] == [0.8, 0.8, 0.333]
    assert [pair.verdict for pair in pairs] == [NOT_DISTINGUISHABLE, "a better", "b better"]
    assert {pair.test for pair in pairs} == {"McNemar"}


def test_winners_are_as_rare_as_promised_where_there_is_no_difference() -> None:
    of, draw, winners = spec(["a", "b", "c"], scores=["exact_match"]), random.Random(3), 0
    for _ in range(60):
        made = cells(["a", "b", "c"], 25, lambda *_: float(draw.random() < 0.6))
        _, pairs = summed_up(made, scores_about(of)[0], of)
        winners += any(pair.verdict != NOT_DISTINGUISHABLE for pair in pairs)
    assert winners <= 6


def test_three_cases_are_too_few_for_a_winner() -> None:
    of = spec(scores=["exact_match"])
    _, [pair] = summed_up(cells(["a", "b"], 3, lambda model, *_: float(model == "a")), scores_about(of)[0], of)
    assert (pair.difference, pair.verdict) == (1.0, NOT_DISTINGUISHABLE)


def test_repeats_are_averaged_before_anything_is_tested() -> None:
    of = spec(scores=["exact_match"], repeats=4)
    # Four repeats of three cases are no twelve cases.
    scores, [pair] = summed_up(cells(["a", "b"], 3, lambda model, *_: float(model == "a"), 4), scores_about(of)[0], of)
    assert (pair.cases, pair.test, pair.verdict) == (3, "permutation", NOT_DISTINGUISHABLE)
    assert (scores[0].cases, scores[0].cells) == (3, 12)


def test_pass_figures_come_with_repeats() -> None:
    of = spec(["a"], scores=["exact_match"], repeats=2)
    [score], _ = summed_up(
        cells(["a"], 4, lambda _, number, repeat: float(number < 2 or (number == 2 and repeat == 0)), 2), scores_about(of)[0], of
    )
    assert score.value == pytest.approx(0.625)
    assert score.pass_at == pytest.approx({1: 0.625, 2: 0.75})
    assert score.pass_all == pytest.approx({1: 0.625, 2: 0.5})


def test_cells_that_failed_count_as_wrong_where_more_is_better_and_not_where_less_is() -> None:
    of = spec(["a"], scores=["exact_match", "hallucination_pct"])
    made = cells(["a"], 4, lambda _, number, __: 1.0 if number % 2 else None)
    about = scores_about(of)
    assert [summed_up(made, one, of)[0][0].value for one in about] == [0.5, None, 0.5]
