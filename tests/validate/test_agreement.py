"""Agreement against published examples and against what must hold of any line."""

import numpy as np
import pytest
from scipy import stats

from opencmr.validate.agreement import agreement, bland_altman, icc_2_1, passing_bablok

WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
"""Peak flow by two meters (Bland and Altman, Lancet 1986; 327:307), L/min."""
JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
"""Six targets, four judges (Shrout and Fleiss, Psychol Bull 1979; 86:420)."""


def test_bias_and_limits_are_those_that_bland_and_altman_published():
    found = agreement(np.array(MINI), np.array(WRIGHT))
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    # They took 2 standard deviations, -79.7 and 75.5; 1.96 are taken here.
    assert found.lower.value == pytest.approx(-2.118 - 1.96 * 38.765, abs=0.01)
    assert found.bias.interval == pytest.approx((-22.0, 17.8), abs=0.1)


def test_the_interval_of_the_bias_is_that_of_scipy_s_t_test():
    difference = np.subtract(WRIGHT, MINI).astype(float)
    theirs = stats.ttest_1samp(difference, 0).confidence_interval(0.95)
    assert bland_altman(difference)[0].interval == pytest.approx(tuple(theirs))


def test_intervals_of_the_limits_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(5)
    held = []
    for _ in range(2000):
        _, lower, _ = bland_altman(rng.normal(1.0, 2.0, 30))
        held.append(lower.interval[0] <= 1 - 1.96 * 2 <= lower.interval[1])
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_the_icc_and_its_interval_are_the_published_ones():
    found = icc_2_1(np.array(JUDGES, dtype=float))
    assert found.value == pytest.approx(0.29, abs=0.005)
    assert found.interval == pytest.approx((0.02, 0.76), abs=0.005)


def test_the_icc_of_equal_raters_is_one_and_a_bias_lowers_it():
    values = np.arange(10.0)
    assert icc_2_1(np.column_stack([values, values])).value == pytest.approx(1)
    assert icc_2_1(np.column_stack([values, values + 3])).value < 0.8
    assert icc_2_1(np.ones((5, 2))) is None


def test_passing_and_bablok_find_an_exact_line():
    x = np.array([1.0, 2, 4, 7, 11, 16, 22])
    slope, intercept = passing_bablok(x, 3 + 1.25 * x)
    assert slope.value == pytest.approx(1.25)
    assert intercept.value == pytest.approx(3)


@pytest.mark.parametrize("seed", range(6))
def test_when_the_methods_change_places_the_line_is_the_same(seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(50, 300, 22)  # 231 slopes: an odd number has one in the middle
    x, y = truth + rng.normal(0, 8, 22), 5 + 1.1 * truth + rng.normal(0, 8, 22)
    (there, start), (back, _) = passing_bablok(x, y), passing_bablok(y, x)
    assert back.value == pytest.approx(1 / there.value)
    assert back.interval == pytest.approx((1 / there.interval[1], 1 / there.interval[0]))
    assert start.interval[0] < start.value < start.interval[1]


def test_one_outlier_hardly_moves_the_line():
    x = np.linspace(50, 250, 21)
    y = x + np.random.default_rng(2).normal(0, 2, 21)
    before, after = passing_bablok(x, y), passing_bablok(x, np.append(y[:-1], 900))
    assert after[0].value == pytest.approx(before[0].value, abs=0.02)


def test_equal_slopes_of_scipy_s_theil_line_where_no_shift_is_needed():
    x = np.arange(9.0)
    y = 2 * x + np.random.default_rng(1).normal(0, 0.1, 9)
    assert passing_bablok(x, y)[0].value == pytest.approx(stats.theilslopes(y, x).slope)


def test_the_coefficient_of_variation_is_the_spread_over_the_mean():
    found = agreement(np.array([90.0, 100, 110]), np.array([92.0, 100, 108]))
    assert found.cv_percent == pytest.approx(2.0)
    assert found.mean_absolute == pytest.approx(4 / 3)


def test_perfect_agreement_has_no_spread_and_no_warning():
    values = np.array([60.0, 75, 90, 120])
    found = agreement(values, values)
    assert found.bias.value == found.sd == 0
    assert found.icc.value == found.slope.value == pytest.approx(1)


def test_what_never_varies_has_no_correlation():
    found = agreement(np.full(4, 50.0), np.full(4, 50.0))
    assert found.pearson is found.icc is found.slope is None


def test_two_patients_are_too_few():
    with pytest.raises(ValueError, match="3 finite pairs"):
        agreement(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
