"""Means and Student t intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from results.statistics import Interval, mean_interval, paired_difference, seeds_needed, welch_difference

accuracies = st.lists(st.floats(0, 1), min_size=2, max_size=30)


def test_three_values_give_the_interval_worked_out_by_hand():
    interval = mean_interval([1.0, 2.0, 3.0])
    # t(0.975, 2) = 4.302653 from any printed table; sd = 1.
    assert interval == Interval(3, 2.0, 1.0, pytest.approx(4.302653 / math.sqrt(3), abs=1e-6), 0.95)


def test_one_value_has_a_mean_and_no_interval():
    assert mean_interval([0.7]) == Interval(1, 0.7, None, None, 0.95)


def test_equal_values_have_an_interval_of_no_width():
    assert mean_interval([0.1] * 3) == Interval(3, 0.1, 0.0, 0.0, 0.95)


@given(accuracies, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_an_interval_is_that_of_scipy(values, level):
    interval = mean_interval(values, level)
    half_width = stats.sem(values) * stats.t.ppf((1 + level) / 2, len(values) - 1)
    assert interval.mean == pytest.approx(np.mean(values), abs=1e-12)
    assert interval.sd == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    assert interval.half_width == pytest.approx(half_width, abs=1e-12)


@given(accuracies, st.randoms(use_true_random=False))
def test_the_order_of_seeds_does_not_change_a_single_bit(values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    assert mean_interval(shuffled) == mean_interval(values)


@pytest.mark.parametrize("n", [3, 5])
def test_intervals_cover_the_true_mean_of_normal_data_95_times_in_100(n):
    samples = np.random.default_rng(20260101).normal(0.8, 0.05, size=(20_000, n)).tolist()
    intervals = map(mean_interval, samples)
    covered = np.mean([abs(interval.mean - 0.8) <= interval.half_width for interval in intervals])
    assert covered == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("values", [[], [0.5, math.nan], [math.inf]])
def test_a_mean_of_nothing_or_of_holes_is_an_error(values):
    with pytest.raises(ValueError, match="at least one value"):
        mean_interval(values)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_outside_0_to_1_is_an_error(level):
    with pytest.raises(ValueError, match="level"):
        mean_interval([0.5, 0.6], level)


def test_a_paired_difference_is_the_interval_of_the_differences_of_shared_seeds():
    first, second = {0: 0.51, 1: 0.82, 2: 0.23, 9: 1.0}, {2: 0.2, 1: 0.8, 0: 0.5, 5: 0.0}
    interval = paired_difference(first, second)
    # Differences 0.01, 0.02, 0.03: sd 0.01 and t(0.975, 2) = 4.302653.
    assert (interval.n, interval.mean, interval.sd) == (3, pytest.approx(0.02), pytest.approx(0.01))
    assert interval.half_width == pytest.approx(0.04302653 / math.sqrt(3), abs=1e-8)
    with pytest.raises(ValueError, match="at least one value"):
        paired_difference({0: 0.5}, {1: 0.5})


@given(accuracies, accuracies, st.sampled_from([0.8, 0.95]))
def test_a_difference_of_independent_means_has_the_interval_of_scipy(first, second, level):
    assume(min(np.ptp(first), np.ptp(second)) > 1e-3)  # with less scipy warns of its own rounding
    difference = welch_difference(first, second, level)
    low, high = stats.ttest_ind(first, second, equal_var=False).confidence_interval(level)
    assert difference.mean - difference.half_width == pytest.approx(low, abs=1e-9)
    assert difference.mean + difference.half_width == pytest.approx(high, abs=1e-9)


def test_two_pairs_of_values_give_the_interval_of_welch_worked_out_by_hand():
    # Both sd 0.1 / sqrt(2), so a = 0.0025 each, v = 2, t(0.975, 2) = 4.302653.
    difference = welch_difference([0.9, 0.8], [0.7, 0.6])
    assert difference.mean == pytest.approx(0.2)
    assert difference.half_width == pytest.approx(4.302653 * math.sqrt(0.005), abs=1e-7)


def test_a_difference_has_no_interval_if_either_sample_is_of_one_seed():
    assert welch_difference([0.5], [0.25, 0.75]).half_width is None
    assert welch_difference([0.25, 0.75], [0.5]).half_width is None
    assert welch_difference([0.5], [0.25]).mean == 0.25


def test_a_difference_of_samples_without_spread_has_an_interval_of_no_width():
    assert welch_difference([0.5, 0.5], [0.25, 0.25, 0.25]).half_width == 0.0


def test_differences_cover_the_true_one_95_times_in_100():
    random = np.random.default_rng(20260102)
    luck = random.normal(0, 0.1, size=(10_000, 4))  # what the seeds share
    first = 0.8 + luck + random.normal(0, 0.01, size=(10_000, 4))
    second = 0.7 + luck + random.normal(0, 0.03, size=(10_000, 4))
    paired = [
        paired_difference(dict(enumerate(a)), dict(enumerate(b))) for a, b in zip(first, second, strict=True)
    ]
    assert np.mean([abs(one.mean - 0.1) <= one.half_width for one in paired]) == pytest.approx(0.95, abs=0.01)
    first = random.normal(0.8, 0.02, size=(10_000, 4))
    second = random.normal(0.7, 0.06, size=(10_000, 8))
    welch = [welch_difference(a, b) for a, b in zip(first, second, strict=True)]
    assert np.mean([abs(one.mean - 0.1) <= one.half_width for one in welch]) == pytest.approx(0.95, abs=0.01)


def student_half_width(sd: float, n: int) -> float:
    return float(stats.t.ppf(0.975, n - 1)) * sd / math.sqrt(n)


@pytest.mark.parametrize("distance", [0.05, 0.02, 0.01, 0.004])
def test_the_seeds_needed_are_the_fewest_at_which_the_interval_is_narrow_enough(distance):
    sample = mean_interval([0.49, 0.5, 0.51])
    slow = next(n for n in range(4, 1000) if student_half_width(0.01, n) < distance)
    assert seeds_needed([sample], distance) == slow


def test_the_seeds_needed_of_two_samples_count_for_each():
    difference = welch_difference([0.4, 0.5, 0.6], [0.4, 0.42, 0.44, 0.42])
    a, b = 0.1**2, difference.second.sd**2

    def half_width(n: int) -> float:
        first, second = a / n, b / max(n, 4)
        degrees = (first + second) ** 2 / (first**2 / (n - 1) + second**2 / (max(n, 4) - 1))
        return float(stats.t.ppf(0.975, degrees)) * math.sqrt(first + second)

    slow = next(n for n in range(4, 1000) if half_width(n) < 0.03)
    assert seeds_needed([difference.first, difference.second], 0.03) == slow


def test_no_number_of_seeds_decides_a_mean_on_its_limit_or_the_spread_of_one_seed():
    assert seeds_needed([mean_interval([0.4, 0.5])], 0.0) is None
    assert seeds_needed([mean_interval([0.4, 0.5])], 1e-9) is None
    assert seeds_needed([mean_interval([0.5])], 0.1) is None


def test_with_the_seeds_needed_about_half_of_the_experiments_decide():
    # A mean 0.02 from its limit with sd 0.03 in truth: 12 seeds.
    assert next(n for n in range(2, 99) if student_half_width(0.03, n) < 0.02) == 12
    samples = np.random.default_rng(5).normal(0.02, 0.03, size=(4000, 12)).tolist()
    decided = np.mean([one.mean - one.half_width > 0 for one in map(mean_interval, samples)])
    assert decided == pytest.approx(0.55, abs=0.06)
