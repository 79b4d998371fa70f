"""Means and Student t intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from results.statistics import Interval, mean_interval

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
