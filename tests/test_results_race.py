"""Who leaves a race: paired comparisons, looks that share a level, and how often the best is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from results.race import behind, looks
from sweeps.tuning import FEWEST_IN_A_RACE

# Differences 0.01, 0.02, 0.03, 0.04: mean 0.025, sd 0.0129099, t = 3.8730 with 3 degrees of freedom.
LEADER = [0.9, 0.8, 0.7, 0.6]
OTHER = [0.89, 0.78, 0.67, 0.56]

scores = st.floats(0, 1).map(lambda score: round(score, 3))


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [(4, []), (5, [4]), (6, [4]), (7, [4, 6]), (12, [4, 6, 8, 10]), (13, [4, 6, 8, 10, 12])],
)
def test_looks_begin_at_four_seeds_and_end_before_the_last(seeds, expected):
    assert looks(seeds) == expected


def test_a_spec_allows_a_race_only_where_somebody_may_leave():
    assert looks(FEWEST_IN_A_RACE) == []
    assert looks(FEWEST_IN_A_RACE + 1)


@pytest.mark.parametrize(
    ("candidates", "seeds", "level", "leaves"),
    [
        (2, 5, 0.05, True),  # one look: t(0.95, 3) = 2.3534
        (2, 7, 0.05, True),  # two looks: t(0.975, 3) = 3.1824
        (2, 9, 0.05, True),  # three looks: t(0.98333, 3) = 3.7399
        (2, 11, 0.05, False),  # four looks: t(0.9875, 3) = 4.1765
        (3, 7, 0.05, False),  # two looks, two possible leaders: the same
        (4, 5, 0.05, True),  # one look, three possible leaders: t(0.98333, 3) again
        (2, 5, 0.02, True),  # t(0.98, 3) = 3.4819
        (2, 5, 0.01, False),  # t(0.99, 3) = 4.5407
    ],
)
def test_all_looks_and_all_possible_leaders_share_the_level(candidates, seeds, level, leaves):
    # More that are as good as the leader, so that they add nothing to any spread.
    rivals = dict.fromkeys(range(2, candidates), LEADER)
    gone = behind({0: OTHER, 1: LEADER, **rivals}, seeds=seeds, level=level)
    assert gone == ({0: (1, pytest.approx(0.025))} if leaves else {})


@settings(deadline=None)
@given(st.lists(st.tuples(scores, scores), min_size=4, max_size=12), st.sampled_from([0.001, 0.05, 0.2]))
def test_of_two_the_worse_leaves_if_the_paired_t_test_of_scipy_says_so(pairs, level):
    first, second = (list(each) for each in zip(*pairs, strict=True))
    differences = [a - b for a, b in pairs]
    assume(np.ptp(differences) > 1e-6)  # without spread scipy has no answer
    assume(abs(np.mean(differences)) > 1e-9)
    leader = 0 if np.mean(differences) > 0 else 1
    best, worse = (first, second) if leader == 0 else (second, first)
    p = stats.ttest_rel(best, worse, alternative="greater").pvalue
    share = level / 4
    assume(abs(p - share) > 1e-9)
    gone = behind({0: first, 1: second}, seeds=12, level=level)
    assert gone == ({1 - leader: (leader, pytest.approx(abs(np.mean(differences))))} if p < share else {})


@settings(deadline=None)
@given(st.lists(st.lists(scores, min_size=6, max_size=6), min_size=3, max_size=6))
def test_of_several_no_spread_counts_for_less_than_the_median(table):
    values = np.array(table)
    order = np.lexsort((np.arange(len(values)), -np.array([math.fsum(row) / 6 for row in table])))
    leader, rest = int(order[0]), sorted(map(int, order[1:]))
    differences = values[leader] - values[rest]
    spreads = differences.std(axis=1, ddof=1)
    t = differences.mean(axis=1) * math.sqrt(6) / np.maximum(np.maximum(spreads, np.median(spreads)), 1e-300)
    p = stats.t.sf(t, 5)
    share = 0.05 / (4 * len(rest))
    assume((np.abs(p - share) > 1e-9).all())
    assume(np.median(spreads) > 1e-6)
    gone = behind(dict(enumerate(table)), seeds=12, level=0.05)
    assert list(gone) == [each for each, value in zip(rest, p, strict=True) if value < share]
    assert {found for found, _ in gone.values()} <= {leader}


@pytest.mark.parametrize(
    ("behind_by", "leaves"),
    [
        # Variances of the differences: 0.0004 of the first six rivals, 0.0001 of the last, whose counts as
        # (4 x 0.0004 + 3 x 0.0001) / 7 = 0.000271429. One look, seven possible leaders:
        # t(1 - 0.05 / 7, 7 degrees of freedom) = 3.2383, times sqrt(0.000271429 / 4) is 0.026676.
        (0.0267, True),
        (0.0265, False),
    ],
)
def test_among_seven_a_small_spread_is_moderated_by_the_median_as_by_four_more_seeds(behind_by, leaves):
    wide, narrow = ([scale * step for step in (1, 1, -1, -1)] for scale in (0.02, 0.01))
    unit = math.sqrt(4 / 3)  # the sd of 1, 1, -1, -1
    typical = {k: [-step / unit for step in wide] for k in range(1, 7)}
    last = [-behind_by - step / unit for step in narrow]
    gone = behind({0: [0.0] * 4, **typical, 7: last}, seeds=5, level=0.05)
    assert gone == ({7: (0, pytest.approx(behind_by))} if leaves else {})


def test_among_seven_a_large_spread_stays_as_it_is():
    # Variance 0.04, moderated it would be (4 x 0.0004 + 3 x 0.04) / 7 = 0.017371: behind by 0.3 it would
    # leave, as 3.2383 x sqrt(0.017371 / 4) = 0.2134 is less; by its own it needs 0.32383.
    unit = math.sqrt(4 / 3)
    typical = {k: [-0.02 * step / unit for step in (1, 1, -1, -1)] for k in range(1, 7)}
    last = [-0.3 - 0.2 * step / unit for step in (1, 1, -1, -1)]
    assert behind({0: [0.0] * 4, **typical, 7: last}, seeds=5, level=0.05) == {}


def test_what_the_seeds_share_is_nothing_to_compare():
    luck = [0.0, -0.3, 0.1, -0.2]
    lucky = {
        name: [score + each for score, each in zip(values, luck, strict=True)]
        for name, values in {0: LEADER, 1: OTHER}.items()
    }
    gone = behind(lucky, seeds=5, level=0.05)
    assert gone == {1: (0, pytest.approx(0.025))}


def test_equals_stay_and_the_first_of_them_leads():
    assert behind({3: OTHER, 1: OTHER}, seeds=5, level=0.05) == {}
    gone = behind({3: LEADER, 1: OTHER, 2: LEADER}, seeds=5, level=0.05)
    assert {candidate: leader for candidate, (leader, _) in gone.items()} == {1: 2}


def test_of_two_one_that_is_behind_by_the_same_on_every_seed_leaves():
    steady = {0: [0.5, 0.75, 0.25, 1.0], 1: [0.375, 0.625, 0.125, 0.875]}
    assert behind(steady, seeds=12, level=0.05) == {1: (0, 0.125)}


def test_the_same_step_on_every_seed_is_no_certainty_where_others_vary():
    leader = [0.5, 0.75, 0.25, 1.0]
    varying = [0.75, 0.25, 0.5, 0.75]
    step = [0.375, 0.625, 0.125, 0.875]
    assert behind({0: leader, 1: step, 2: varying}, seeds=12, level=0.05) == {}


def test_one_alone_is_behind_nobody():
    assert behind({4: LEADER}, seeds=12, level=0.05) == {}


# How often the best is lost. Scores are [candidates, seeds], the designated best first.

CANDIDATES, SEEDS, BEST = 20, 12, 0


def survivors(table: np.ndarray, level: float) -> list[int]:
    """Who is left at the end of a race over all columns of *table*."""
    alive = list(range(len(table)))
    for n in looks(table.shape[1]):
        left = {each: table[each, :n].tolist() for each in alive}
        gone = behind(left, seeds=table.shape[1], level=level)
        alive = [each for each in alive if each not in gone]
    return alive


def too_many(races: int, level: float) -> int:
    """More losses than this have a probability below 1 in 1000 if each race loses the best at *level*."""
    return int(stats.binom.ppf(0.999, races, level))


def equal_but_for_a_hair(random, spread):
    """The least favourable case: nobody is really worse, and one has to be the best."""
    luck = random.normal(0, 0.1, size=(1, SEEDS))
    noise = random.normal(0, 1, size=(CANDIDATES, SEEDS)) * spread
    truth = np.full((CANDIDATES, 1), 0.7)
    truth[BEST] += 1e-6
    return truth + luck + noise


def homoscedastic(random):
    return equal_but_for_a_hair(random, 0.02)


def heteroscedastic(random):
    return equal_but_for_a_hair(random, np.exp(random.normal(0, 1, size=(CANDIDATES, 1))) * 0.02)


def best_is_noisiest(random):
    spread = np.full((CANDIDATES, 1), 0.005)
    spread[BEST] = 0.1
    return equal_but_for_a_hair(random, spread)


def best_is_noisier(random):
    """So much noisier that the typical spread, which counts for its own, is too small for it."""
    spread = np.full((CANDIDATES, 1), 0.02)
    spread[BEST] = 0.05
    return equal_but_for_a_hair(random, spread)


def rivals_of_very_different_noise(random):
    return equal_but_for_a_hair(random, np.geomspace(0.001, 0.1, CANDIDATES)[:, None])


def rounded(random):
    """As 145 validation examples give them."""
    return np.round(equal_but_for_a_hair(random, 0.01) * 145) / 145


def rounded_and_nearly_perfect(random):
    """All right on the validation examples, or all but one."""
    right = random.random((CANDIDATES, SEEDS)) < 0.4
    right[BEST] |= random.random(SEEDS) < 1e-6
    return np.where(right, 145, 144) / 145


def spread_out(random):
    """Some are good and some are not."""
    luck = random.normal(0, 0.1, size=(1, SEEDS))
    truth = 0.9 - 0.4 * np.linspace(0, 1, CANDIDATES)[:, None] ** 2
    return truth + luck + random.normal(0, 0.03, size=(CANDIDATES, SEEDS))


@pytest.mark.parametrize("level", [0.05, 0.01])
@pytest.mark.parametrize(
    "draw",
    [
        homoscedastic,
        heteroscedastic,
        best_is_noisiest,
        best_is_noisier,
        rivals_of_very_different_noise,
        rounded,
        rounded_and_nearly_perfect,
        spread_out,
    ],
)
def test_a_race_loses_the_truly_best_no_more_often_than_its_level(draw, level):
    random, races = np.random.default_rng(20260301), 600
    lost = sum(BEST not in survivors(draw(random), level) for _ in range(races))
    assert lost <= too_many(races, level), f"{lost} of {races}"


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_of_two_equals_the_level_is_kept_and_not_wasted(level):
    """With two candidates only the looks share it, so that a good part of it is used."""
    random, races = np.random.default_rng(20260302), 4000
    tables = random.normal(0.7, 0.02, size=(races, 2, SEEDS)) + random.normal(0, 0.1, size=(races, 1, SEEDS))
    lost = sum(BEST not in survivors(table, level) for table in tables)
    assert level / 4 * races < lost <= too_many(races, level)


def test_a_race_is_worth_it():
    """Of candidates that differ most of the trials are saved, and the best is still there."""
    random, races, level = np.random.default_rng(20260303), 100, 0.05
    ends = [survivors(spread_out(random), level) for _ in range(races)]
    assert np.mean([len(end) for end in ends]) < CANDIDATES / 2
    assert sum(BEST in end for end in ends) >= races - too_many(races, level)
