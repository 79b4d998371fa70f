"""What the tables of a run say is wrong with it, on tables made by hand."""

from __future__ import annotations

import pytest
from made_rows import Rows

from results.audit import audit
from results.schema import ACCURACY, TASKS, TRIALS, to_table

R = [[0.9, 0.5], [None, 0.8]]
UNTRAINED = [0.5, 0.5]
TWO_TASKS = [{}, {}]


def run(*methods, train=None, tasks=TWO_TASKS, **values):
    """Two tasks of each method."""
    rows = Rows()
    for method in methods or ("naive", "ewc"):
        rows.add(method, 0, R, untrained=UNTRAINED, tasks=tasks, train=train, **values)
    return rows


def problems(rows, *, accuracy=None, tasks=None, trials=None, **options):
    """Each problem with its places."""
    found = audit(
        rows.trials if trials is None else to_table(TRIALS, trials),
        rows.accuracy if accuracy is None else to_table(ACCURACY, accuracy),
        rows.tasks if tasks is None else to_table(TASKS, tasks),
        **options,
    )
    return {finding.problem: list(finding.places) for finding in found}


NAIVE = "t0  domain-il/split-digits, naive, seed 0"
EWC = "t1  domain-il/split-digits, ewc, seed 0"


def test_a_whole_run_has_nothing_wrong():
    assert problems(run()) == {}


def test_a_run_without_trials_has_nothing_wrong():
    assert problems(Rows()) == {}


def test_a_complete_trial_has_a_test_score_of_every_task_after_every_task_and_before():
    rows = run()
    without_untrained = [row for row in rows.accuracy.to_pylist() if row["after_task"] >= 0]
    assert problems(rows, accuracy=without_untrained) == {
        "test cells are missing": [f"{NAIVE}: 2 of 6", f"{EWC}: 2 of 6"]
    }


def test_with_a_validation_share_there_are_as_many_validation_scores():
    rows = run(train={"val_share": 0.2})
    test = rows.accuracy.to_pylist()
    assert problems(rows) == {"val cells are missing": [f"{NAIVE}: 6 of 6", f"{EWC}: 6 of 6"]}
    val = [row | {"split": "val"} for row in test]
    assert problems(rows, accuracy=test + val) == {}
    assert problems(rows, accuracy=[*test, *val[1:]]) == {"val cells are missing": [f"{NAIVE}: 1 of 6"]}


@pytest.mark.parametrize("status", ["running", "failed", "diverged", "stopped"])
def test_a_trial_that_is_not_complete_need_not_have_all_its_rows(status):
    rows = run("naive", status=status)
    assert problems(rows, accuracy=rows.accuracy.to_pylist()[:2], tasks=[]) == {}
    twice = rows.accuracy.to_pylist()[:1] * 3
    assert problems(rows, accuracy=twice) == {"test cells are there more than once": [f"{NAIVE}: 1"]}


def test_scores_of_tasks_that_a_trial_does_not_have_are_no_cells():
    rows = run()
    score = rows.accuracy.to_pylist()[0]
    beyond = [score | {"eval_task": 2}, score | {"after_task": 2}, score | {"after_task": -2}]
    assert problems(rows, accuracy=[*rows.accuracy.to_pylist(), *beyond]) == {
        "test cells that the trial cannot have": [f"{NAIVE}: 3"]
    }


def test_trials_of_different_numbers_of_tasks_do_not_disturb_each_other():
    rows = run("naive")
    three = [[0.5] * 3] * 3
    rows.add("ewc", 0, three, untrained=[0.5] * 3, tasks=[{}] * 3)
    assert problems(rows) == {}


def test_seeds_of_one_scenario_have_the_same_number_of_tasks():
    rows = run("naive", "ewc", "gem")
    trials = rows.trials.to_pylist()
    trials[1]["n_tasks"] = 3
    found = problems(rows, trials=trials)
    assert found["another number of tasks than most trials of the scenario"] == [f"{EWC}: 3 tasks"]


def test_a_null_is_a_possible_accuracy_and_what_is_no_share_is_not():
    rows = run("naive")
    scores = rows.accuracy.to_pylist()
    assert None in [row["accuracy"] for row in scores]
    for change in ({"accuracy": -0.1}, {"accuracy": 1.01}, {"n_eval": 0}, {"split": "train"}):
        found = problems(rows, accuracy=[*scores[:-1], scores[-1] | change])
        assert found["an accuracy outside 0 to 1, of no examples, or of no known split"] == [
            f"{NAIVE}: 1 rows"
        ]


def test_the_tasks_table_has_every_task_once():
    rows = run("naive", tasks=[{}, {"task": 3}])
    assert problems(rows) == {
        "tasks are missing": [f"{NAIVE}: 1 of 2"],
        "tasks that the trial cannot have": [f"{NAIVE}: 1"],
    }


def test_a_complete_trial_without_rows_is_named_once():
    rows = run("naive")
    assert problems(rows, accuracy=[], tasks=[]) == {
        "complete, but without rows in accuracy": [NAIVE],
        "complete, but without rows in tasks": [NAIVE],
    }


def test_rows_of_no_trial_are_wrong_unless_a_driver_is_about_to_write_its_row():
    rows = run()
    only = rows.trials.to_pylist()[:1]
    assert problems(rows, trials=only) == {
        "rows in accuracy of trials that have no row of their own": ["t1"],
        "rows in tasks of trials that have no row of their own": ["t1"],
    }
    assert problems(rows, trials=only, growing=True) == {}


@pytest.mark.parametrize("change", [{"seed": 3}, {"method": "gem"}, {"scenario": "class-il/split-digits"}])
def test_rows_that_say_they_are_of_another_trial_are_wrong(change):
    rows = run()
    tasks = rows.tasks.to_pylist()
    tasks[-1] |= change
    assert problems(rows, tasks=[row | {"other": None} for row in tasks]) == {
        "rows in tasks that name another scenario, method or seed than the trial's own row": [NAIVE]
    }


def test_a_status_that_nobody_knows_is_wrong():
    assert problems(run("naive", status="finished")) == {"a status that does not exist": [NAIVE]}
