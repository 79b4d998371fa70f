"""Methods over all scenarios, against hand calculations and the library of Agarwal et al. 2021."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from contending_cells import contender
from hypothesis import given
from hypothesis import strategies as st
from reliable import library, metrics

from results.across import (
    TAUS,
    Estimate,
    improvement,
    improvement_interval,
    iqm,
    iqm_interval,
    normalised,
    profile,
    profile_band,
)
from results.schema import FAILED

# Scores [8 runs, 5 scenarios] of two methods, of two decimals so that there are ties.
FIRST, SECOND = (
    np.round(np.random.default_rng(seed).normal([[0.5, 0.6, 0.7, 0.8, 0.9]], 0.1, size=(8, 5)) - lower, 2)
    for seed, lower in ((1, 0.0), (2, 0.07))
)
# What two bootstraps of some thousand resamples may differ by, far below the widths of their intervals.
CLOSE = 0.012
A, B = "class-il/split-digits", "domain-il/split-digits"


def random(seed=0):
    return np.random.default_rng(seed)


def by_scenario(matrix):
    return list(matrix.T)


scores = st.lists(
    st.lists(st.integers(-2, 12).map(lambda tenths: tenths / 10), min_size=1, max_size=6).map(np.array),
    min_size=1,
    max_size=4,
)


def test_scores_are_0_at_chance_and_1_at_the_mean_of_joint():
    cells = [
        contender("joint", [0.8, 1.0], chance=0.1, scenario=A),
        contender("naive", [0.1, 0.5], chance=0.1, scenario=A),
        contender("replay", [0.9, 0.98], chance=0.1, scenario=A),
        contender("joint", [0.75], chance=0.25, scenario=B),
        contender("replay", [0.5, 0.25, 0.75], chance=0.25, scenario=B),
        contender("naive", [0.0], chance=0.25, scenario=B),
    ]
    found = normalised(cells)
    assert found.scenarios == (A, B)
    assert found.left_out == {}
    assert {name: [runs.tolist() for runs in its] for name, its in found.methods.items()} == {
        "naive": [pytest.approx([0.0, 0.5]), pytest.approx([-0.5])],
        "replay": [pytest.approx([1.0, 1.1]), pytest.approx([0.5, 0.0, 1.0])],
    }


@pytest.mark.parametrize(
    ("joint", "reason"),
    [
        ([], "no complete joint, which would score 1"),
        ([contender("joint", {}, ended={0: FAILED}, scenario=B)], "no complete joint, which would score 1"),
        ([contender("joint", [0.9], scenario=B)], "its rows do not say the accuracy of guessing"),
        ([contender("joint", [0.2], chance=0.2, scenario=B)], "joint is not better than guessing"),
        (
            [contender(f"joint train.lr={k}", [0.9], chance=0.2, scenario=B) for k in (1, 2)],
            "several cells of complete joint, which would score 1",
        ),
    ],
)
def test_a_scenario_without_a_scale_is_left_out_with_the_reason(joint, reason):
    cells = [
        contender("joint", [0.9], chance=0.1, scenario=A),
        contender("naive", [0.5], chance=0.1, scenario=A),
        contender("naive", [0.5], chance=0.1, scenario=B),
        *joint,
    ]
    found = normalised(cells)
    assert found.scenarios == (A,)
    assert found.left_out == {B: reason}
    assert [len(its) for its in found.methods.values()] == [1]


def test_only_methods_that_score_in_all_scenarios_are_compared():
    cells = [contender("joint", [0.9], chance=0.1, scenario=title) for title in (A, B)]
    cells += [contender("naive", [0.5], scenario=title) for title in (A, B)]
    cells += [contender("pnn", [0.5], scenario=A)]
    cells += [contender("gem", {}, ended={0: FAILED}, scenario=title) for title in (A, B)]
    cells += [contender("ewc lambda=1", [0.5], scenario=B), contender("ewc lambda=2", [0.6], scenario=B)]
    found = normalised(cells)
    assert list(found.methods) == ["naive"]
    assert found.left_out == {
        "pnn": f"no scores in {B}",
        "gem": f"no scores in {A}, {B}",
        **dict.fromkeys(
            ["ewc lambda=1", "ewc lambda=2"],
            "one of several of its method, and none was chosen on validation data",
        ),
    }


def test_a_grid_scores_by_the_cell_chosen_on_validation_or_named():
    cells = [
        contender("joint", [1.0], chance=0.0),
        replace(contender("ewc lambda=1", [0.25]), searched=True),
        contender("ewc lambda=2", [0.75]),
    ]
    assert normalised(cells).methods["ewc"][0].tolist() == [0.25]
    assert normalised(cells, named=["ewc lambda=2"]).methods["ewc"][0].tolist() == [0.75]


def test_the_interquartile_mean_of_runs_of_unequal_number_is_worked_out_by_hand():
    # Of seven runs one is cut at each end: (0.1 + 0.2 + 0.3 + 0.4 + 0.9) / 5.
    assert iqm([np.array([0.3, 0.1, -5.0, 0.4]), np.array([9.0, 0.9, 0.2])]) == pytest.approx(0.38)


def test_the_probability_of_improvement_is_worked_out_by_hand():
    # 0.5 of (0.5, 0.7): one above, one tie of four pairs: 1.5 / 4; then all above: 1.
    first = [np.array([0.5, 0.7]), np.array([0.9])]
    second = [np.array([0.7, 0.6]), np.array([0.1, 0.2, 0.3])]
    assert improvement(first, second) == pytest.approx((1.5 / 4 + 1) / 2)


def test_points_are_those_of_rliable():
    assert iqm(by_scenario(FIRST)) == pytest.approx(metrics.aggregate_iqm(FIRST), abs=1e-12)
    assert iqm(by_scenario(FIRST[:7])) == pytest.approx(metrics.aggregate_iqm(FIRST[:7]), abs=1e-12)
    assert any(np.isin(x, y).any() for x, y in zip(FIRST.T, SECOND.T, strict=True)), "there should be ties"
    for one, other in ((FIRST, SECOND), (SECOND, FIRST), (FIRST, SECOND[:5]), (FIRST, FIRST)):
        theirs = metrics.probability_of_improvement(one, other)
        assert improvement(by_scenario(one), by_scenario(other)) == pytest.approx(theirs, abs=1e-12)
    theirs = library.score_distributions(FIRST, TAUS)
    assert profile(by_scenario(FIRST)) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_the_interval_of_the_interquartile_mean_is_that_of_rliable_to_sampling_error(level):
    np.random.seed(3)  # noqa: NPY002 - rliable draws from the global generator, whichever it is given
    points, intervals = library.get_interval_estimates(
        {"it": FIRST},
        lambda runs: np.array([metrics.aggregate_iqm(runs)]),
        reps=4000,
        confidence_interval_size=level,
    )
    ours = iqm_interval(by_scenario(FIRST), random(), level=level, resamples=4000)
    assert ours.value == pytest.approx(points["it"][0])
    assert [ours.low, ours.high] == pytest.approx(intervals["it"].ravel(), abs=CLOSE / 2)
    assert ours.high - ours.low > 3 * CLOSE


def test_the_interval_of_the_probability_of_improvement_is_that_of_rliable_to_sampling_error():
    np.random.seed(4)  # noqa: NPY002 - rliable's bootstrap knows no other generator than the global one
    points, intervals = library.get_interval_estimates(
        {"it": [FIRST, SECOND]},
        lambda one, other: np.array([metrics.probability_of_improvement(one, other)]),
        reps=1000,
    )
    ours = improvement_interval(by_scenario(FIRST), by_scenario(SECOND), random(), resamples=4000)
    assert ours.value == pytest.approx(points["it"][0])
    assert [ours.low, ours.high] == pytest.approx(intervals["it"].ravel(), abs=3 * CLOSE)
    assert ours.high - ours.low > 6 * CLOSE


def test_the_band_of_a_profile_is_that_of_rliable_to_sampling_error():
    taus = np.linspace(0.3, 1.0, 8)
    np.random.seed(5)  # noqa: NPY002 - rliable's profiles offer no generator at all
    points, bands = library.create_performance_profile({"it": FIRST}, taus, reps=2000)
    low, high = profile_band(by_scenario(FIRST), random(), taus, resamples=2000)
    assert profile(by_scenario(FIRST), taus) == pytest.approx(points["it"])
    # In steps of a fortieth: forty runs.
    assert low == pytest.approx(bands["it"][0], abs=0.026)
    assert high == pytest.approx(bands["it"][1], abs=0.026)
    assert (high - low).max() > 0.15


@pytest.mark.parametrize(
    "estimate",
    [
        lambda generator: iqm_interval(by_scenario(FIRST), generator, resamples=200),
        lambda generator: improvement_interval(
            by_scenario(FIRST), by_scenario(SECOND), generator, resamples=200
        ),
        lambda generator: tuple(
            map(tuple, profile_band(by_scenario(FIRST), generator, resamples=200)),
        ),
    ],
    ids=["iqm", "improvement", "profile"],
)
def test_an_interval_depends_on_the_generator_that_is_given_and_on_no_other(estimate):
    first = estimate(random(1))
    np.random.seed(0)  # noqa: NPY002 - the global generator, which must have no influence
    assert estimate(random(1)) == first
    assert estimate(random(2)) != first


def test_runs_are_resampled_within_their_scenario():
    # Without spread within scenarios there is none at all, however far these are apart.
    apart = [np.full(4, 0.1), np.full(4, 0.5), np.full(4, 0.9)]
    assert iqm_interval(apart, random()) == Estimate(*[pytest.approx(0.5)] * 3)
    low, high = profile_band(apart, random(), np.array([0.0, 0.3, 0.7, 1.0]))
    assert low == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert high == pytest.approx([1, 2 / 3, 1 / 3, 0])


@given(scores, scores)
def test_improving_one_way_is_not_improving_the_other_way(first, second):
    pairs = min(len(first), len(second))
    there, back = improvement(first[:pairs], second[:pairs]), improvement(second[:pairs], first[:pairs])
    assert there + back == pytest.approx(1)
    assert improvement(first, first) == pytest.approx(0.5)


@given(scores, st.floats(-1, 1), st.floats(0.1, 5))
def test_the_interquartile_mean_moves_and_stretches_with_the_scores(runs, shift, scale):
    assert iqm([scale * its + shift for its in runs]) == pytest.approx(scale * iqm(runs) + shift)


@given(scores)
def test_a_profile_falls_from_1_to_0(runs):
    shares = profile(runs, np.linspace(-1, 2, 61))
    assert (shares[0], shares[-1]) == (1, 0)
    assert (np.diff(shares) <= 0).all()


def test_the_reverse_of_a_probability_has_its_ends_exchanged():
    assert Estimate(0.75, 0.5, 0.875).reverse == Estimate(0.25, 0.125, 0.5)


def test_single_seeds_have_no_interval():
    one, two = [np.array([0.5]), np.array([0.2, 0.4])], [np.array([0.1, 0.3]), np.array([0.7, 0.9])]
    random = np.random.default_rng(0)
    assert np.isnan(iqm_interval(one, random).low)
    assert np.isnan(improvement_interval(two, one, random).high)
    assert all(np.isnan(end).all() for end in profile_band(one, random))
    assert not np.isnan(iqm_interval(two, random).low)
