"""Means, intervals and tests, against hand calculations, scipy, statsmodels and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from results.statistics import (
    BCA_FROM,
    Interval,
    Spread,
    bca_interval,
    disagree,
    holm,
    mean_interval,
    paired_difference,
    seeds_needed,
    spread,
    t_test,
    welch_difference,
)

accuracies = st.lists(st.floats(0, 1), min_size=2, max_size=30)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)
SKEWED = np.random.default_rng(3).lognormal(0, 0.4, 40).tolist()


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


@given(accuracies, st.floats(-2, 2), st.floats(0.1, 10))
def test_an_interval_moves_and_stretches_with_its_values(values, shift, scale):
    interval = mean_interval(values)
    moved = mean_interval([scale * value + shift for value in values])
    assert moved.mean == pytest.approx(scale * interval.mean + shift, abs=1e-12)
    assert moved.half_width == pytest.approx(scale * interval.half_width, abs=1e-12)
    assert moved.ends == pytest.approx([scale * end + shift for end in interval.ends], abs=1e-12)


@given(accuracies)
def test_an_interval_of_a_higher_level_encloses_that_of_a_lower_one(values):
    (low, high), (lower, higher) = (mean_interval(values, level).ends for level in (0.9, 0.99))
    assert lower <= low <= high <= higher


@pytest.mark.parametrize("n", [2, 3, 5, 20])
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


def test_equal_differences_have_no_spread_whatever_their_subtraction_is_rounded_to():
    assert 0.9 - 0.8 != 0.8 - 0.7
    interval = paired_difference({0: 0.9, 1: 0.8, 2: 0.7}, {0: 0.8, 1: 0.7, 2: 0.6})
    assert interval == Interval(3, 0.1, 0.0, 0.0, 0.95)


@given(accuracies, st.data())
def test_the_p_value_of_paired_differences_is_that_of_scipy(first, data):
    second = data.draw(st.lists(st.floats(0, 1), min_size=len(first), max_size=len(first)))
    assume(np.std(np.subtract(first, second)) > 1e-6)  # with less scipy warns of its own rounding
    interval = paired_difference(dict(enumerate(first)), dict(enumerate(second)))
    assert t_test(interval) == pytest.approx(stats.ttest_rel(first, second).pvalue, abs=1e-6)


def test_three_differences_give_the_p_value_worked_out_by_hand():
    # t = 0.02 / (0.01 / sqrt(3)) = sqrt(12); with 2 degrees of freedom p = 1 - t / sqrt(t^2 + 2).
    assert t_test(mean_interval([0.01, 0.02, 0.03])) == pytest.approx(1 - math.sqrt(6 / 7))


def test_one_value_cannot_be_tested():
    assert t_test(mean_interval([0.5])) is None


def test_values_without_spread_are_tested_as_if_they_had_a_little():
    # t = 0.02 / (0.01 / sqrt(3)) = sqrt(12), as above.
    assert t_test(mean_interval([-0.02] * 3)) == pytest.approx(1 - math.sqrt(6 / 7))
    assert t_test(mean_interval([0.7] * 3)) < 1e-4
    assert t_test(mean_interval([0.0] * 3)) == 1.0


def test_many_equal_values_however_small_are_tested_by_their_signs():
    assert t_test(mean_interval([0.001] * 10)) == pytest.approx(stats.binomtest(0, 10).pvalue) == 2**-9


def test_p_values_of_true_nulls_are_uniform():
    samples = np.random.default_rng(20260103).normal(0, 1, size=(10_000, 4)).tolist()
    p = [t_test(mean_interval(sample)) for sample in samples]
    assert stats.kstest(p, "uniform").statistic < 0.02  # which chance exceeds once in two thousand times


@settings(max_examples=10)  # statsmodels collects garbage each time
@given(p_values)
def test_holms_p_values_are_those_of_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


def test_what_could_not_be_tested_counts_in_the_family():
    # Worked out by hand: 4 * 0.01; 3 * 0.03; 2 * 0.04 = 0.08, raised to the 0.09 before it.
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.04, None, 0.09, 0.09])
    assert holm([0.01, 1.0, 0.04, 0.03]) == pytest.approx([0.04, 1.0, 0.09, 0.09])
    assert holm([None, None]) == [None, None]


@given(p_values)
def test_holms_p_values_keep_the_order_and_are_never_below_the_raw_ones(p):
    adjusted = holm(p)
    in_order = [adjusted[position] for position in np.argsort(p, kind="stable")]
    assert in_order == sorted(adjusted)
    assert all(raw <= corrected <= 1 for raw, corrected in zip(p, adjusted, strict=True))


@given(p_values, st.data())
def test_holms_p_values_grow_with_the_raw_ones(p, data):
    position = data.draw(st.integers(0, len(p) - 1))
    larger = [*p[:position], data.draw(st.floats(p[position], 1)), *p[position + 1 :]]
    assert all(before <= after for before, after in zip(holm(p), holm(larger), strict=True))


def test_eight_values_lie_as_worked_out_by_hand():
    # A quarter of eight is two at each end; what is left is 3, 4, 6, 7.
    assert spread([8, 1, 7, 4, 100, 2, 6, 3]) == Spread(median=5.0, iqm=5.0, least=1.0, most=100.0)
    assert spread([0.5]) == Spread(0.5, 0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="at least one value"):
        spread([])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_interquartile_mean_is_the_trimmed_mean_of_scipy(values):
    assert spread(values).iqm == pytest.approx(stats.trim_mean(values, 0.25), abs=1e-12)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_a_bca_interval_is_that_of_scipy_to_sampling_error(level):
    random = np.random.default_rng(99)
    theirs = stats.bootstrap((SKEWED,), np.mean, confidence_level=level, method="BCa", rng=random)
    percentile = stats.bootstrap((SKEWED,), np.mean, confidence_level=level, method="percentile", rng=random)
    ours = bca_interval(SKEWED, level)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.02)
    assert ours[1] > percentile.confidence_interval.high + 0.02  # which the skewness pulls up


def test_a_bca_interval_depends_on_the_values_and_on_the_generator_given_alone():
    interval = bca_interval(SKEWED)
    assert bca_interval(SKEWED[::-1]) == interval
    assert bca_interval(SKEWED, random=np.random.default_rng(7)) != interval
    assert bca_interval(SKEWED, random=np.random.default_rng(7)) == bca_interval(
        SKEWED, random=np.random.default_rng(7)
    )


def test_a_bca_interval_needs_twenty_values_and_has_no_width_without_spread():
    assert bca_interval(SKEWED[: BCA_FROM - 1]) is None
    assert bca_interval(SKEWED[:BCA_FROM]) is not None
    assert bca_interval([0.9] * BCA_FROM) == (0.9, 0.9)
    assert bca_interval([0.1 + 0.2] + [0.3] * BCA_FROM) == (0.3, 0.3)


def test_intervals_disagree_if_an_end_is_off_by_a_quarter_of_the_half_width():
    interval = Interval(20, 0.5, 0.2, 0.08)  # from 0.42 to 0.58
    assert not disagree(interval, (0.4375, 0.5625))
    assert disagree(interval, (0.42, 0.555))
    assert disagree(interval, (0.395, 0.58))
    assert not disagree(Interval(1, 0.5, None, None), (0.0, 1.0))


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
