"""Which cells of two runs are the same, and what they are called."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_rows import Rows

from results.couples import coupled
from results.schema import COMPLETE, DIVERGED, FAILED, RUNNING

R = [[0.9, 0.8], [0.5, 0.7]]


def cells(*settings, **shared):
    """A cell for each (method, hyperparameters, train)."""
    rows = Rows()
    for method, hyperparameters, train in settings:
        rows.add(method, 0, R, hyperparameters=hyperparameters, train=train, **shared)
    return rows.cells


def ewc(value, lr=0.1):
    return "ewc", {"lambda": value}, {"lr": lr}


def named(a, b):
    """By the couple's name, the labels in either run and what differs; and what is left of either."""
    (pair,) = coupled(a, b)
    couples = {couple.label: (couple.a.label, couple.b.label, couple.differing) for couple in pair.couples}
    return couples, [cell.label for cell in pair.only_a], [cell.label for cell in pair.only_b]


def test_cells_of_the_same_settings_are_a_couple_in_the_order_of_the_first_run():
    couples, *left = named(cells(ewc(1), ewc(9), ("naive", {}, {"lr": 0.1})), cells(ewc(9), ewc(1), ewc(5)))
    assert couples == {
        "ewc lambda=1": ("ewc lambda=1", "ewc lambda=1", {}),
        "ewc lambda=9": ("ewc lambda=9", "ewc lambda=9", {}),
    }
    assert left == [["naive"], ["ewc lambda=5"]]


def test_the_only_two_of_a_method_that_are_left_are_a_couple_and_say_what_differs():
    couples, *left = named(cells(ewc(1), ewc(9)), cells(ewc(9), ewc(100)))
    assert couples == {
        "ewc (lambda 1 -> 100)": ("ewc lambda=1", "ewc lambda=100", {"lambda": ("1", "100")}),
        "ewc lambda=9": ("ewc lambda=9", "ewc lambda=9", {}),
    }
    assert left == [[], []]


def test_three_that_are_left_are_no_couple_unless_two_have_more_in_common():
    couples, *left = named(cells(ewc(1), ewc(2)), cells(ewc(100)))
    assert (couples, left) == ({}, [["ewc lambda=1", "ewc lambda=2"], ["ewc"]])
    couples, *left = named(cells(ewc(1), ewc(2)), cells(ewc(2, lr=0.5)))
    assert couples == {"ewc lambda=2": ("ewc lambda=2", "ewc", {"train.lr": ("0.1", "0.5")})}
    assert left == [["ewc lambda=1"], []]


def test_a_grid_trained_otherwise_is_coupled_value_by_value():
    couples, *left = named(cells(ewc(1), ewc(2)), cells(ewc(1, lr=0.5), ewc(2, lr=0.5)))
    differing = {"train.lr": ("0.1", "0.5")}
    assert couples == {
        "ewc lambda=1": ("ewc lambda=1", "ewc lambda=1", differing),
        "ewc lambda=2": ("ewc lambda=2", "ewc lambda=2", differing),
    }
    assert left == [[], []]


def test_a_grid_of_another_model_that_is_trained_otherwise_is_coupled_value_by_value():
    other = cells(ewc(1, lr=0.5), ewc(2, lr=0.5), model={"name": "mlp", "hidden": [9]})
    couples, *left = named(cells(ewc(1), ewc(2)), other)
    assert [differing for *_, differing in couples.values()] == [
        {"train.lr": ("0.1", "0.5"), "model.hidden": ("absent", "[9]")}
    ] * 2
    assert (list(couples), left) == (["ewc lambda=1", "ewc lambda=2"], [[], []])


def test_a_grid_of_training_settings_is_coupled_value_by_value():
    couples, *left = named(cells(ewc(1, lr=0.1), ewc(1, lr=0.5)), cells(ewc(7, lr=0.1), ewc(7, lr=0.5)))
    differing = {"lambda": ("1", "7")}
    assert couples == {
        "ewc train.lr=0.1": ("ewc train.lr=0.1", "ewc train.lr=0.1", differing),
        "ewc train.lr=0.5": ("ewc train.lr=0.5", "ewc train.lr=0.5", differing),
    }
    assert left == [[], []]


def test_what_differs_for_one_couple_alone_is_in_its_name_and_what_differs_for_all_is_not():
    naive = ("naive", {}, {"lr": 0.1})
    couples, *_ = named(cells(ewc(1), naive), cells(ewc(2), naive))
    assert list(couples) == ["ewc (lambda 1 -> 2)", "naive"]
    couples, *_ = named(cells(ewc(1), naive), cells(ewc(2, lr=0.5), ("naive", {}, {"lr": 0.5})))
    assert list(couples) == ["ewc (lambda 1 -> 2)", "naive"]
    assert couples["naive"][2] == {"train.lr": ("0.1", "0.5")}


def test_a_couple_is_named_by_what_varies_in_either_run():
    couples, *left = named(cells(ewc(1)), cells(ewc(1), ewc(2)))
    assert couples == {"ewc lambda=1": ("ewc", "ewc lambda=1", {})}
    assert left == [[], ["ewc lambda=2"]]


def test_a_setting_that_one_run_does_not_have_is_absent_and_a_long_one_is_cut():
    (pair,) = coupled(
        cells(("ewc", {"layers": list(range(100))}, {"lr": 0.1})),
        cells(("ewc", {"layers": list(range(101)), "gamma": None}, {"lr": 0.1})),
    )
    assert pair.couples[0].differing == {
        "layers": ("[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,1...", "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,1..."),
        "gamma": ("absent", "null"),
    }


def test_other_data_are_not_compared_and_another_version_is_with_a_warning():
    ours = cells(ewc(1))
    other = [replace(cell, data_digest="0123456789+abcdefghij") for cell in ours]
    (pair,) = coupled(ours, other)
    assert (pair.couples, pair.only_a, pair.only_b) == ((), tuple(ours), tuple(other))
    assert pair.remark.startswith("not compared: data d1 -> 01234567+abcdefgh, ")
    newer = [replace(cell, results_version=2) for cell in ours]
    (pair,) = coupled(ours, newer)
    assert [(couple.a, couple.b) for couple in pair.couples] == list(zip(ours, newer, strict=True))
    assert pair.remark.startswith("mind: results version 1 -> 2, ")
    assert coupled(ours, cells(ewc(1)))[0].remark == ""


def test_of_two_that_are_nearly_the_same_scenario_the_one_with_the_same_data_is_compared():
    (ours,) = cells(ewc(1))
    newer, other = replace(ours, results_version=2), replace(ours, data_digest="d2")
    first, second = coupled([ours], [other, newer])
    assert [couple.b for couple in first.couples] == [newer]
    assert (second.couples, second.only_b) == ((), (other,))
    assert first.title == "domain-il/split-digits data=d1 results_version=1"
    assert second.title == "domain-il/split-digits data=d2 results_version=1"


def test_scenarios_of_other_settings_are_apart_and_their_titles_say_why():
    three_tasks = Rows().add("naive", 0, [[0.9] * 3] * 3).cells
    pairs = coupled(Rows().add("naive", 0, R).cells, three_tasks)
    assert [(pair.title, len(pair.only_a), len(pair.only_b)) for pair in pairs] == [
        ("domain-il/split-digits tasks=2", 1, 0),
        ("domain-il/split-digits tasks=3", 0, 1),
    ]


def test_scenarios_of_the_first_run_come_first_and_each_is_coupled_by_itself():
    a = Rows().add("naive", 0, R).add("naive", 0, R, kind="task-il").cells
    b = Rows().add("ewc", 0, R, kind="class-il").add("naive", 0, R, kind="task-il").cells
    assert [(pair.title, len(pair.couples)) for pair in coupled(a, b)] == [
        ("domain-il/split-digits", 0),
        ("task-il/split-digits", 1),
        ("class-il/split-digits", 0),
    ]


@pytest.mark.parametrize(
    ("one", "other", "ended"),
    [
        (COMPLETE, COMPLETE, {}),
        (COMPLETE, DIVERGED, {0: (COMPLETE, DIVERGED)}),
        (FAILED, DIVERGED, {0: (FAILED, DIVERGED)}),
        (COMPLETE, RUNNING, {}),
    ],
)
def test_a_seed_that_ended_otherwise_is_known_and_one_that_runs_has_not_ended(one, other, ended):
    (pair,) = coupled(
        Rows().add("naive", 0, R, status=one).cells, Rows().add("naive", 0, R, status=other).cells
    )
    assert pair.couples[0].ended == ended


def test_seeds_are_identical_if_every_accuracy_is_and_if_they_lack_the_same():
    a, b = Rows(), Rows()
    hole = [[0.9, 0.8], [None, 0.7]]
    for seed, (ours, theirs) in enumerate(
        [(R, R), (R, [[0.9, 0.8], [0.5, 0.7000000000000001]]), (hole, hole), (R, hole)]
    ):
        a.add("naive", seed, ours)
        b.add("naive", seed, theirs)
    couple = coupled(a.cells, b.add("naive", 9, R).cells)[0].couples[0]
    assert (couple.shared, couple.identical) == ((0, 1, 2, 3), (0, 2))
