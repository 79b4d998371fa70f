"""`clsweep run`: rows, resume, failures and refusals, with the trials in this process."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from commands import clsweep, column, parts, spec, store

from cl.methods.ewc import EWC
from cl.methods.naive import Naive
from results.schema import ACCURACY, TASKS, TRIALS
from results.storage import Folder, StoreError
from sweeps.plan import plan
from sweeps.spec import load_spec

METHODS = ("naive", "joint", "ewc", "replay")
DIVERGING = """
name: tiny
seeds: 2
scenarios: [{kind: class-il, stream: split-digits, tasks: 3}]
methods: [naive]
model: {hidden: [16]}
train: {iterations: 5, clip_norm: null, lr: {grid: [0.01, 1.0e20]}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def failing_ewc(monkeypatch):
    """EWC raises in its second task, as a method with a bug in it would."""

    def broken(self, learner, data, index):
        if learner.task == 1:
            raise ZeroDivisionError("lambda went missing\nand more")
        return super(EWC, self).gradient(learner, data, index)

    with monkeypatch.context() as patched:
        patched.setattr(EWC, "gradient", broken)
        yield patched


def statuses(**by_method):
    return Counter(dict.fromkeys(by_method.items(), 2))


def counted(run):
    trials = run.trials()
    return Counter(zip(column(trials, "method"), column(trials, "status"), strict=True))


def test_every_trial_leaves_all_its_rows_in_one_part_per_table():
    result = clsweep("run", spec(), "--local")
    assert result.exit_code == 0, result.output
    run = store()
    trials, accuracy, tasks = run.trials(), run.accuracy(), run.tasks()
    assert (trials.schema, accuracy.schema, tasks.schema) == (TRIALS, ACCURACY, TASKS)
    assert counted(run) == statuses(naive="complete", joint="complete", ewc="complete", replay="complete")
    ids = set(column(trials, "trial_id"))
    assert len(ids) == 8
    assert set(parts()) == {
        f"{table}/{id_}.parquet" for table in ("trials", "accuracy", "tasks") for id_ in ids
    }
    left = sorted(path.name for path in Path("runs/tiny").iterdir())
    assert left == ["accuracy", "sweep.yaml", "tasks", "trials"], "the lease is given back"
    cells = itertools.product(ids, [-1, 0, 1, 2], [0, 1, 2], ["test"])
    rows = zip(
        *(column(accuracy, name) for name in ("trial_id", "after_task", "eval_task", "split")), strict=True
    )
    assert sorted(rows) == sorted(cells), "T (T + 1) test rows of each trial"
    rows = zip(column(tasks, "trial_id"), column(tasks, "task"), strict=True)
    assert sorted(rows) == sorted(itertools.product(ids, [0, 1, 2]))


def test_a_trials_row_says_what_ran_where_and_how_long():
    clsweep("run", spec(), "--local")
    rows = store().trials().to_pylist()
    for row in rows:
        assert (row["sweep"], row["scenario"], row["stream"]) == (
            "tiny",
            "class-il/split-digits",
            "split-digits",
        )
        assert (row["n_tasks"], row["attempts"], row["device"], row["threads"]) == (3, 1, "cpu", 1)
        assert (row["cpu"], row["gpu"], row["error"], row["error_cause"]) == (1.0, 0.0, None, None)
        assert row["ray_version"] is None, "null for a trial run in-process"
        assert row["wall_s"] == pytest.approx((row["ended_at"] - row["started_at"]).total_seconds())
        assert 0 < row["train_s"] + row["eval_s"] <= row["wall_s"]
        assert row["peak_memory_bytes"] is None or row["peak_memory_bytes"] > 10_000_000
        assert row["host"]
        assert row["cpu_model"]
        assert row["gpu_model"] is None
        assert dict(row["packages"])["numpy"] == np.__version__
    [digest] = {row["data_digest"] for row in rows}
    planned = plan(load_spec("tiny.yaml"), {("digits",): digest}).trials
    assert {row["trial_id"] for row in rows} == {trial.id for trial in planned}


def test_the_trials_of_one_command_say_when_it_was_started_and_on_which_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    before = datetime.now(UTC)
    clsweep("run", spec(), "--local", "--set", "seeds=1")
    between = datetime.now(UTC)
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "--quiet"], ["add", "tiny.yaml"], ["commit", "--quiet", "-m", "one"]):
        subprocess.run(["git", *who, *words], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    clsweep("run", "tiny.yaml", "--local", "--set", "seeds=2")
    Path("plugin.py").touch()
    clsweep("run", "tiny.yaml", "--local", "--set", "seeds=3")
    of_seeds = {
        seed: {(r["driver_started_at"], r["git_commit"], r["git_dirty"]) for r in rows}
        for seed, rows in _by(store().trials().to_pylist(), "seed").items()
    }
    (first, *code), (second, *clean), (third, *dirty) = (of_seeds[seed].pop() for seed in range(3))
    assert of_seeds == {0: set(), 1: set(), 2: set()}, "one value each"
    assert before < first < between < second < third < datetime.now(UTC)
    assert (code, clean, dirty) == ([None, None], [commit.strip(), False], [commit.strip(), True])


def _by(rows, name):
    return {value: [row for row in rows if row[name] == value] for value in {row[name] for row in rows}}


def test_joint_gets_as_many_iterations_more_as_it_has_tasks():
    clsweep("run", spec(), "--local")
    tasks = store().tasks().to_pylist()
    steps = {(row["method"], row["task"]): row["steps"] for row in tasks}
    assert [steps["naive", task] for task in range(3)] == [5, 5, 5]
    assert [steps["joint", task] for task in range(3)] == [5, 10, 15]


def test_validation_examples_have_rows_of_their_own():
    clsweep("run", spec(), "--local", "--set", "train.val_share=0.25", "--set", "seeds=1")
    accuracy = store().accuracy()
    assert Counter(column(accuracy, "split")) == {"test": 4 * 3 * 4, "val": 4 * 3 * 4}


def test_unseen_classes_have_rows_without_an_accuracy():
    clsweep("run", spec(), "--local", "--set", "seeds=1")
    rows = store().accuracy().to_pylist()
    # The untrained model has the outputs of task 0 only.
    assert {(r["accuracy"] is None) == (r["eval_task"] > max(r["after_task"], 0)) for r in rows} == {True}


def test_the_resolved_spec_lies_beside_the_rows_and_plans_the_same_trials():
    clsweep("run", spec(), "--local", "--set", "methods.replay.buffer_size=7")
    written = load_spec("runs/tiny/sweep.yaml")
    asked = load_spec("tiny.yaml", ["methods.replay.buffer_size=7"])
    digests = {("digits",): "d"}
    assert plan(written, digests).trials == plan(asked, digests).trials


def test_the_table_is_printed_at_the_end():
    output = clsweep("run", spec(), "--local").output
    assert "tiny: 8 trials; results in runs/tiny" in output
    assert "8/8 trials, 0 running" in output
    table = [line.split()[:2] for line in output.splitlines()]
    assert [line for line in table if line and line[0] in ("naive", "joint", "ewc", "replay")] == [
        ["naive", "2"],
        ["joint", "2"],
        ["ewc", "2"],
        ["replay", "2"],
    ]


def test_a_plain_terminal_gets_plain_lines():
    assert "\x1b" not in clsweep("run", spec(), "--local").output


def test_the_same_command_again_runs_nothing_and_prints_the_table(monkeypatch):
    first = clsweep("run", spec(), "--local")
    before = parts()
    with monkeypatch.context() as patched:
        patched.setattr("orchestrator.sweep.run_local", _nothing_may_run)
        again = clsweep("run", "tiny.yaml", "--local")
    assert again.exit_code == 0
    assert parts() == before
    assert "tiny: 8 trials, 8 of them done before" in again.output
    table = first.output[first.output.index("class-il/split-digits") :]
    assert again.output.endswith(table)


def _nothing_may_run(*_):
    raise AssertionError("a trial was run")


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        (["seeds=1"], ["seeds=3"], {(method, seed) for method in METHODS for seed in (1, 2)}),
        (["seeds=[5]"], ["seeds=[5, 3]"], {(method, 3) for method in METHODS}),
        (["seeds=1"], ["seeds=1", "methods.replay.ratio={grid: [0.5, 0.25]}"], {("replay", 0)}),
        (["seeds=1"], ["seeds=1", "train.lr={grid: [0.01, 0.1]}"], {(method, 0) for method in METHODS}),
    ],
)
def test_more_seeds_or_a_longer_grid_run_only_what_is_new(before, now, new):
    clsweep("run", spec(), "--local", *_overrides(before))
    done = parts()
    result = clsweep("run", "tiny.yaml", "--local", *_overrides(now))
    assert result.exit_code == 0
    after = parts()
    assert {path: after[path] for path in done} == done, "what was complete is not touched"
    added = {Path(path).stem for path in set(after) - set(done)}
    rows = [row for row in store().trials().to_pylist() if row["trial_id"] in added]
    assert sorted((row["method"], row["seed"]) for row in rows) == sorted(new)


def _overrides(values):
    return itertools.chain.from_iterable(("--set", value) for value in values)


def test_a_trial_whose_process_was_lost_with_the_driver_is_run_again():
    clsweep("run", spec(), "--local", "--set", "seeds=1")
    complete = store().trials().to_pylist()
    lost = next(row for row in complete if row["method"] == "ewc")
    store().write_trial(lost | {"status": "running", "ended_at": None})
    store().write_accuracy(lost["trial_id"], store().accuracy().slice(0, 3).to_pylist())
    result = clsweep("run", "tiny.yaml", "--local", "--set", "seeds=1")
    assert "tiny: 4 trials, 3 of them done before" in result.output
    assert set(store().statuses().values()) == {"complete"}
    assert store().accuracy().num_rows == 4 * 12
    attempts = {row["method"]: row["attempts"] for row in store().trials().to_pylist()}
    assert attempts == {"naive": 1, "joint": 1, "ewc": 2, "replay": 1}


@pytest.mark.usefixtures("failing_ewc")
def test_a_failed_trial_is_recorded_with_its_cause_and_the_others_go_on():
    result = clsweep("run", spec(), "--local")
    assert result.exit_code == 1
    assert counted(store()) == statuses(naive="complete", joint="complete", ewc="failed", replay="complete")
    failed = [row for row in store().trials().to_pylist() if row["method"] == "ewc"]
    for row in failed:
        assert row["error_cause"] == "ZeroDivisionError: lambda went missing"
        assert row["error"].startswith("Traceback")
        assert 'raise ZeroDivisionError("lambda went missing' in row["error"]
        assert row["ended_at"] is not None
        rows = store().accuracy().filter(pc.field("trial_id") == row["trial_id"])
        assert set(column(rows, "after_task")) == {-1, 0}, "what it had learned before is kept"


@pytest.mark.usefixtures("failing_ewc")
def test_failures_are_in_the_table_and_grouped_by_cause():
    output = clsweep("run", spec(), "--local").output
    assert "8/8 trials, 0 running, 2 failed" in output
    assert [line.split()[:2] for line in output.splitlines() if line.startswith("ewc")] == [["ewc", "0/2"]]
    assert "2 trials failed: ZeroDivisionError: lambda went missing" in output
    assert "Traceback" not in output


def test_failed_trials_are_run_again_and_nothing_else(failing_ewc):
    clsweep("run", spec(), "--local")
    others = {path: content for path, content in parts().items() if not _of_method(path, "ewc")}
    failing_ewc.undo()
    result = clsweep("run", "tiny.yaml", "--local")
    assert result.exit_code == 0
    assert counted(store()) == statuses(**dict.fromkeys(METHODS, "complete"))
    after = parts()
    assert {path: after[path] for path in others} == others
    assert all(row["error"] is None for row in store().trials().to_pylist())


def _of_method(path, method):
    rows = store().trials().to_pylist()
    return {row["trial_id"]: row["method"] for row in rows}[Path(path).stem] == method


def test_a_trial_that_diverges_is_a_result_and_not_an_error():
    result = clsweep("run", spec(DIVERGING), "--local")
    assert result.exit_code == 0
    rows = store().trials().to_pylist()
    ended = {(json.loads(row["train"])["lr"], row["seed"]): row["status"] for row in rows}
    assert ended == {
        (0.01, 0): "complete",
        (0.01, 1): "complete",
        (1e20, 0): "diverged",
        (1e20, 1): "diverged",
    }
    assert "4/4 trials, 0 running, 2 diverged" in result.output


def test_a_diverged_trial_is_repeated_only_if_asked():
    clsweep("run", spec(DIVERGING), "--local")
    before = parts()
    clsweep("run", "tiny.yaml", "--local")
    assert parts() == before
    result = clsweep("run", "tiny.yaml", "--local", "--rerun", "diverged")
    assert result.exit_code == 0
    assert "tiny: 4 trials, 2 of them done before" in result.output
    changed = {Path(path).stem for path, content in parts().items() if content != before[path]}
    assert {store().statuses()[trial_id] for trial_id in changed} == {"diverged"}
    assert len(changed) == 2


def test_an_interrupted_sweep_says_how_to_continue_and_continues(monkeypatch):
    learned = Naive.gradient

    def interrupted(self, learner, data, index):
        if learner.seed == 1 and type(self) is Naive:
            raise KeyboardInterrupt
        return learned(self, learner, data, index)

    command = ["run", spec(), "--local", "--set", "train.lr=0.1"]
    with monkeypatch.context() as patched:
        patched.setattr(Naive, "gradient", interrupted)
        patched.setattr(sys, "argv", ["/somewhere/clsweep", *command])
        result = clsweep(*command)
    assert result.exit_code == 130
    assert "Everything finished is in runs/tiny; the same command continues:" in result.output
    assert "\n  clsweep run tiny.yaml --local --set train.lr=0.1\n" in result.output
    assert Counter(store().statuses().values()) == {"complete": 4, "running": 1}
    assert store().accuracy().num_rows >= 4 * 12
    result = clsweep(*command)
    assert result.exit_code == 0
    assert counted(store()) == statuses(**dict.fromkeys(METHODS, "complete"))


def test_storage_names_the_folder_that_runs_go_to():
    result = clsweep("run", spec(), "--local", "--set", "seeds=1", "--storage", "some where/else")
    assert result.exit_code == 0
    assert len(store(storage="some where/else").trials()) == 4
    assert not Path("runs").exists()


def test_data_of_ones_own_runs_from_files_beside_the_spec(blobs):
    folder = Path("sweeps of mine")
    folder.mkdir()
    arrays = {name: getattr(blobs, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    for task, digits in enumerate([(0, 1), (2, 3)]):
        kept = {name: array[np.isin(arrays[f"y_{name[2:]}"], digits)] for name, array in arrays.items()}
        np.savez(folder / f"task {task}.npz", **kept)
    text = """
        name: mine
        seeds: 1
        scenarios: [{kind: task-il, stream: ["task 0.npz", "task 1.npz"]}]
        methods: [naive, joint]
        train: {epochs: 5, lr: 0.1}
    """
    result = clsweep("run", spec(text, str(folder / "mine.yaml")), "--local")
    assert result.exit_code == 0, result.output
    rows = store("mine").accuracy().to_pylist()
    learned = {
        (r["method"], r["eval_task"]): r["accuracy"] for r in rows if r["after_task"] == r["eval_task"]
    }
    assert learned == {("naive", 0): 1.0, ("naive", 1): 1.0, ("joint", 0): 1.0, ("joint", 1): 1.0}


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["--set", "methods=[ewk]"], ["methods", "'ewk'", "did you mean 'ewc'?"]),
        (["--set", "methods=[ewc: {lamda: 1}]"], ["methods.ewc.lamda", "did you mean 'lambda'?"]),
        (["--set", "scenarios=[clas-il/split-digits]"], ["clas-il", "did you mean 'class-il'?"]),
        (["--set", "scenarios=[class-il/split-digit]"], ["split-digit", "did you mean 'split-digits'?"]),
        (["--set", "train.epoch=1"], ["train.epoch", "did you mean 'epochs'?"]),
        (["--set", "train.lr=-1"], ["train.lr", "-1"]),
        (["--set", "seeds=0"], ["seeds", "0"]),
        (["--local", "--address", "auto"], ["--local", "--address"]),
    ],
)
def test_a_wrong_request_is_one_message_and_leaves_nothing(arguments, messages):
    result = clsweep("run", spec(), *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("clsweep: ")
    assert "Traceback" not in result.stderr
    assert [message for message in messages if message not in result.stderr] == []
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("source", "nearest"), [("quickstrat", "quickstart"), ("nowhere.yaml", "nowhere.yaml")]
)
def test_a_spec_that_does_not_exist_is_refused_with_the_nearest_name(source, nearest):
    result = clsweep("run", source, "--local")
    assert result.exit_code == 2
    assert nearest in result.stderr.replace(source, "", 1) or source == nearest


def test_all_problems_of_a_spec_come_at_once():
    result = clsweep(
        "run", spec(), "--set", "train.lr=-1", "--set", "methods=[ewk]", "--set", "model.hiden=[1]"
    )
    assert result.exit_code == 2
    assert "3 problems" in result.stderr
    assert [word for word in ("train.lr", "'ewk'", "model.hiden") if word not in result.stderr] == []


def test_data_that_is_nowhere_is_one_message_with_the_ways_to_get_it(monkeypatch):
    def unreachable(*_):
        raise OSError("no route to host")

    monkeypatch.setattr("cl.datasets.download", unreachable)
    result = clsweep(
        "run", spec(), "--local", "--data-dir", "empty", "--set", "scenarios=[class-il/split-mnist]"
    )
    assert result.exit_code == 2
    assert result.stderr.startswith("clsweep: MNIST was not found. Tried:")
    assert "no route to host" in result.stderr
    assert "--data-dir" in result.stderr
    assert "Traceback" not in result.output
    assert not Path("runs").exists()


def test_streams_that_the_data_does_not_allow_are_refused_in_one_message(blobs):
    flat = {name: getattr(blobs, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    flat |= {name: flat[name].reshape(len(flat[name]), -1) for name in ("x_train", "x_test")}
    np.savez("f.npz", **flat)
    split = "{kind: class-il, stream: split, data: f.npz, tasks: 4}"
    rotated = "{kind: task-il, stream: rotated, data: f.npz}"
    result = clsweep("run", spec(), "--local", "--set", f"scenarios=[{split}, {rotated}]")
    assert result.exit_code == 2
    shapes = "images of shape (height, width) or (channels, height, width)"
    assert result.stderr.splitlines() == [
        "clsweep: tiny has 2 problems:",
        "  class-il/split-f: split: tasks x classes_per_task = 4 x 2 = 8 classes; the data has 6",
        f"  task-il/rotated-f: rotated: {shapes} are needed; the data's shape is (16,)",
    ]


@pytest.mark.parametrize("where", [["--local"], []])
def test_results_that_cannot_be_written_end_the_sweep_with_their_place(where):
    Path("full").write_text("a file where a folder should be")
    result = clsweep("run", spec(), *where, "--storage", "full")
    assert result.exit_code == 1
    assert "cannot write full/tiny" in result.stderr
    assert "Traceback" not in result.output


def test_a_finished_sweep_is_shown_from_storage_that_can_only_be_read(monkeypatch):
    before = clsweep("run", spec(), "--local").output

    def refused(folder, name, _):
        raise StoreError(f"cannot write {folder}/{name}: Read-only file system")

    monkeypatch.setattr(Folder, "write", refused)
    again = clsweep("run", "tiny.yaml", "--local")
    assert again.exit_code == 0
    assert before.endswith(again.output.partition("\n")[2])


def test_a_gpu_that_is_not_there_is_refused_before_anything_starts(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = clsweep("run", spec(), "--local", "--set", "resources.gpu=0.5")
    assert result.exit_code == 2
    assert (
        result.stderr
        == "clsweep: resources: a trial asks for a GPU, but PyTorch finds none on this machine\n"
    )
    assert not Path("runs").exists()
