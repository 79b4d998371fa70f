"""The text of a plan."""

from __future__ import annotations

import io

import pytest
from made import trial
from rich.console import Console

from orchestrator.estimate import Estimate
from orchestrator.planning import plan_table
from sweeps.plan import Excluded, Plan

TRIALS = tuple(
    trial(method, seed, label=label)
    for seed in (0, 1)
    for label in ("class-il/split-digits", "task-il/split-digits")
    for method in ("naive", "ewc")
)


def lines(plan, statuses, todo, expected):
    text = io.StringIO()
    Console(file=text, width=100).print(plan_table(plan, statuses, todo, expected))
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_a_plan_counts_trials_by_scenario_and_method():
    statuses = {TRIALS[0].id: "complete", TRIALS[4].id: "complete", TRIALS[1].id: "failed"}
    todo = [t for t in TRIALS if statuses.get(t.id) != "complete"]
    excluded = Excluded(
        "class-il/split-digits", "pnn", "pnn cannot run in class-il because it needs task ids"
    )
    assert lines(Plan(TRIALS, (excluded,)), statuses, todo, Estimate(60, 0, 2)) == [
        "scenario               method  trials  complete  to run",
        "class-il/split-digits  naive        2         2       0",
        "                       ewc          2         0       2",
        "task-il/split-digits   naive        2         0       2",
        "                       ewc          2         0       2",
        "all                                 8         2       6",
        "",
        "excluded: class-il/split-digits with pnn: pnn cannot run in class-il because it needs task ids",
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


def test_a_plan_that_is_done_says_so():
    statuses = dict.fromkeys((t.id for t in TRIALS), "complete")
    assert lines(Plan(TRIALS, ()), statuses, [], Estimate(0, 0, 1))[-1] == "nothing is left to run"
