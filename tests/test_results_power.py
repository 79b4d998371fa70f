"""What seeds can show, against numerical integration, statsmodels and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from results.power import POWER, detectable, more_seeds

levels = st.sampled_from([0.05, 0.05 / 10, 0.05 / 45])


def integrated_power(n: int, difference: float, alpha: float) -> float:
    """The chance of a significant difference of the right sign, by integration over the sample's sd.

    t > c is Z + difference sqrt(n) > c S, with Z standard normal and S^2 = chi^2 / (n - 1) independent.
    """
    critical = stats.t.ppf(1 - alpha / 2, n - 1)
    middles = (np.arange(100_000) + 0.5) / 100_000
    sd = np.sqrt(stats.chi2.ppf(middles, n - 1) / (n - 1))
    return float(stats.norm.cdf(difference * math.sqrt(n) - critical * sd).mean())


@pytest.mark.parametrize("tests", [1, 10, 45])
@pytest.mark.parametrize("n", [2, 3, 5, 20, 100])
def test_what_is_detectable_is_found_with_80_per_cent_by_the_definition_of_the_test(n, tests):
    difference = detectable(n, alpha=0.05 / tests)
    assert integrated_power(n, difference, 0.05 / tests) == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize(("n", "power"), [(3, 0.8), (5, 0.8), (5, 0.5), (20, 0.9), (1000, 0.8)])
def test_the_power_at_what_is_detectable_is_that_of_statsmodels(n, power):
    difference = detectable(n, power=power)
    # Which counts a significant difference of the wrong sign as well.
    assert TTestPower().power(difference, n, 0.05) == pytest.approx(power, abs=1e-4)


@pytest.mark.parametrize(("n", "alpha"), [(2, 0.05), (5, 0.05), (5, 0.05 / 10), (20, 0.05 / 3)])
def test_a_paired_t_test_finds_what_is_detectable_80_times_in_100(n, alpha):
    sd = 0.03
    difference = detectable(n, sd, alpha=alpha)
    samples = np.random.default_rng(20260104).normal(difference, sd, size=(100_000, n))
    found = stats.ttest_1samp(samples, 0.0, axis=1).pvalue < alpha
    assert found.mean() == pytest.approx(POWER, abs=0.01)


@given(st.integers(2, 200), st.floats(1e-4, 1), levels)
def test_the_standard_deviation_is_the_unit_of_what_is_detectable(n, sd, alpha):
    assert detectable(n, sd, alpha=alpha) == pytest.approx(sd * detectable(n, alpha=alpha), rel=1e-12)


@given(st.integers(2, 200), levels)
def test_more_seeds_more_tolerance_for_error_or_less_power_detect_smaller_differences(n, alpha):
    difference = detectable(n, alpha=alpha)
    assert detectable(n + 1, alpha=alpha) < difference
    assert detectable(n, alpha=alpha * 2) < difference
    assert detectable(n, alpha=alpha, power=0.7) < difference


def test_nothing_is_detectable_with_one_seed_and_anything_without_spread():
    assert detectable(1) is None
    assert detectable(0) is None
    assert detectable(3, 0.0) == 0.0


@pytest.mark.parametrize("difference", [1.7, 1.0, 0.5, 0.2])
def test_as_many_more_seeds_are_needed_as_trying_one_after_the_other_says(difference):
    power = TTestPower()
    slow = next(n for n in range(4, 1000) if power.power(difference, n, 0.05) >= 0.8)
    assert more_seeds(4, difference, 1.0) == slow - 4
    assert more_seeds(4, -difference, 1.0) == slow - 4
    assert more_seeds(4, difference * 0.02, 0.02) == slow - 4


@given(st.integers(2, 50), st.floats(0.05, 2), levels)
def test_so_many_more_seeds_find_the_difference_and_one_less_does_not(n, difference, alpha):
    more = more_seeds(n, difference, 1.0, alpha=alpha)
    assert detectable(n + more, alpha=alpha) <= difference
    assert more == 0 or detectable(n + more - 1, alpha=alpha) > difference


def test_seeds_that_find_the_difference_already_need_no_more():
    assert more_seeds(20, 0.67, 1.0) == 0
    assert more_seeds(20, 0.66, 1.0) > 0


def test_one_seed_needs_at_least_a_second_and_no_number_finds_nothing():
    assert more_seeds(1, 100.0, 1.0) == 1
    assert more_seeds(5, 0.0, 1.0) is None
    assert more_seeds(5, 1e-4, 1.0) is None
