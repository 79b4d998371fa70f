"""What changed between two runs, against differences worked out by hand and tests of scipy."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from made_rows import Rows
from made_sweeps import made_sweep, seeds_of, with_acc
from scipy import stats

from results.families import NoSuchCell
from results.schema import DIVERGED, FAILED, RUNNING
from results.statistics import welch_difference
from results.two_runs import NothingInCommon, Outcome, compare_runs, welch_test

# t(0.975, 2) from any printed table.
T2 = 4.302653
OLD = {0: 0.80, 1: 0.82, 2: 0.85}
UP = {0: 0.83, 1: 0.86, 2: 0.87}
"""Differences 0.03, 0.04, 0.02: mean 0.03, sd 0.01."""


def compared(a, b, *, metrics=("acc",), **options):
    """Two runs, each as {method: {seed: ACC}} or rows."""
    sides = (side if isinstance(side, Rows) else rows_of(side) for side in (a, b))
    first, second = (made_sweep(name, rows) for name, rows in zip("ab", sides, strict=True))
    return compare_runs(first, second, metrics=metrics, **options)


def rows_of(methods):
    rows = Rows()
    for method, accs in methods.items():
        seeds_of(rows, method, accs)
    return rows


def changes(two, metric="acc"):
    (its,) = two.scenarios
    return {change.couple.label: change for change in its.families[metric]}


def outcomes(two):
    return {couple.label: outcome for _, couple, outcome in two.outcomes}


def test_the_difference_is_b_minus_a_paired_by_seed():
    change = changes(compared({"naive": OLD}, {"naive": UP}))["naive"]
    assert change.difference.mean == pytest.approx(0.03)
    assert change.difference.half_width == pytest.approx(T2 * 0.01 / math.sqrt(3), rel=1e-6)
    assert change.p == pytest.approx(stats.ttest_rel(list(UP.values()), list(OLD.values())).pvalue)
    assert change.is_paired


def test_only_shared_seeds_enter_a_paired_difference():
    change = changes(compared({"naive": OLD | {3: 0.1, 4: 0.2}}, {"naive": UP | {9: 0.99}}))["naive"]
    assert (change.shared, change.difference.n) == ((0, 1, 2), 3)
    assert change.difference.mean == pytest.approx(0.03)


@pytest.mark.parametrize("seeds", [(10, 11, 12, 13), (2, 11, 12, 13)])
def test_with_fewer_than_two_shared_seeds_the_samples_are_independent(seeds):
    ours, theirs = [0.80, 0.82, 0.85], [0.83, 0.90, 0.81, 0.88]
    b = dict(zip(seeds, theirs, strict=True))
    change = changes(compared({"naive": OLD}, {"naive": b}))["naive"]
    expected = stats.ttest_ind(theirs, ours, equal_var=False)
    low, high = expected.confidence_interval(0.95)
    assert not change.is_paired
    assert change.p == pytest.approx(expected.pvalue)
    assert change.difference.mean == pytest.approx(np.mean(theirs) - np.mean(ours))
    assert change.difference.half_width == pytest.approx((high - low) / 2)


def test_the_rounding_of_sums_is_no_spread_of_independent_samples():
    one = 0.3
    two, three = (one + ulps * math.ulp(one) for ulps in (1, 2))
    assert one < two < three
    change = changes(compared({"naive": {0: one, 1: two}}, {"naive": {7: two, 8: three}}))["naive"]
    assert (change.p, change.difference.half_width) == (1.0, 0.0)


def test_what_is_the_same_bit_for_bit_is_reproduced_and_no_test():
    two = compared({"naive": OLD, "replay": OLD}, {"naive": OLD | {3: 0.1}, "replay": UP})
    same, other = changes(two)["naive"], changes(two)["replay"]
    assert (same.is_reproduced, same.identical, same.p, same.p_holm) == (True, (0, 1, 2), None, None)
    assert outcomes(two) == {"naive": Outcome.same, "replay": Outcome.better}
    assert other.p_holm == other.p, "the family is of one test"


def test_p_values_are_corrected_for_the_tests_of_their_scenario_and_metric():
    alike = {0: 0.81, 1: 0.81, 2: 0.86}
    two = compared({"naive": OLD, "ewc": OLD, "replay": OLD}, {"naive": UP, "ewc": alike, "replay": OLD})
    found = changes(two)
    small = stats.ttest_rel(list(UP.values()), list(OLD.values())).pvalue
    large = stats.ttest_rel(list(alike.values()), list(OLD.values())).pvalue
    assert found["naive"].p_holm == pytest.approx(2 * small)
    assert found["ewc"].p_holm == pytest.approx(max(2 * small, large))
    assert found["replay"].p_holm is None
    assert outcomes(two) == {
        "naive": Outcome.undecided,  # 2 * 0.0352
        "ewc": Outcome.undecided,
        "replay": Outcome.same,
    }


def test_a_single_bit_is_a_difference_though_no_test_finds_it():
    nearly = {seed: float(np.nextafter(acc, 1)) for seed, acc in OLD.items()}
    two = compared({"naive": OLD}, {"naive": nearly | {1: OLD[1]}})
    change = changes(two)["naive"]
    assert (change.identical, change.is_reproduced, change.p) == ((1,), False, 1.0)
    assert outcomes(two) == {"naive": Outcome.undecided}


def test_the_same_value_from_another_matrix_is_not_the_same():
    other = Rows()
    for seed, acc in OLD.items():
        other.add("naive", seed, with_acc(acc, learned=0.7))
    two = compared({"naive": OLD}, other)
    assert changes(two)["naive"].identical == ()
    assert outcomes(two) == {"naive": Outcome.undecided}


def test_intransigence_changes_with_joint_training_though_the_matrix_is_the_same():
    b = rows_of({"naive": OLD})
    for rows, joint in ((a := rows_of({"naive": OLD}), OLD), (b, UP)):
        for seed, acc in joint.items():
            rows.add("joint", seed, with_acc(acc, learned=acc))
    two = compared(a, b, metrics=("acc", "intransigence"))
    assert changes(two)["naive"].is_reproduced
    changed = changes(two, "intransigence")["naive"]
    # The mean of the diagonal (ACC, ACC) of joint, so 0.03, 0.04 and 0.02 more.
    assert changed.difference.mean == pytest.approx(0.03)
    assert not changed.is_reproduced
    assert outcomes(two)["naive"] is Outcome.worse
    assert changes(two, "intransigence").keys() == {"naive"}, "joint is at no distance from itself"


@pytest.mark.parametrize(
    ("learned", "outcome"),
    [
        (0.90, Outcome.better),  # ACC up, so forgetting down
        (0.96, Outcome.mixed),  # ACC up by 0.03, forgetting by 0.03
    ],
)
def test_better_and_worse_are_as_the_metric_says(learned, outcome):
    b = Rows()
    for seed, acc in UP.items():
        b.add("naive", seed, with_acc(acc, learned=learned))
    two = compared({"naive": OLD}, b, metrics=("acc", "fm"))
    assert outcomes(two) == {"naive": outcome}


def test_a_lower_acc_is_worse():
    assert outcomes(compared({"naive": UP}, {"naive": OLD})) == {"naive": Outcome.worse}


def test_a_difference_is_sure_at_the_level_that_is_asked_for():
    # p = 0.0352 of differences 0.03, 0.04, 0.02.
    assert outcomes(compared({"naive": OLD}, {"naive": UP}, level=0.96)) == {"naive": Outcome.better}
    assert outcomes(compared({"naive": OLD}, {"naive": UP}, level=0.97)) == {"naive": Outcome.undecided}


def test_a_single_seed_is_the_same_or_cannot_be_tested():
    assert outcomes(compared({"naive": {0: 0.8}}, {"naive": {0: 0.8}})) == {"naive": Outcome.same}
    two = compared({"naive": {0: 0.8}}, {"naive": {0: 0.2}})
    change = changes(two)["naive"]
    assert (change.difference.mean, change.difference.half_width) == (pytest.approx(-0.6), None)
    assert outcomes(two) == {"naive": Outcome.untested}


def test_a_cell_without_a_complete_seed_in_one_run_cannot_be_tested():
    lost = seeds_of(Rows(), "naive", OLD, status=FAILED)
    two = compared({"naive": OLD}, lost)
    change = changes(two)["naive"]
    assert (change.difference, change.p, change.shared) == (None, None, ())
    assert outcomes(two) == {"naive": Outcome.untested}


@pytest.mark.parametrize(
    ("a", "b", "differ"),
    [
        ({"naive": OLD}, {"naive": OLD | {3: 0.5}}, (False, False)),
        ({"naive": OLD}, {"naive": {0: 0.81, 1: 0.81, 2: 0.86}}, (False, True)),
        ({"naive": OLD}, {"naive": UP}, (True, True)),
        ({"naive": UP}, {"naive": OLD}, (True, True)),
        ({"naive": OLD}, {"naive": {0: 0.81}}, (True, True)),
        ({"naive": OLD}, {"naive": OLD, "ewc": OLD}, (True, True)),
        ({"naive": OLD, "ewc": OLD}, {"naive": OLD}, (True, True)),
    ],
)
def test_runs_differ_if_anything_surely_does_or_is_in_one_alone(a, b, differ):
    two = compared(a, b)
    assert (two.differ(), two.differ(exact=True)) == differ


def test_a_seed_that_diverged_in_one_run_alone_is_a_difference_and_in_both_it_is_none():
    def with_third(status):
        return seeds_of(rows_of({"naive": {0: 0.8, 1: 0.7}}), "naive", {2: 0.9}, status=status)

    two = compared(with_third("complete"), with_third(DIVERGED))
    assert (outcomes(two), two.differ()) == ({"naive": Outcome.same}, True)
    assert not compared(with_third(DIVERGED), with_third(DIVERGED)).differ(exact=True)
    assert not compared(with_third("complete"), with_third(RUNNING)).differ(exact=True)


def test_a_cell_that_diverges_in_both_runs_is_no_difference():
    def run():
        return seeds_of(rows_of({"naive": OLD}), "ewc", OLD, status=DIVERGED)

    two = compared(run(), run())
    assert outcomes(two) == {"naive": Outcome.same, "ewc": Outcome.unmeasured}
    assert not two.differ(exact=True)


def test_what_is_asked_for_is_shown_and_its_p_values_are_those_of_the_whole():
    a, b = {"naive": OLD, "ewc": OLD, "gem": OLD}, {"naive": UP, "ewc": UP, "pnn": OLD}
    whole, part = compared(a, b), compared(a, b, methods=["ewc"])
    assert changes(part).keys() == {"ewc"}
    assert changes(part)["ewc"].p_holm == changes(whole)["ewc"].p_holm
    assert whole.scenarios[0].pair.only_a[0].label == "gem"
    assert (part.scenarios[0].pair.only_a, part.scenarios[0].pair.only_b) == ((), ())


def test_a_line_is_asked_for_by_its_name_in_either_run():
    def run(*values):
        rows = Rows()
        for value in values:
            seeds_of(rows, "ewc", OLD, hyperparameters={"lambda": value})
        return rows

    two = compared(run(1), run(1, 2), methods=["ewc lambda=1"])
    assert [couple.label for _, couple, _ in two.outcomes] == ["ewc lambda=1"]
    assert not two.differ()


def test_scenarios_are_chosen_by_name():
    def run(accs):
        return seeds_of(rows_of({"naive": accs}), "naive", accs, kind="task-il")

    two = compared(run(OLD), run(OLD), scenarios=["task-il/split-digits"])
    assert [its.pair.title for its in two.scenarios] == ["task-il/split-digits"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scenarios": ["domain-il/split-digit"]}, "no scenario 'domain-il/split-digit'; did you mean '"),
        ({"methods": ["niave"]}, "no method or line 'niave'; did you mean 'naive'?"),
    ],
)
def test_a_name_that_neither_run_has_is_refused(options, message):
    with pytest.raises(NoSuchCell) as raised:
        compared({"naive": OLD}, {"naive": OLD}, **options)
    assert str(raised.value).startswith(message)


def test_runs_with_nothing_in_common_say_what_each_has():
    a = seeds_of(rows_of({"naive": OLD, "ewc": OLD}), "naive", OLD, kind="task-il")
    with pytest.raises(NothingInCommon) as raised:
        compared(a, {"replay": OLD})
    assert str(raised.value).splitlines() == [
        "runs/a and runs/b have nothing in common:",
        "  runs/a: domain-il/split-digits (naive, ewc), task-il/split-digits (naive)",
        "  runs/b: domain-il/split-digits (replay)",
    ]
    with pytest.raises(NothingInCommon, match=r"(?m)^  runs/b: no trials$"):
        compared(a, Rows())
    with pytest.raises(NothingInCommon) as raised:
        compared(a, {"naive": OLD}, methods=["ewc"])
    assert str(raised.value).splitlines() == [
        "runs/a and runs/b have nothing in common of what is asked for:",
        "  runs/a: domain-il/split-digits (ewc)",
        "  runs/b: nothing",
    ]


def test_runs_on_other_data_have_nothing_in_common():
    a, b = (
        made_sweep("a", rows_of({"naive": OLD})),
        made_sweep("b", rows_of({"naive": OLD}), data_digest="d2"),
    )
    with pytest.raises(NothingInCommon, match="domain-il/split-digits: not compared: data d1 -> d2"):
        compare_runs(a, b, metrics=["acc"])


def test_welchs_test_is_that_of_scipy():
    random = np.random.default_rng(0)
    for n in (2, 3, 7):
        first, second = random.normal(0.9, 0.02, n), random.normal(0.8, 0.1, 5)
        p = welch_test(welch_difference(first, second))
        assert p == pytest.approx(stats.ttest_ind(first, second, equal_var=False).pvalue)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 3), (2, 4)])
def test_welchs_test_of_values_without_spread_counts_the_ways_to_deal_them_out(n, m):
    values = [1.0] * n + [0.0] * m
    ways = list(combinations(range(n + m), n))
    as_far = [way for way in ways if sum(values[i] for i in way) == n]
    p = welch_test(welch_difference(values[:n], values[n:]))
    assert p == pytest.approx(2 * len(as_far) / len(ways))
    assert welch_test(welch_difference([0.5] * n, [0.5] * m)) == 1.0


def test_welchs_test_needs_two_values_of_each():
    assert welch_test(welch_difference([0.5], [0.6, 0.7])) is None
