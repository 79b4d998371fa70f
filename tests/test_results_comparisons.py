"""Pairs of methods, against hand calculations, scipy, statsmodels and simulation."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from contending_cells import contender
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from results import comparisons
from results.comparisons import compared, hedges_g, share_better
from results.power import detectable, more_seeds
from results.statistics import Interval, mean_interval

# What a test of 360 examples can give, by seed: with ties, and seeds that one side lacks.
by_seed = st.dictionaries(
    st.integers(0, 9), st.integers(0, 360).map(lambda right: right / 360), min_size=1, max_size=10
)


def alone(first, second, *, metric="acc", **options):
    """The only pair of a family of one."""
    (pair,) = compared([(contender("a", first), contender("b", second))], metric, **options)
    return pair


def test_a_pair_is_compared_as_worked_out_by_hand():
    pair = alone([0.91, 0.82, 0.73], [0.90, 0.80, 0.70])
    # Differences 0.01, 0.02, 0.03: t = sqrt(12), p = 1 - sqrt(6/7), J(2) = 1 / sqrt(pi).
    assert (pair.first, pair.second, pair.share) == ("a", "b", 1.0)
    assert pair.difference == Interval(
        3, pytest.approx(0.02), pytest.approx(0.01), pytest.approx(4.302653 * 0.01 / math.sqrt(3)), 0.95
    )
    assert pair.p == pair.p_holm == pytest.approx(1 - math.sqrt(6 / 7))
    assert pair.g == pytest.approx(2 / math.sqrt(math.pi))
    assert pair.detectable == pytest.approx(detectable(3, 0.01))
    assert pair.more_seeds == more_seeds(3, 0.02, 0.01) == 2
    assert not pair.rejected(0.95)
    assert pair.rejected(0.9)


def test_only_seeds_that_both_have_are_compared():
    pair = alone({0: 0.5, 1: 0.75, 3: 0.0, 7: 0.5}, {7: 0.25, 1: 0.5, 0: 0.0, 4: 1.0})
    assert (pair.difference.n, pair.difference.mean) == (3, pytest.approx(1 / 3))


def test_a_metric_of_which_less_is_better_has_the_plain_difference_and_counts_the_other_way():
    cells = (
        contender("a", [0.5], fm={0: 0.1, 1: 0.2, 2: 0.3}),
        contender("b", [0.5], fm={0: 0.2, 1: 0.2, 2: 0.5}),
    )
    (pair,) = compared([cells], "fm")
    assert pair.difference.mean == pytest.approx(-0.1)
    assert pair.share == pytest.approx(2.5 / 3)


def test_the_family_is_corrected_as_statsmodels_corrects_the_p_values_of_scipy():
    accuracies = np.random.default_rng(20260105).normal([[0.8], [0.82], [0.82], [0.9]], 0.02, size=(4, 6))
    cells = [contender(name, row) for name, row in zip("abcd", accuracies, strict=True)]
    pairs = compared(list(combinations(cells, 2)), "acc")
    raw = [stats.ttest_rel(a, b).pvalue for a, b in combinations(accuracies, 2)]
    rejected, corrected, *_ = multipletests(raw, alpha=0.05, method="holm")
    assert [pair.p for pair in pairs] == pytest.approx(raw)
    assert [pair.p_holm for pair in pairs] == pytest.approx(corrected)
    assert [pair.rejected(0.95) for pair in pairs] == rejected.tolist()
    assert 0 < sum(rejected) < 6
    for pair in pairs:
        assert pair.detectable == pytest.approx(detectable(6, pair.difference.sd, alpha=0.05 / 6))


def test_a_pair_that_shares_one_seed_or_none_is_not_tested_and_counts_in_the_family():
    a, b, c = contender("a", [0.5, 0.625, 0.75]), contender("b", {0: 0.25, 9: 0.5}), contender("c", {8: 0.5})
    d = contender("d", [0.5, 0.5, 0.5])
    one, none, tested = compared([(a, b), (a, c), (a, d)], "acc")
    assert one.difference == Interval(1, 0.25, None, None)
    assert (one.g, one.share, one.p, one.p_holm, one.detectable, one.more_seeds) == (None, 1.0, *[None] * 4)
    assert none.difference is none.share is none.p is none.detectable is none.more_seeds is None
    assert not one.rejected(0.95)
    assert not none.rejected(0.95)
    assert tested.p_holm == pytest.approx(3 * tested.p)


def test_equal_methods_are_not_told_apart_by_any_number_of_seeds():
    pair = alone([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    assert (pair.p, pair.share, pair.g, pair.detectable, pair.more_seeds) == (1.0, 0.5, None, 0.0, None)


def test_differences_that_happen_to_be_equal_are_no_proof():
    pair = alone([0.93, 0.83, 0.73], [0.92, 0.82, 0.72])
    # As if they had a standard deviation of 0.01: t = sqrt(3), p = 1 - t / sqrt(t^2 + 2).
    assert pair.p == pytest.approx(1 - math.sqrt(3 / 5))
    assert (pair.difference.sd, pair.g, pair.share) == (0.0, None, 1.0)
    assert pair.detectable == detectable(3, 0.01)
    assert pair.more_seeds == more_seeds(3, 0.01, 0.01) == 7
    assert alone([0.9, 0.8, 0.7], [0.5, 0.4, 0.3]).rejected(0.95)


def test_what_sums_are_rounded_to_is_a_tie():
    assert 0.1 + 0.2 > 0.3
    assert share_better({0: 0.1 + 0.2, 1: 0.5}, {0: 0.3, 1: 0.25}) == 0.75
    assert alone([0.1 + 0.2, 0.5, 0.5], [0.3, 0.5, 0.5]).p == 1.0


@given(by_seed, by_seed)
def test_exchanging_two_methods_only_changes_signs(first, second):
    a, b = contender("a", first), contender("b", second)
    ((pair,), (back,)) = compared([(a, b)], "acc"), compared([(b, a)], "acc")
    assert (back.first, back.second) == (pair.second, pair.first)
    for name in ("p", "p_holm", "detectable", "more_seeds"):
        assert getattr(back, name) == pytest.approx(getattr(pair, name))
    if pair.difference is None:
        assert back.difference is None
        return
    assert back.difference.mean == pytest.approx(-pair.difference.mean, abs=1e-12)
    assert back.difference.half_width == pytest.approx(pair.difference.half_width, abs=1e-12)
    assert back.share == pytest.approx(1 - pair.share)
    assert (back.g is None) is (pair.g is None)
    assert back.g is None or back.g == pytest.approx(-pair.g)


@given(by_seed, by_seed)
def test_the_share_of_seeds_on_which_one_is_better_counts_ties_half(first, second):
    shared = first.keys() & second.keys()
    if not shared:
        assert share_better(first, second) is None
        return
    wins = sum(first[seed] > second[seed] for seed in shared) + sum(
        first[seed] >= second[seed] for seed in shared
    )
    assert share_better(first, second) == pytest.approx(wins / 2 / len(shared))


@pytest.mark.parametrize("n", [4, 5, 10])
def test_hedges_g_is_right_on_average_where_the_plain_ratio_is_too_large(n):
    truth = 0.8
    samples = np.random.default_rng(20260106).normal(0.08, 0.1, size=(40_000, n)).tolist()
    intervals = [mean_interval(sample) for sample in samples]
    assert np.mean([hedges_g(interval) for interval in intervals]) == pytest.approx(truth, abs=0.015)
    assert np.mean([interval.mean / interval.sd for interval in intervals]) > truth + 0.05


@given(st.integers(5, 200))
def test_hedges_correction_is_close_to_its_usual_approximation(n):
    # 1 - 3 / (4 m - 1) with m = n - 1 (Hedges 1981), which differs by less than 0.004 from m = 4 on.
    assert hedges_g(Interval(n, 1.0, 1.0, 1.0)) == pytest.approx(1 - 3 / (4 * (n - 1) - 1), abs=0.004)


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.6], [0.5, 0.5, 0.5]])
def test_an_effect_has_no_size_with_less_than_three_seeds_or_without_spread(values):
    assert hedges_g(mean_interval(values)) is None


@pytest.mark.parametrize(("n", "methods", "examples"), [(2, 5, 360), (2, 5, None), (3, 8, 360), (5, 4, 360)])
def test_equal_methods_are_told_apart_at_most_5_times_in_100(n, methods, examples, monkeypatch):
    # Planning takes most of the time, and is nothing to this.
    monkeypatch.setattr(comparisons, "more_seeds", lambda *_, **__: None)
    random = np.random.default_rng(20260107)
    wrong = 0
    for _ in range(1000):
        accuracies = 0.8 + random.normal(0, 0.02, size=n) + random.normal(0, 0.01, size=(methods, n))
        if examples:
            accuracies = np.round(accuracies * examples) / examples
        cells = [contender(str(position), row.tolist()) for position, row in enumerate(accuracies)]
        wrong += any(pair.rejected(0.95) for pair in compared(list(combinations(cells, 2)), "acc"))
    # 0.05 and three times the standard deviation of the simulation.
    assert wrong / 1000 < 0.071
