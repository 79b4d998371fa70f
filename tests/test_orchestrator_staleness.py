"""Why trials of a run are not planned."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from made import trial

from orchestrator.identity import columns_of
from orchestrator.staleness import Stale, stale
from sweeps.trials import RESULTS_VERSION, Resources


def row(of, **values):
    """The row of a trial, its id that of its own settings unless given."""
    version = {"results_version": RESULTS_VERSION, "data_digest": of.data_digest}
    return {"trial_id": of.id, **columns_of(of), **version} | values


def ewc(strength, seed=0, **train):
    return trial("ewc", seed, hyperparameters={"lambda": strength}, **train)


PLANNED = [
    *(trial("naive", seed, epochs=2) for seed in (0, 1)),
    *(ewc(strength, seed, epochs=2) for strength in (1, 10) for seed in (0, 1)),
]


def reasons(*rows, planned=PLANNED):
    return [(each.count, each.reason) for each in stale(rows, planned)]


def test_what_is_planned_is_not_stale():
    assert stale([row(each) for each in PLANNED], PLANNED) == []


def test_another_setting_is_named_with_its_values():
    old = [row(trial("naive", seed, epochs=1)) for seed in (0, 1)]
    assert stale(old, PLANNED) == [Stale(2, "train.epochs 1 -> 2")]
    two = row(trial("naive", epochs=1, lr=0.5))
    assert reasons(two) == [(1, "train.epochs 1 -> 2, train.lr 0.5 -> 0.01")]


@pytest.mark.parametrize(
    ("old", "reason"),
    [
        (trial("naive", tasks=3, epochs=2), "split-digits.tasks 3 -> 2"),
        (trial("naive", resources=Resources(threads=2), epochs=2), "resources.threads 2 -> 1"),
        (trial("naive", resources=Resources(gpu=1), epochs=2), "device cuda -> cpu"),
        (trial("naive", 7, epochs=2), "seed 7 is not planned"),
        (trial("joint", epochs=2), "method joint is not planned"),
        (trial("naive", label="task-il/split-digits"), "scenario task-il/split-digits is not planned"),
    ],
)
def test_whatever_makes_another_trial_can_be_the_reason(old, reason):
    assert reasons(row(old)) == [(1, reason)]


def test_a_value_that_left_a_grid_is_held_against_those_that_are_in_it():
    old = [row(ewc(strength, seed, epochs=2)) for strength in (5, 2.5) for seed in (0, 1)]
    assert reasons(*old) == [(4, "ewc.lambda 2.5 or 5 -> 1 or 10")]
    assert reasons(row(ewc(10, epochs=1))) == [(1, "train.epochs 1 -> 2")]


def test_of_many_values_the_first_are_shown():
    old = [row(ewc(strength, epochs=2)) for strength in (100, 5, 4, 3)]
    assert reasons(*old) == [(4, "ewc.lambda 3 or 4 or 5 or ... -> 1 or 10")]


def test_other_data_and_another_results_version_are_reasons():
    old = trial("naive", epochs=2)
    data = row(old, trial_id="a", data_digest="0123456789abcdef")
    version = row(old, trial_id="b", results_version=RESULTS_VERSION - 1)
    assert reasons(data, version) == [
        (1, "data digest 01234567 -> d1g175"),
        (1, f"results version {RESULTS_VERSION - 1} -> {RESULTS_VERSION}"),
    ]


def test_the_source_of_a_plug_in_is_a_reason():
    names = {"method": "mine:Pull", "hyperparameters": json.dumps({"strength": 1, "source": "a" * 64})}
    new = replace(PLANNED[0], method="mine:Pull", hyperparameters={"strength": 1, "source": "b" * 64})
    old = row(PLANNED[0], trial_id="old", **names)
    assert reasons(old, planned=[new]) == [(1, "source of mine:Pull aaaaaaaa -> bbbbbbbb")]


def test_the_most_frequent_reason_comes_first():
    rows = [row(trial("joint")), *(row(trial("naive", seed, epochs=1)) for seed in (0, 1))]
    assert reasons(*rows) == [(2, "train.epochs 1 -> 2"), (1, "method joint is not planned")]


@pytest.mark.parametrize("altered", [{"trial_id": "x"}, {"model": "mlp"}])
def test_a_row_that_was_altered_is_left_to_check(altered):
    old = row(trial("naive", epochs=2), **{"trial_id": "y", **altered})
    assert reasons(old) == [(1, "the id is not that of the settings; see clsweep check")]
