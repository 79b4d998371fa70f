"""From outcomes to rows: what is on disk at each moment of a trial, and what is left to run."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import made
import pytest
from made import outcome, trial

from orchestrator.checkpoints import Checkpoints
from orchestrator.identity import scenario_key
from orchestrator.recording import WRITE_WITHIN_S, Before, missing
from results.storage import Folder, StoreError
from results.store import Store

TRIAL = trial()
UNTRAINED, FIRST, LAST = [0.5, None], [0.9, None], [0.4, 1.0]
RUNNING = outcome(UNTRAINED, FIRST)
MACHINE = {"host": "node-7", "cpu_model": "abacus", "gpu_model": "jacquard"}
COMPLETE = outcome(
    UNTRAINED, FIRST, LAST, status="complete", **MACHINE, packages='{"numpy": "2.0", "torch": "2.6+cpu"}'
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "run")


@pytest.fixture
def recording(store):
    """Makes recorders of the trial, one for each run; whatever they were told is on disk in the end."""
    recorders = []

    def make(**options):
        recorders.append(made.recorder(store, {scenario_key(TRIAL): 2}, **options))
        return recorders[-1]

    yield make
    for each in recorders:
        each.writer.flush()


@pytest.fixture
def recorder(recording):
    return recording()


@pytest.fixture
def clock(monkeypatch):
    """The writer's clock, which moves only when told to."""
    time = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("orchestrator.writing.time", SimpleNamespace(monotonic=lambda: time.now))
    return time


def write_what_is_due(recorder):
    """Return once the writer has written what is due, and nothing else."""
    written = threading.Event()
    recorder.writer.put("last of all", written.set)
    assert written.wait(timeout=60)


def row(store):
    [only] = store.trials().to_pylist()
    return only


def columns_recorded(store):
    """The columns of the accuracy matrix on disk."""
    return sorted(set(store.accuracy()["after_task"].to_pylist()))


def test_a_trial_is_on_disk_as_running_within_seconds_of_its_start(recorder, store, clock):
    recorder.started(TRIAL)
    clock.now += WRITE_WITHIN_S
    write_what_is_due(recorder)
    assert row(store)["status"] == "running"
    assert row(store)["ended_at"] is None
    assert row(store)["wall_s"] is None
    assert row(store)["n_tasks"] == 2


def test_a_report_is_on_disk_within_seconds_while_the_trial_goes_on(recorder, store, clock):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, outcome(UNTRAINED))
    clock.now += WRITE_WITHIN_S / 2
    recorder.reported(TRIAL, RUNNING)
    write_what_is_due(recorder)
    assert columns_recorded(store) == []
    clock.now += WRITE_WITHIN_S / 2
    write_what_is_due(recorder)
    assert row(store)["status"] == "running"
    assert columns_recorded(store) == [-1, 0]
    assert store.tasks()["task"].to_pylist() == [0]


def test_what_is_on_disk_is_not_written_again(recorder, store):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, RUNNING)
    recorder.writer.flush()
    (store.root / "accuracy").remove(f"{TRIAL.id}.parquet")
    recorder.reported(TRIAL, RUNNING)
    recorder.writer.flush()
    assert columns_recorded(store) == []
    recorder.reported(TRIAL, COMPLETE)
    recorder.writer.flush()
    assert columns_recorded(store) == [-1, 0, 1]


def test_a_report_does_not_write_the_trials_own_row_again(recorder, store, monkeypatch):
    write, written = store.write_trial, []
    monkeypatch.setattr(store, "write_trial", lambda row: (written.append(row["status"]), write(row)))
    recorder.started(TRIAL)
    recorder.writer.flush()
    recorder.reported(TRIAL, RUNNING)
    recorder.writer.flush()
    recorder.started(TRIAL)
    recorder.writer.flush()
    recorder.reported(TRIAL, COMPLETE)
    recorder.writer.flush()
    assert written == ["running", "running", "complete"], "the second for its second attempt"
    assert columns_recorded(store) == [-1, 0, 1]


@pytest.mark.usefixtures("clock")
def test_quick_reports_are_written_together_and_at_once_when_the_trial_ends(recorder, store, monkeypatch):
    written = []
    monkeypatch.setattr(store, "write_accuracy", lambda _, rows: written.append(len(rows)))
    recorder.started(TRIAL)
    recorder.reported(TRIAL, RUNNING)
    write_what_is_due(recorder)
    assert written == []
    recorder.reported(TRIAL, COMPLETE)
    write_what_is_due(recorder)
    assert written == [6]
    assert row(store)["status"] == "complete"


def test_a_complete_trial_has_its_matrix_and_where_it_ran(recorder, store):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, COMPLETE)
    recorder.writer.flush()
    ended = row(store)
    assert (ended["status"], ended["attempts"]) == ("complete", 1)
    assert {name: ended[name] for name in MACHINE} == MACHINE
    assert ended["packages"] == [("numpy", "2.0"), ("torch", "2.6+cpu")]
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


def test_every_row_of_a_trial_says_which_command_runs_it_and_a_later_command_replaces_that(recording, store):
    def command(day, commit, dirty):
        return {
            "driver_started_at": datetime(2026, 1, day, tzinfo=UTC),
            "git_commit": commit,
            "git_dirty": dirty,
        }

    first, second = command(1, "c0", False), command(2, None, None)
    recorder = recording(command=first)
    recorder.started(TRIAL)
    recorder.writer.flush()
    assert {name: row(store)[name] for name in first} == first
    assert (row(store)["host"], row(store)["gpu_model"], row(store)["packages"]) == (None, None, None)
    recorder.reported(TRIAL, RUNNING)
    recorder.stopped(TRIAL)
    recorder.writer.flush()
    assert {name: row(store)[name] for name in first} == first
    later = recording(command=second)
    later.started(TRIAL)
    later.reported(TRIAL, COMPLETE)
    later.writer.flush()
    assert {name: row(store)[name] for name in second} == second


def test_a_process_that_could_not_say_what_it_ran_with_leaves_it_open(recorder, store):
    recorder.started(TRIAL)
    recorder.lost(TRIAL, "out of memory")
    recorder.writer.flush()
    assert (row(store)["gpu_model"], row(store)["packages"]) == (None, None)


def test_a_report_that_comes_twice_leaves_each_row_once(recorder, store):
    recorder.started(TRIAL)
    for each in (RUNNING, RUNNING, COMPLETE):
        recorder.reported(TRIAL, each)
        recorder.writer.flush()
    assert store.accuracy().num_rows == 6
    assert store.tasks().num_rows == 2


def test_a_trial_that_starts_over_has_an_attempt_more_and_the_time_of_the_last(recorder, store):
    recorder.started(TRIAL)
    recorder.writer.flush()
    first = row(store)["started_at"]
    recorder.reported(TRIAL, RUNNING)
    recorder.started(TRIAL)
    recorder.writer.flush()
    assert (row(store)["status"], row(store)["attempts"]) == ("running", 2)
    assert row(store)["started_at"] > first
    recorder.reported(TRIAL, COMPLETE)
    recorder.writer.flush()
    assert (row(store)["status"], row(store)["attempts"]) == ("complete", 2)
    assert store.accuracy().num_rows == 6


def test_attempts_of_earlier_runs_count(recording, store):
    recorder = recording(before={TRIAL.id: Before(attempts=2), "another": Before(attempts=7)})
    recorder.started(TRIAL)
    recorder.writer.flush()
    assert row(store)["attempts"] == 3
    recorder.reported(TRIAL, COMPLETE)
    recorder.writer.flush()
    assert row(store)["attempts"] == 3


@pytest.mark.parametrize("same_run", [True, False])
def test_what_is_on_disk_is_never_replaced_by_less(recording, store, same_run):
    first = recording()
    first.started(TRIAL)
    first.reported(TRIAL, RUNNING)
    first.writer.flush()
    recorder = first if same_run else recording(before={TRIAL.id: Before(attempts=1, reports=2)})
    recorder.started(TRIAL)
    recorder.reported(TRIAL, outcome(UNTRAINED))
    recorder.writer.flush()
    assert columns_recorded(store) == [-1, 0]
    recorder.lost(TRIAL, "out of memory")
    recorder.writer.flush()
    assert (row(store)["status"], row(store)["attempts"]) == ("failed", 2)
    assert columns_recorded(store) == [-1, 0]
    assert store.tasks()["task"].to_pylist() == [0]


def test_a_trial_that_is_repeated_by_another_run_replaces_its_rows_once_it_has_as_many(recording, store):
    recorder = recording()
    recorder.started(TRIAL)
    recorder.reported(TRIAL, COMPLETE)
    recorder.writer.flush()
    recorder = recording(before={TRIAL.id: Before(attempts=1, reports=3)})
    recorder.started(TRIAL)
    recorder.reported(TRIAL, outcome(UNTRAINED, [0.8, None]))
    recorder.writer.flush()
    assert sorted(store.accuracy()["accuracy"].drop_null().to_pylist()) == [0.4, 0.5, 0.9, 1.0]
    recorder.reported(TRIAL, outcome(UNTRAINED, [0.8, None], [0.3, 0.7], status="complete"))
    recorder.writer.flush()
    assert sorted(store.accuracy()["accuracy"].drop_null().to_pylist()) == [0.3, 0.5, 0.7, 0.8]


def test_a_lost_trial_has_failed_with_its_cause_and_keeps_what_it_reported(recorder, store):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, RUNNING)
    recorder.started(TRIAL)
    recorder.lost(TRIAL, "Traceback\n  somewhere\nActorDiedError: killed\n")
    recorder.writer.flush()
    ended = row(store)
    assert (ended["status"], ended["attempts"]) == ("failed", 2)
    assert ended["error_cause"] == "ActorDiedError: killed"
    assert ended["error"] == "Traceback\n  somewhere\nActorDiedError: killed\n"
    assert columns_recorded(store) == [-1, 0]
    assert recorder.failed == 1


def test_a_trial_that_was_lost_before_it_reported_anything_has_failed(recorder, store):
    recorder.started(TRIAL)
    recorder.lost(TRIAL, "out of memory")
    recorder.writer.flush()
    assert (row(store)["status"], row(store)["error_cause"]) == ("failed", "out of memory")


def test_a_trial_that_a_search_gives_up_is_stopped_and_keeps_what_it_learned(recorder, store):
    recorder.started(TRIAL)
    recorder.reported(TRIAL, RUNNING)
    recorder.stopped(TRIAL)
    recorder.writer.flush()
    assert row(store)["status"] == "stopped"
    assert row(store)["ended_at"] is not None
    assert columns_recorded(store) == [-1, 0]
    assert recorder.ended == {TRIAL.id}
    assert recorder.failed == 0


def test_one_that_paused_in_an_earlier_run_is_stopped_with_its_own_row(recording, store, tmp_path):
    first = recording()
    first.started(TRIAL)
    first.reported(TRIAL, RUNNING)
    first.writer.flush()
    paused = row(store)
    checkpoints = Checkpoints(Folder.at(tmp_path / "checkpoints"), every_s=0)
    (checkpoints.folder / TRIAL.id).write("saved", b"")
    later = recording(before={TRIAL.id: Before(1, 2, paused)}, checkpoints=checkpoints)
    later.stopped(TRIAL)
    later.writer.flush()
    stopped = row(store)
    assert stopped["ended_at"] > paused["started_at"]
    assert stopped == paused | {"status": "stopped", "ended_at": stopped["ended_at"]}
    assert columns_recorded(store) == [-1, 0]
    assert (checkpoints.folder / TRIAL.id).entries() == []


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
    recorder.writer.flush()
    recorder.reported(TRIAL, COMPLETE)
    recorder.writer.flush()
    assert seen == [("running", 0, 0), ("complete", 6, 2)]


def test_a_trial_does_not_say_complete_if_its_rows_cannot_be_written(store, monkeypatch):
    def refused(*_):
        raise StoreError("cannot write: the disk is full")

    monkeypatch.setattr(store, "write_tasks", refused)
    recorder = made.recorder(store, {scenario_key(TRIAL): 2})
    recorder.started(TRIAL)
    recorder.reported(TRIAL, COMPLETE)
    with pytest.raises(StoreError, match="the disk is full"):
        recorder.writer.flush()
    assert store.statuses() == {}


@pytest.mark.parametrize(("status", "kept"), [("complete", False), ("diverged", False), ("failed", True)])
def test_checkpoints_are_removed_with_the_end_of_a_trial_that_will_not_go_on(
    recording, tmp_path, status, kept
):
    folder = Folder.at(tmp_path / "checkpoints")
    for trial_id in (TRIAL.id, "another"):
        (folder / trial_id).write("000000-d1g357.pt", b"weights")
    recorder = recording(checkpoints=Checkpoints(folder))
    recorder.started(TRIAL)
    recorder.reported(TRIAL, outcome(UNTRAINED, FIRST, checkpoint=True))
    recorder.writer.flush()
    assert folder.has(TRIAL.id)
    recorder.reported(TRIAL, outcome(UNTRAINED, FIRST, status=status, checkpoint=True))
    recorder.writer.flush()
    assert folder.has(TRIAL.id) == kept
    assert folder.has("another")


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
