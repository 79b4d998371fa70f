"""The text of a plan."""

from __future__ import annotations

import io

import pytest
from made import trial
from rich.console import Console

from orchestrator.estimate import Estimate
from orchestrator.planning import plan_table
from orchestrator.recording import missing
from orchestrator.staleness import Stale
from sweeps.plan import Excluded, Plan

TRIALS = tuple(
    trial(method, seed, label=label)
    for seed in (0, 1)
    for label in ("class-il/split-digits", "task-il/split-digits")
    for method in ("naive", "ewc")
)


def lines(plan, statuses, todo, expected, stale=()):
    text = io.StringIO()
    Console(file=text, width=100).print(plan_table(plan, statuses, todo, expected, stale))
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_a_plan_counts_trials_by_scenario_and_method():
    statuses = {TRIALS[0].id: "complete", TRIALS[4].id: "complete", TRIALS[1].id: "failed"}
    todo = [t for t in TRIALS if statuses.get(t.id) != "complete"]
    excluded = Excluded(
        "class-il/split-digits", "pnn", "pnn cannot run in class-il because it needs task ids"
    )
    assert lines(Plan(TRIALS, (excluded,)), statuses, todo, Estimate(60, 0, 2)) == [
        "scenario               method  trials  reused  new  again",
        "class-il/split-digits  naive        2       2    0      0",
        "                       ewc          2       0    1      1",
        "task-il/split-digits   naive        2       0    2      0",
        "                       ewc          2       0    2      0",
        "all                                 8       2    5      1",
        "",
        "excluded: class-il/split-digits with pnn: pnn cannot run in class-il because it needs task ids",
        "again: 1 trial that failed or was interrupted",
        "expected: about 38 s, 2 trials at a time (1 min 0 s of training; from a short calibration on this",
        "machine)",
    ]


@pytest.mark.parametrize(
    ("measured", "source"),
    [
        (8, "from the timings of earlier trials"),
        (3, "3 trials from earlier timings, the others from a short calibration"),
        (0, "from a short calibration on this machine"),
    ],
)
def test_a_plan_says_where_its_estimate_comes_from(measured, source):
    text = " ".join(lines(Plan(TRIALS, ()), {}, TRIALS, Estimate(16, measured, 1)))
    assert "excluded: nothing" in text
    assert f"expected: about 24 s, 1 trial at a time (16 s of training; {source})" in text


def test_trials_that_ended_otherwise_than_failed_are_reused():
    statuses = {TRIALS[0].id: "diverged", TRIALS[1].id: "running", TRIALS[2].id: "stopped"}
    todo = missing(TRIALS, statuses)
    text = lines(Plan(TRIALS, ()), statuses, todo, Estimate(60, 0, 2))
    assert text[5].split() == ["all", "8", "2", "5", "1"]


def test_a_plan_names_what_is_stale_a_line_per_reason():
    found = [Stale(12, "train.epochs 1 -> 2"), Stale(3, "seed 7 is not planned")]
    text = lines(Plan(TRIALS, ()), {}, TRIALS, Estimate(16, 8, 1), found)
    assert text[-3:] == [
        "stale: 15 trials of this run, which the spec does not plan now",
        "  12  train.epochs 1 -> 2",
        "   3  seed 7 is not planned",
    ]


def test_a_plan_that_is_done_says_so():
    statuses = dict.fromkeys((t.id for t in TRIALS), "complete")
    assert lines(Plan(TRIALS, ()), statuses, [], Estimate(0, 0, 1))[-1] == "nothing is left to run"
