"""From outcomes to rows: what is on disk at each moment of a trial, and what is left to run."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from made import Watching, outcome, trial

from orchestrator.identity import scenario_key
from orchestrator.recording import WRITE_WITHIN_S, Recorder, missing
from results.store import Store

TRIAL = trial()
UNTRAINED, FIRST, LAST = [0.5, None], [0.9, None], [0.4, 1.0]
RUNNING = outcome(UNTRAINED, FIRST)
COMPLETE = outcome(UNTRAINED, FIRST, LAST, status="complete", host="node-7", cpu_model="abacus")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "run")


@pytest.fixture
def recorder(store):
    return Recorder(store, "mine", {scenario_key(TRIAL): 2}, Watching())


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that moves only when told to."""
    time = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("orchestrator.recording.time", SimpleNamespace(monotonic=lambda: time.now))
    return time


def row(store):
    [only] = store.trials().to_pylist()
    return only


def columns_recorded(store):
    """The columns of the accuracy matrix on disk."""
    return sorted(set(store.accuracy()["after_task"].to_pylist()))


def test_a_trial_is_on_disk_as_running_from_its_start(recorder, store):
    recorder.started(TRIAL)
    assert row(store)["status"] == "running"
    assert row(store)["ended_at"] is None
    assert row(store)["wall_s"] is None
    assert row(store)["n_tasks"] == 2


def test_a_report_is_on_disk_within_seconds_while_the_trial_goes_on(recorder, store, clock):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, outcome(UNTRAINED))
    clock.now += WRITE_WITHIN_S / 2
    recorder.reported(TRIAL, RUNNING)
    recorder.write_waiting()
    assert columns_recorded(store) == []
    clock.now += WRITE_WITHIN_S / 2
    recorder.write_waiting()
    assert row(store)["status"] == "running"
    assert columns_recorded(store) == [-1, 0]
    assert store.tasks()["task"].to_pylist() == [0]


def test_what_is_on_disk_is_not_written_again(recorder, store, clock):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, RUNNING)
    recorder.write_waiting(for_s=0)
    store.paths.part("accuracy", TRIAL.id).unlink()
    clock.now += 2 * WRITE_WITHIN_S
    recorder.write_waiting()
    assert columns_recorded(store) == []
    recorder.reported(TRIAL, RUNNING)
    clock.now += 2 * WRITE_WITHIN_S
    recorder.write_waiting()
    assert columns_recorded(store) == [-1, 0]


def test_quick_reports_are_written_together_at_the_end(recorder, store):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, RUNNING)
    assert columns_recorded(store) == []
    recorder.reported(TRIAL, COMPLETE)
    assert columns_recorded(store) == [-1, 0, 1]


def test_in_process_a_report_is_on_disk_at_once(store):
    recorder = Recorder(store, "mine", {scenario_key(TRIAL): 2}, Watching(), in_process=True)
    recorder.started(TRIAL)
    recorder.reported(TRIAL, RUNNING)
    assert columns_recorded(store) == [-1, 0]


def test_a_complete_trial_has_its_matrix_and_where_it_ran(recorder, store):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, COMPLETE)
    ended = row(store)
    assert (ended["status"], ended["attempts"], ended["host"], ended["cpu_model"]) == (
        "complete",
        1,
        "node-7",
        "abacus",
    )
    accuracy = store.accuracy().to_pylist()
    matrix = {(r["eval_task"], r["after_task"]): r["accuracy"] for r in accuracy}
    assert matrix == {
        (0, -1): 0.5,
        (1, -1): None,
        (0, 0): 0.9,
        (1, 0): None,
        (0, 1): 0.4,
        (1, 1): 1.0,
    }
    assert {r["n_eval"] for r in accuracy} == {10}


def test_a_report_that_comes_twice_leaves_each_row_once(recorder, store):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, RUNNING)
    recorder.reported(TRIAL, RUNNING)
    recorder.reported(TRIAL, COMPLETE)
    assert store.accuracy().num_rows == 6
    assert store.tasks().num_rows == 2


def test_a_trial_that_starts_over_has_an_attempt_more_and_the_time_of_the_last(recorder, store):
    recorder.started(TRIAL)
    first = row(store)["started_at"]
    recorder.reported(TRIAL, RUNNING)
    recorder.started(TRIAL)
    assert (row(store)["status"], row(store)["attempts"]) == ("running", 2)
    assert row(store)["started_at"] > first
    recorder.reported(TRIAL, COMPLETE)
    assert (row(store)["status"], row(store)["attempts"]) == ("complete", 2)
    assert store.accuracy().num_rows == 6


def test_attempts_of_earlier_runs_count(store):
    recorder = Recorder(
        store, "mine", {scenario_key(TRIAL): 2}, Watching(), before={TRIAL.id: 2, "another": 7}
    )
    recorder.started(TRIAL)
    assert row(store)["attempts"] == 3
    recorder.reported(TRIAL, COMPLETE)
    assert row(store)["attempts"] == 3


def test_a_trial_that_is_repeated_and_lost_at_once_keeps_no_rows_of_before(recorder, store):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, COMPLETE)
    recorder.started(TRIAL)
    recorder.lost(TRIAL, "out of memory")
    assert (row(store)["status"], store.accuracy().num_rows, store.tasks().num_rows) == ("failed", 0, 0)


def test_a_lost_trial_has_failed_with_its_cause_and_keeps_what_it_reported(recorder, store):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, RUNNING)
    recorder.started(TRIAL)
    recorder.lost(TRIAL, "Traceback\n  somewhere\nActorDiedError: killed\n")
    ended = row(store)
    assert (ended["status"], ended["attempts"]) == ("failed", 2)
    assert ended["error_cause"] == "ActorDiedError: killed"
    assert ended["error"] == "Traceback\n  somewhere\nActorDiedError: killed\n"
    assert columns_recorded(store) == [-1, 0]
    assert recorder.failed == 1


def test_a_trial_that_was_lost_before_it_reported_anything_has_failed(recorder, store):
    recorder.started(TRIAL)
    recorder.lost(TRIAL, "out of memory")
    assert (row(store)["status"], row(store)["error_cause"]) == ("failed", "out of memory")


def test_failures_are_counted_and_diverging_is_not_one(recorder):
    for method, status in (("naive", "failed"), ("ewc", "diverged"), ("joint", "complete")):
        of_status = trial(method)
        recorder.started(of_status)
        recorder.reported(of_status, outcome(UNTRAINED, status=status))
    assert recorder.failed == 1


def test_the_watcher_is_told_everything(recorder):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, RUNNING)
    recorder.reported(TRIAL, COMPLETE)
    assert recorder.watcher.told == [(TRIAL.id, "started"), (TRIAL.id, "running"), (TRIAL.id, "complete")]


def test_a_trial_says_complete_only_after_its_rows_are_there(recorder, store, monkeypatch):
    seen = []
    write = store.write_trial

    def watched(values):
        seen.append((values["status"], store.accuracy().num_rows, store.tasks().num_rows))
        write(values)

    monkeypatch.setattr(store, "write_trial", watched)
    recorder.started(TRIAL)
    recorder.reported(TRIAL, COMPLETE)
    assert seen == [("running", 0, 0), ("complete", 6, 2)]


STATUSES = ("complete", "failed", "running", "diverged", "stopped")


@pytest.mark.parametrize(
    ("again", "left"),
    [
        ([], ["failed", "running", "new"]),
        (["diverged"], ["failed", "running", "diverged", "new"]),
        (["stopped", "complete"], ["complete", "failed", "running", "stopped", "new"]),
    ],
)
def test_what_failed_was_lost_or_never_ran_is_left_to_run(again, left):
    trials = {status: trial(seed=seed) for seed, status in enumerate((*STATUSES, "new"))}
    statuses = {trials[status].id: status for status in STATUSES}
    assert missing(list(trials.values()), statuses, again=again) == [trials[status] for status in left]
