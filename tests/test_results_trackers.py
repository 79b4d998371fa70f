"""What tracking tools are told of a run's trials, by hand; and what is said where a tool is not there."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
from made_rows import START, Rows
from tracked import COMPLETE as MADE

from results.schema import ACCURACY, FAILED, RUNNING, STATUSES, TASKS, TRIALS, to_rows, to_table
from results.storage import StoreError
from results.trackers.logged import LoggedTrial, logged
from results.trackers.mlflow_store import write_mlflow
from results.trackers.process import NotInstalled, done_apart, needs
from results.trackers.tensorboard import write_tensorboard
from results.trackers.wandb_offline import write_wandb

NAIVE = [[0.9, 0.5], [0.2, 0.8]]
JOINT = [[0.9, 0.9], [0.3, 0.9]]


def told(
    rows: Rows, changes: dict[str, dict[str, object]] | None = None, **options: object
) -> list[LoggedTrial]:
    """The records of *rows*, of which columns of some trials are changed."""
    trials = [row | (changes or {}).get(row["trial_id"], {}) for row in to_rows(rows.trials)]
    return logged(to_table(TRIALS, trials), rows.accuracy, rows.tasks, **options)


def seconds(*train_s: float) -> list[dict[str, object]]:
    """Task rows with so many seconds of training, and half as many of evaluation."""
    return [{"train_s": value, "eval_s": value / 2} for value in train_s]


def test_each_step_has_the_accuracies_and_what_the_task_cost():
    rows = Rows().add(
        "naive", 0, NAIVE, tasks=[{"loss": 0.5, "steps": 7, "other": {"drift": 0.1}}, {"steps": 8}]
    )
    first, second = told(rows)[0].steps
    assert (first.after_task, second.after_task) == (0, 1)
    assert first.values == {
        "accuracy/task_0": 0.9,
        "accuracy/task_1": 0.2,
        "accuracy/seen": 0.9,
        "task/loss": 0.5,
        "task/steps": 7.0,
        "task/drift": 0.1,
        "task/train_s": 0.0,
        "task/eval_s": 0.0,
        "task/parameters": 0.0,
    }
    assert second.values["accuracy/seen"] == pytest.approx((0.5 + 0.8) / 2)
    assert "task/loss" not in second.values


def test_a_complete_trial_has_every_metric_that_is_defined():
    rows = Rows().add("joint", 0, JOINT).add("naive", 0, NAIVE, untrained=[0.1, 0.1])
    naive = told(rows, {"t1": {"wall_s": 3.0}}, reference="joint")[1]
    assert naive.final == pytest.approx(
        {
            "acc": (0.5 + 0.8) / 2,
            "bwt": 0.5 - 0.9,
            "fm": 0.9 - 0.5,
            "forgetting": 0.9 - 0.5,
            "fwt": 0.2,
            "fwt_gain": 0.2 - 0.1,
            "intransigence": ((0.9 - 0.9) + (0.9 - 0.8)) / 2,
            "intransigence_proxy": 1 - 0.85,
            "learning_accuracy": 0.85,
            "average_incremental_accuracy": (0.9 + 0.65) / 2,
            "worst_task_accuracy": 0.5,
            "wall_s": 3.0,
        }
    )


def test_what_trains_afresh_forgets_nothing():
    (joint,) = told(Rows().add("joint", 0, JOINT), reference="joint", fresh=("joint",))
    assert {"bwt", "fm", "forgetting"}.isdisjoint(joint.final)
    assert joint.final["acc"] == pytest.approx(0.9)


def test_an_accuracy_that_was_not_measured_is_left_out():
    rows = Rows().add("naive", 0, [[0.9, None], [None, 0.8]])
    first, second = told(rows)[0].steps
    assert first.values == {"accuracy/task_0": 0.9, "accuracy/seen": 0.9}
    assert second.values == {"accuracy/task_1": 0.8}


@pytest.mark.parametrize("status", STATUSES)
def test_a_trial_has_its_status_and_only_a_complete_one_has_metrics(status):
    end = None if status == RUNNING else START + timedelta(seconds=9)
    rows = Rows().add("naive", 0, NAIVE, status=status)
    (trial,) = told(rows, {"t0": {"ended_at": end}})
    assert (trial.status, trial.tags["status"], trial.end) == (status, status, end)
    assert [step.after_task for step in trial.steps] == [0, 1]
    assert bool(trial.final) == (status == "complete")


def test_a_trial_that_has_learned_nothing_yet_has_no_steps():
    (trial,) = told(
        Rows().add("naive", 0, [[None, None], [None, None]], untrained=[0.1, 0.1], status=RUNNING)
    )
    assert (trial.steps, trial.start, trial.end, trial.last_task) == ([], START, None, 1)


def test_steps_follow_one_another_as_long_as_their_tasks_took():
    rows = Rows().add("naive", 0, NAIVE, tasks=seconds(2, 4))
    (trial,) = told(rows, {"t0": {"ended_at": START + timedelta(seconds=10)}})
    assert [step.at for step in trial.steps] == [START + timedelta(seconds=s) for s in (3, 9)]
    assert (trial.start, trial.end) == (START, START + timedelta(seconds=10))


def test_the_steps_of_a_running_trial_are_at_the_times_that_they_will_have_in_the_end():
    rows = Rows().add("naive", 0, NAIVE, tasks=seconds(2, 4))
    over = {"ended_at": START + timedelta(seconds=10)}
    (running,), (complete,) = told(rows, {"t0": {"status": RUNNING}}), told(rows, {"t0": over})
    assert running.steps == complete.steps


def test_steps_of_an_earlier_attempt_are_counted_back_from_the_end():
    # Three tasks of 3 s, but the last attempt took 4 s: the first of them were learned in an earlier one.
    rows = Rows().add("naive", 0, [[0.9] * 3] * 3, tasks=seconds(2, 2, 2))
    (trial,) = told(rows, {"t0": {"ended_at": START + timedelta(seconds=4), "attempts": 2}})
    assert [step.at - START for step in trial.steps] == [timedelta(seconds=s) for s in (-2, 1, 4)]
    assert trial.start == START - timedelta(seconds=5)


def test_names_say_what_varies_and_are_never_shared():
    rows = Rows()
    for strength in (1.0, 10.0):
        rows.add("ewc", 0, NAIVE, hyperparameters={"lambda": strength, "gamma": 1.0})
    rows.add("naive", 0, NAIVE).add("naive", 1, NAIVE).add("naive", 1, NAIVE)
    head = "domain-il/split-digits"
    assert [trial.name for trial in told(rows)] == [
        f"{head}/ewc lambda=1/seed 0",
        f"{head}/ewc lambda=10/seed 0",
        f"{head}/naive/seed 0",
        f"{head}/naive/seed 1 t3",
        f"{head}/naive/seed 1 t4",
    ]
    assert [trial.group for trial in told(rows)[2:]] == [f"{head}/naive"] * 3


def test_two_trials_of_one_seed_both_have_their_own_metrics():
    rows = Rows().add("naive", 0, NAIVE).add("naive", 0, JOINT)
    assert [trial.final["acc"] for trial in told(rows, {"t1": {"threads": 2}})] == [
        pytest.approx(0.65),
        pytest.approx(0.9),
    ]


def test_validation_is_named_apart_from_test():
    rows = Rows().add("naive", 0, NAIVE)
    own = [{**row, "split": "val", "accuracy": row["accuracy"] / 2} for row in to_rows(rows.accuracy)]
    both = pa.concat_tables([rows.accuracy, to_table(ACCURACY, own)])
    (trial,) = logged(rows.trials, both, rows.tasks)
    assert trial.steps[1].values == pytest.approx(
        {
            "accuracy/task_0": 0.5,
            "accuracy/task_1": 0.8,
            "accuracy/seen": 0.65,
            "val_accuracy/task_0": 0.25,
            "val_accuracy/task_1": 0.4,
            "val_accuracy/seen": 0.325,
        }
    )
    assert (trial.final["acc"], trial.final["val_acc"]) == pytest.approx((0.65, 0.325))


def test_a_trial_of_a_search_has_validation_metrics_only_and_says_so_in_its_name():
    rows = Rows().add("naive", 0, NAIVE)
    own = [{**row, "split": "val"} for row in to_rows(rows.accuracy)]
    trials = to_table(TRIALS, [row | {"scored_on": "val"} for row in to_rows(rows.trials)])
    (trial,) = logged(trials, to_table(ACCURACY, own), rows.tasks)
    assert trial.name == "domain-il/split-digits/naive/val seed 0"
    assert trial.final["val_acc"] == pytest.approx(0.65)
    assert all(name.startswith("val_") for name in [*trial.final, *trial.steps[0].values])


def test_every_setting_is_a_parameter_by_a_dotted_name():
    rows = Rows().add(
        "ewc", 3, NAIVE, hyperparameters={"lambda": 10.0}, model={"hidden": [20, 20]}, train={"clip": None}
    )
    assert told(rows)[0].params == {
        "scenario": "domain-il/split-digits",
        "method": "ewc",
        "seed": 3,
        "scenario.tasks": 2,
        "ewc.lambda": 10.0,
        "model.hidden": "[20, 20]",
        "train.clip": "null",
    }


def something(kind: pa.DataType) -> object:
    """A value of that type."""
    if pa.types.is_timestamp(kind):
        return START
    if pa.types.is_map(kind):
        return {"ray": "2"}
    simple = {pa.string(): "text", pa.int32(): 1, pa.int64(): 1, pa.float64(): 1.5, pa.bool_(): True}
    return simple.get(kind, [1])


def test_every_other_column_that_says_something_is_a_tag():
    rows = Rows().add("naive", 0, NAIVE)
    (row,) = to_rows(rows.trials)
    filled = row | {field.name: something(field.type) for field in TRIALS if row[field.name] is None}
    (trial,) = logged(to_table(TRIALS, [filled]), rows.accuracy, rows.tasks)
    parameters = {"scenario", "method", "seed", "scenario_settings", "hyperparameters", "model", "train"}
    costs = {"wall_s", "train_s", "eval_s", "peak_memory_bytes"}
    assert set(trial.tags) == set(TRIALS.names) - parameters - costs - {"error"}
    assert costs < set(trial.final)
    assert trial.tags["ended_at"] == START.isoformat()
    assert trial.tags["selection_seeds"] == "[1]"


def test_trials_stand_in_the_order_in_which_they_were_started():
    rows = Rows().add("naive", 0, NAIVE).add("naive", 1, NAIVE)
    changes = {"t0": {"started_at": START + timedelta(days=1)}}
    assert [trial.trial_id for trial in told(rows, changes)] == ["t1", "t0"]


def test_of_no_trials_nothing_is_told():
    assert logged(TRIALS.empty_table(), ACCURACY.empty_table(), TASKS.empty_table()) == []


def test_a_digest_tells_records_apart_that_differ_in_anything():
    others = [
        replace(MADE, status=FAILED),
        replace(MADE, name="another"),
        replace(MADE, steps=MADE.steps[:1]),
        replace(MADE, final={"acc": 0.7500001}),
        replace(MADE, tags={}),
    ]
    assert len({each.digest for each in [MADE, *others]}) == 6
    assert replace(MADE, steps=list(MADE.steps)).digest == MADE.digest


def test_a_record_is_plain_json():
    assert json.loads(json.dumps(MADE.plain)) == MADE.plain


@pytest.mark.parametrize(
    ("library", "extra", "write"),
    [
        ("tensorboard", "tensorboard", write_tensorboard),
        ("mlflow", "mlflow", write_mlflow),
        ("wandb", "wandb", write_wandb),
    ],
)
def test_where_a_library_is_not_installed_one_line_says_how_to(library, extra, write, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(NotInstalled) as raised:
        write([MADE], tmp_path / "out")
    assert str(raised.value) == f"{library} is not installed; pip install 'clsweep[{extra}]' installs it"
    assert not (tmp_path / "out").exists()


def test_a_folder_of_that_name_is_no_library(monkeypatch, tmp_path):
    (tmp_path / "wandb_of_mine").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NotInstalled):
        needs("wandb_of_mine", extra="wandb")


@pytest.mark.parametrize("write", [write_tensorboard, write_mlflow, write_wandb])
def test_a_folder_that_cannot_be_made_is_named(write, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write .*/file/out: Not a directory"):
        write([MADE], tmp_path / "file" / "out")


def test_what_goes_wrong_in_a_process_of_its_own_is_told_in_one_line(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint('chatter', file=sys.stderr)\nraise OSError('the disk is full')\n")
    with pytest.raises(StoreError) as raised:
        done_apart(script, {}, tmp_path, own="X_", settings={})
    assert str(raised.value) == f"cannot write {tmp_path}: OSError: the disk is full"


def test_a_process_of_its_own_gets_none_of_the_users_settings_for_the_tool(tmp_path, monkeypatch, capfd):
    script = tmp_path / "script.py"
    script.write_text(
        "import json, os, sys\n"
        "print('chatter')\n"
        "own = sorted(name for name in os.environ if name.startswith('TOOL_'))\n"
        "print(json.dumps([json.load(sys.stdin), os.getcwd(), own]))\n"
    )
    monkeypatch.setenv("TOOL_TOKEN", "secret")
    answer = done_apart(script, {"a": 1.5}, tmp_path, own="TOOL_", settings={"TOOL_MODE": "offline"})
    assert answer == [{"a": 1.5}, str(tmp_path), ["TOOL_MODE"]]
    assert capfd.readouterr() == ("", "")
