"""Who competes, the families of tests, and who is marked as best."""

from __future__ import annotations

import numpy as np
import pytest
from contending_cells import contender, day
from hypothesis import assume, given
from hypothesis import strategies as st

from results import comparisons
from results.families import (
    MARGIN,
    Family,
    NoSuchCell,
    contenders,
    families,
    is_whole,
    marked,
)
from results.schema import DIVERGED, FAILED, RUNNING

UNCHOSEN = "one of several of its method, and none was chosen on validation data"
EWC_1 = contender("ewc lambda=1", [0.5, 0.6, 0.7])
EWC_9 = contender("ewc lambda=9", [0.9, 0.9, 0.9])
NAIVE = contender("naive", [0.4, 0.5, 0.6])
REPLAY = contender("replay", [0.8, 0.91, 0.99])
JOINT = contender("joint", [0.95, 0.96, 0.97])


def labels(cells):
    return [cell.label for cell in cells]


def pairs(family: Family):
    return {frozenset((pair.first, pair.second)) for pair in family.pairs}


def together(*names):
    return {frozenset(pair) for pair in names}


def best(*cells, metric="acc", **options):
    """What is marked in a scenario of these cells."""
    (family,) = families(cells, metrics=[metric], **options)
    return marked(cells, family)


def test_a_method_with_one_cell_takes_part_and_a_grid_does_not():
    taking, left_out = contenders([NAIVE, EWC_1, EWC_9])
    assert labels(taking) == ["naive"]
    assert left_out == {"ewc lambda=1": UNCHOSEN, "ewc lambda=9": UNCHOSEN}


def test_of_a_tuned_method_the_cell_chosen_on_validation_takes_part_and_the_default_does_not():
    chosen = contender("ewc lambda=3", [0.4, 0.4, 0.4], searched=True)
    taking, left_out = contenders([EWC_9, chosen, NAIVE])
    assert labels(taking) == ["ewc lambda=3", "naive"]
    assert left_out == {}


def test_of_two_cells_that_were_both_chosen_neither_takes_part():
    chosen = [contender(f"ewc lambda={k}", [0.5, 0.6], searched=True) for k in (1, 2)]
    assert contenders(chosen) == ([], {"ewc lambda=1": UNCHOSEN, "ewc lambda=2": UNCHOSEN})


def test_a_cell_that_is_named_stands_for_its_method_whatever_was_chosen():
    chosen = contender("ewc lambda=3", [0.4, 0.4, 0.4], searched=True)
    assert labels(contenders([EWC_1, chosen, NAIVE], named=["ewc lambda=1"])[0]) == ["ewc lambda=1", "naive"]


def test_several_lines_of_a_method_can_be_named_and_are_then_compared_with_each_other():
    weak, strong = contender("ewc lambda=1", [0.5, 0.6, 0.7]), contender("ewc lambda=10", [0.7, 0.8, 0.8])
    cells = [NAIVE, weak, strong]
    [family] = families(cells, named=["ewc lambda=1", "ewc lambda=10"])
    assert pairs(family) == together(
        ("naive", "ewc lambda=1"), ("naive", "ewc lambda=10"), ("ewc lambda=1", "ewc lambda=10")
    )
    [against] = families(cells, baseline="ewc lambda=1", named=["ewc lambda=10"])
    assert [(pair.first, pair.second) for pair in against.pairs] == [
        ("naive", "ewc lambda=1"),
        ("ewc lambda=10", "ewc lambda=1"),
    ]


def test_a_baseline_of_several_lines_is_to_be_named_by_one_of_them():
    cells = [NAIVE, contender("ewc lambda=1", [0.5, 0.6]), contender("ewc lambda=10", [0.7, 0.8])]
    with pytest.raises(NoSuchCell, match=r"ewc has several lines in .*: ewc lambda=1, ewc lambda=10"):
        families(cells, baseline="ewc")
    with pytest.raises(NoSuchCell, match="no line 'ewc'; there: naive, ewc lambda=1, ewc lambda=10"):
        families(cells, named=["ewc"])


def test_a_baseline_does_not_displace_the_line_that_stands_for_its_method():
    default, chosen = (
        contender("ewc lambda=1", [0.5, 0.6]),
        contender("ewc lambda=3", [0.7, 0.8], searched=True),
    )
    [family] = families([NAIVE, default, chosen], baseline="ewc lambda=1")
    assert [pair.first for pair in family.pairs] == ["naive", "ewc lambda=3"]
    assert family.left_out == {}


def test_of_a_baseline_with_several_lines_the_named_one_is_taken():
    cells = [NAIVE, contender("ewc lambda=1", [0.5, 0.6]), contender("ewc lambda=10", [0.7, 0.8])]
    [family] = families(cells, baseline="ewc", named=["ewc lambda=10"])
    assert (family.baseline, [pair.first for pair in family.pairs]) == ("ewc lambda=10", ["naive"])


def test_references_take_part_only_if_they_are_named():
    scratch = contender("scratch", [0.9])
    assert labels(contenders([JOINT, scratch, NAIVE])[0]) == ["naive"]
    assert labels(contenders([JOINT, scratch, NAIVE], named=["joint"])[0]) == ["joint", "naive"]
    assert labels(contenders([JOINT, NAIVE], references=())[0]) == ["joint", "naive"]


def test_all_contenders_of_a_scenario_are_compared_with_all():
    (family,) = families([NAIVE, REPLAY, EWC_1, JOINT])
    assert pairs(family) == together(
        ("naive", "replay"), ("naive", "ewc lambda=1"), ("replay", "ewc lambda=1")
    )
    assert (family.scenario, family.metric, family.baseline) == ("class-il/split-digits", "acc", None)
    assert (family.level, family.margin, family.left_out) == (0.95, MARGIN, {})
    assert family.pair("replay", "naive") is family.pair("naive", "replay")
    assert family.pair("naive", "joint") is None


def test_a_scenario_and_a_metric_are_a_family_of_their_own():
    fm = {0: 0.1, 1: 0.2}
    elsewhere = [
        contender(name, [0.5, 0.6], fm=fm, scenario="task-il/split-digits") for name in ("naive", "si")
    ]
    found = families([NAIVE, *elsewhere, REPLAY], metrics=["acc", "fm"])
    assert [(family.scenario, family.metric, len(family.pairs)) for family in found] == [
        ("class-il/split-digits", "acc", 1),
        ("task-il/split-digits", "acc", 1),
        ("task-il/split-digits", "fm", 1),
    ]


def test_a_method_without_the_metric_is_left_out_with_the_reason():
    fm = {0: 0.1, 1: 0.2, 2: 0.3}
    cells = [contender(name, [0.5, 0.6, 0.7], fm=fm) for name in ("naive", "si")]
    (family,) = families([*cells, REPLAY], metrics=["fm"])
    assert pairs(family) == together(("naive", "si"))
    assert family.left_out == {"replay": "undefined here"}


def test_with_a_baseline_the_others_are_compared_with_it_alone():
    (family,) = families([NAIVE, REPLAY, EWC_1], baseline="naive")
    assert [(pair.first, pair.second) for pair in family.pairs] == [
        ("replay", "naive"),
        ("ewc lambda=1", "naive"),
    ]
    assert family.baseline == "naive"


@pytest.mark.parametrize("name", ["ewc", "ewc lambda=1"])
def test_a_baseline_is_named_by_its_method_or_by_its_line(name):
    (family,) = families([NAIVE, EWC_1], baseline=name)
    assert family.baseline == "ewc lambda=1"


def test_a_reference_can_be_the_baseline():
    (family,) = families([NAIVE, REPLAY, JOINT], baseline="joint")
    assert pairs(family) == together(("naive", "joint"), ("replay", "joint"))


def test_a_scenario_without_the_baseline_has_no_family():
    elsewhere = [contender(name, [0.5, 0.6], scenario="task-il/split-digits") for name in ("si", "replay")]
    assert [family.scenario for family in families([NAIVE, REPLAY, *elsewhere], baseline="naive")] == [
        "class-il/split-digits"
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baseline": "naiv"}, "no method or line 'naiv'; did you mean 'naive'?"),
        ({"named": ["xyz"]}, "no line 'xyz'; there: naive, replay"),
    ],
)
def test_an_unknown_name_is_said_with_those_there_are(options, message):
    with pytest.raises(NoSuchCell) as error:
        families([NAIVE, REPLAY], **options)
    assert str(error.value) == message


def test_every_command_that_brought_seeds_of_the_compared_counts_as_a_look():
    first = contender("naive", [0.5, 0.6], drivers=[day(1)])
    second = contender("replay", [0.5, 0.7], drivers=[day(1), day(3)])
    joint = contender("joint", [0.5, 0.7], drivers=[day(2)])
    assert families([first, second, joint])[0].looks == 2
    assert families([NAIVE, REPLAY])[0].looks == 1


def test_a_pair_is_underpowered_if_it_is_not_told_apart_and_the_margin_is_below_what_is_detectable():
    sure = contender("a", [0.50, 0.51, 0.52]), contender("b", [0.40, 0.41, 0.43])
    (family,) = families(sure, margin=1e-6)
    assert family.pairs[0].rejected(0.95)
    assert family.underpowered == ()
    unsure = contender("a", [0.50, 0.51, 0.52]), contender("b", [0.50, 0.52, 0.51])
    (pair,) = families(unsure)[0].pairs
    assert families(unsure, margin=pair.detectable + 1e-9)[0].underpowered == ()
    assert families(unsure, margin=pair.detectable - 1e-9)[0].underpowered == (pair,)
    untested = families([contender("a", [0.5]), contender("b", [0.6])], margin=1.0)
    assert len(untested[0].underpowered) == 1


def test_the_best_is_marked_alone_if_all_others_are_rejected_against_it():
    worse = contender("si", [0.1, 0.21, 0.29])
    assert best(NAIVE, REPLAY, worse) == {"replay"}


def test_all_that_cannot_be_told_from_the_best_are_marked_and_no_others():
    close = contender("gem", [0.81, 0.89, 0.99])
    assert best(NAIVE, REPLAY, close) == {"replay", "gem"}


def test_where_less_is_better_the_least_is_marked():
    cells = [
        contender("a", [0.5] * 4, fm={0: 0.1, 1: 0.2, 2: 0.11, 3: 0.2}),
        contender("b", [0.5] * 4, fm={0: 0.6, 1: 0.71, 2: 0.61, 3: 0.69}),
    ]
    assert best(*cells, metric="fm") == {"a"}


@pytest.mark.parametrize("status", [FAILED, DIVERGED, RUNNING])
def test_a_cell_whose_seed_did_not_complete_is_not_marked_though_it_is_far_better(status):
    lucky = contender("replay", [0.8, 0.91, 0.99], ended={3: status})
    others = [contender(cell.label, [*cell.values["acc"].values(), 0.5]) for cell in (NAIVE, EWC_1)]
    assert not is_whole(lucky, "acc")
    assert "replay" not in best(lucky, *others)
    assert best(lucky, *others)


def test_a_cell_with_a_missing_seed_or_an_undefined_metric_is_not_whole():
    assert is_whole(NAIVE, "acc")
    assert not is_whole(contender("naive", [0.5, 0.6], missing=[2]), "acc")
    assert not is_whole(contender("naive", [0.5, 0.6], fm={0: 0.1}), "fm")


def test_nobody_is_marked_where_nothing_could_be_tested():
    cells = contender("a", [0.5]), contender("b", [0.9])
    assert best(*cells) == frozenset()


def test_a_grid_is_marked_by_the_cell_that_is_named_and_not_by_the_best_on_test():
    assert best(NAIVE, REPLAY, EWC_1, EWC_9) == {"replay"}
    assert best(NAIVE, REPLAY, EWC_1, EWC_9, named=["ewc lambda=9"]) == {"replay", "ewc lambda=9"}


statuses = st.sampled_from(["complete", FAILED, DIVERGED, "missing"])
shares = st.integers(0, 60).map(lambda right: right / 60)


@st.composite
def scenarios(draw):
    """Cells of a few methods with three or four seeds each, with grids, chosen cells and gaps."""
    cells = []
    for method in draw(st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True, min_size=2)):
        values = draw(st.integers(1, 3))
        chosen = draw(st.none() | st.integers(0, values - 1))
        for value in range(values):
            ended = draw(st.lists(statuses, min_size=4, max_size=4))
            complete = {seed: draw(shares) for seed, how in enumerate(ended) if how == "complete"}
            cells.append(
                contender(
                    f"{method} x={value}",
                    complete,
                    ended={seed: how for seed, how in enumerate(ended) if how in {FAILED, DIVERGED}},
                    missing=[seed for seed, how in enumerate(ended) if how == "missing"],
                    searched=value == chosen,
                )
            )
    return cells


@given(scenarios())
def test_a_grid_that_was_not_chosen_on_validation_never_takes_part(cells):
    taking, left_out = contenders(cells)
    for cell in taking:
        others = [other for other in cells if other.method == cell.method and other is not cell]
        assert cell.searched or not others
    assert len({cell.method for cell in taking}) == len(taking)
    assert {cell.method for cell in cells} == {cell.method for cell in taking} | {
        label.partition(" ")[0] for label in left_out
    }


@given(scenarios(), st.randoms(use_true_random=False))
def test_only_whole_contenders_are_marked_in_whatever_order_they_stand(cells, random):
    found = families(cells)
    assume(found)
    best = marked(cells, found[0])
    taking = {cell.label: cell for cell in contenders(cells)[0]}
    assert all(is_whole(taking[label], "acc") for label in best)
    if best:
        top = max(cell.metrics["acc"].mean for cell in taking.values() if is_whole(cell, "acc"))
        assert top == pytest.approx(max(taking[label].metrics["acc"].mean for label in best))
    means = [cell.metrics["acc"].mean for cell in taking.values() if cell.values["acc"]]
    assume(
        len({round(mean, 9) for mean in means}) == len(means)
    )  # of equal ones either may be called the best
    shuffled = random.sample(cells, len(cells))
    assert marked(shuffled, families(shuffled)[0]) == best


@pytest.mark.parametrize(("advantage", "n"), [(0.0, 3), (0.002, 5), (0.01, 5)])
def test_the_truly_best_is_left_unmarked_at_most_5_times_in_100(advantage, n, monkeypatch):
    # Planning takes most of the time, and is nothing to this.
    monkeypatch.setattr(comparisons, "more_seeds", lambda *_, **__: None)
    random = np.random.default_rng(20260108)
    missed = 0
    for _ in range(1000):
        accuracies = 0.8 + random.normal(0, 0.02, size=n) + random.normal(0, 0.01, size=(5, n))
        accuracies[2] += advantage
        cells = [contender(f"m{position}", row.tolist()) for position, row in enumerate(accuracies)]
        missed += "m2" not in best(*cells)
    # 0.05 and three times the standard deviation of the simulation.
    assert missed / 1000 < 0.071


def test_a_method_that_is_far_better_is_marked_alone_about_as_often_as_the_power_says(monkeypatch):
    monkeypatch.setattr(comparisons, "more_seeds", lambda *_, **__: None)
    random = np.random.default_rng(20260109)
    # Two methods and ten seeds: differences have sd 0.01 sqrt(2), of which 0.99600 are found 80 times in 100.
    alone = 0
    for _ in range(2000):
        accuracies = random.normal([[0.8], [0.8 + 0.99600 * 0.01 * 2**0.5]], 0.01, size=(2, 10))
        cells = [contender(f"m{position}", row.tolist()) for position, row in enumerate(accuracies)]
        alone += best(*cells) == {"m1"}
    assert alone / 2000 == pytest.approx(0.8, abs=0.027)
