"""Trials in this process, through to their rows: order, what is on disk meanwhile, failures, and the data."""

from __future__ import annotations

import pytest
from commands import TINY, wait_until
from made import Watching, recorder

from cl.datasets import content_digest
from cl.methods.naive import Naive
from cl.registry import METHODS
from orchestrator.local import run_local
from orchestrator.outcome import outcomes_of
from orchestrator.preparation import prepare
from results.store import Store
from sweeps.spec import load_spec

EVERY_METHOD_AND_KIND = f"""
name: all
seeds: 1
scenarios:
  - {{kind: task-il, stream: split-digits, tasks: 2}}
  - {{kind: domain-il, stream: permuted-digits, tasks: 2}}
  - {{kind: class-il, stream: rotated-digits, tasks: 2, normalize: true}}
methods: [{", ".join(METHODS)}]
model: {{hidden: [16]}}
train: {{iterations: 5, val_share: 0.1}}
"""


@pytest.fixture
def prepared(tmp_path):
    """A sweep by its YAML, ready to run."""

    def make(text=TINY):
        path = tmp_path / "sweep.yaml"
        path.write_text(text)
        return prepare(load_spec(str(path)))

    return make


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "run")


def run(prepared, store, watcher=None):
    recording = recorder(store, prepared.streams, watcher, in_process=True)
    try:
        run_local(prepared.plan.trials, prepared.data, recording)
    finally:
        recording.writer.flush()
    return recording


def test_trials_run_in_the_order_of_the_plan_one_outcome_per_task(prepared, store):
    sweep, watcher = prepared(), Watching()
    run(sweep, store, watcher)
    told = ["started", "running", "running", "complete"]
    assert watcher.told == [(trial.id, word) for trial in sweep.plan.trials for word in told]


def test_the_part_of_a_trial_is_there_while_others_run(prepared, store):
    sweep = prepared()
    first, second = sweep.plan.trials[:2]

    class Looking(Watching):
        def started(self, trial):
            super().started(trial)
            if trial is second:
                wait_until(lambda: store.statuses() == {first.id: "complete", second.id: "running"})
                assert set(store.accuracy()["trial_id"].to_pylist()) == {first.id}
                assert store.accuracy().num_rows == 12
                assert store.tasks().num_rows == 3

    watcher = Looking()
    run(sweep, store, watcher)
    assert (second.id, "started") in watcher.told


def test_running_a_sweep_twice_gives_the_same_matrices_bit_for_bit(prepared, store, tmp_path):
    sweep, again = prepared(), Store(tmp_path / "again")
    run(sweep, store)
    run(sweep, again)
    assert store.accuracy().equals(again.accuracy())


def test_methods_learn_task_0_identically(prepared, store):
    """They differ only once there is a past, so that differences between them are paired."""
    run(prepared(), store)
    losses = {
        (row["seed"], row["loss"], row["steps"]) for row in store.tasks().to_pylist() if row["task"] == 0
    }
    assert len(losses) == 2, "one for each seed"


def test_the_data_is_the_same_after_every_method_has_run_in_every_kind(prepared, store):
    sweep = prepared(EVERY_METHOD_AND_KIND)
    [[digits]] = sweep.data.values()
    run(sweep, store)
    left_out = 4  # pnn and packnet, which need task ids, in the two kinds that have none
    assert list(store.statuses().values()) == ["complete"] * (3 * len(METHODS) - left_out)
    assert content_digest(digits) == digits.digest


def test_the_data_cannot_be_written_to(prepared):
    [[digits]] = prepared().data.values()
    assert not any(array.flags.writeable for array in (digits.x_train, digits.y_train, digits.x_test))


def test_an_exception_in_a_method_ends_its_trial_only(prepared, store, monkeypatch):
    def broken(*_):
        raise MemoryError

    monkeypatch.setattr(Naive, "gradient", broken)
    recording = run(prepared(), store)
    ended = {row["method"]: row for row in store.trials().to_pylist()}
    assert {method: row["status"] for method, row in ended.items()} == {
        "naive": "failed",
        "joint": "complete",
        "ewc": "complete",
        "replay": "complete",
    }
    assert ended["naive"]["error_cause"] == "MemoryError"
    assert recording.failed == 2


def test_a_diverged_trial_says_where(prepared):
    sweep = prepared(TINY.replace("iterations: 5", "iterations: 5, lr: 1.0e30, clip_norm: null"))
    [*_, last] = outcomes_of(sweep.plan.trials[0], sweep.data["digits",])
    assert last.status == "diverged"
    assert last.cause.startswith("the loss was nan at step ")
    assert last.error is None


def test_an_outcome_carries_everything_reported_so_far(prepared):
    sweep = prepared()
    outcomes = list(outcomes_of(sweep.plan.trials[0], sweep.data["digits",]))
    assert [[report.task for report in outcome.reports] for outcome in outcomes] == [
        [-1, 0],
        [-1, 0, 1],
        [-1, 0, 1, 2],
    ]
    assert [outcome.status for outcome in outcomes] == ["running", "running", "complete"]
    assert all(outcome.host and outcome.cpu_model for outcome in outcomes)


def test_an_interrupt_is_not_taken_for_a_failure(prepared, store, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Naive, "gradient", interrupted)
    sweep = prepared()
    with pytest.raises(KeyboardInterrupt):
        run(sweep, store)
    assert list(store.statuses().values()) == ["running"]
