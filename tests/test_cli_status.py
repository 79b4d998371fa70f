"""`clsweep status`: how far a run is, who drives it, what failed and why, and the time left."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import ROOT, TINY, clsweep, spec, store

from orchestrator.lease import held
from results.schema import COMPLETE, DIVERGED, FAILED, RUNNING
from results.storage import Folder

TWO = TINY.replace("scenarios: [", "scenarios: [domain-il/split-digits, ")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a finished run in it: two scenarios, four methods, two seeds."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert clsweep("run", spec(TWO), "--local").exit_code == 0
    return folder


@pytest.fixture(autouse=True)
def here(finished, tmp_path, monkeypatch):
    """A folder of the test's own with a copy of the run."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def said(*arguments):
    result = clsweep("status", *(arguments or ["runs/tiny"]))
    assert result.exit_code == 0, result.output
    return result.output


def lines(text):
    return [line.rstrip() for line in text.splitlines()]


def put(scenario, method, seed, *, learned=None, **values):
    """Alter the row of a trial; keep only its first *learned* tasks."""
    rows = store().trials().to_pylist()
    [row] = [
        row
        for row in rows
        if (row["kind"], row["method"], row["seed"]) == (scenario.partition("/")[0], method, seed)
    ]
    store().write_trial(row | values)
    if learned is not None:
        tasks = [task for task in store().tasks().to_pylist() if task["trial_id"] == row["trial_id"]]
        kept = [{**task, "other": None} for task in tasks if task["task"] < learned]
        store().write_tasks(row["trial_id"], kept)
    return row["trial_id"]


def forget(scenario, method, seed):
    """Remove all parts of a trial, as if it had never started."""
    trial_id = put(scenario, method, seed)
    for table in ("trials", "accuracy", "tasks"):
        Path(f"runs/tiny/{table}/{trial_id}.parquet").unlink()


def test_a_finished_run_has_all_its_trials():
    assert lines(said()) == [
        "runs/tiny: all 16 trials have ended",
        "no driver is running",
        "",
        "scenario                trials  complete",
        "domain-il/split-digits       8         8",
        "class-il/split-digits        8         8",
        "all                         16        16",
    ]


def test_a_sweep_that_runs_says_who_drives_it_and_at_which_task_its_trials_are():
    since = datetime.now(UTC) - timedelta(seconds=72)
    put("class-il", "naive", 1, learned=1, status=RUNNING, started_at=since, ended_at=None)
    put("class-il", "ewc", 0, learned=0, status=RUNNING, started_at=since - timedelta(seconds=60))
    put("domain-il", "ewc", 0, status=DIVERGED)
    forget("domain-il", "replay", 1)
    with held(Folder.at("runs/tiny")):
        text = lines(said())
    assert text[0] == "runs/tiny: 13 of 16 trials have ended"
    assert text[1].startswith(f"driven by process {os.getpid()} on {socket.gethostname()}, last seen ")
    assert text[4:8] == [
        "scenario                trials  complete  running  diverged  not started",
        "domain-il/split-digits       8         6        0         1            1",
        "class-il/split-digits        8         6        2         0            0",
        "all                         16        12        2         1            1",
    ]
    [first, second] = [line.split(maxsplit=3) for line in text[10:]]
    assert first == ["class-il/split-digits", "ewc", "0", first[3]]
    assert first[3].startswith("1 of 3  2 min 1")
    assert second == ["class-il/split-digits", "naive", "1", second[3]]
    assert second[3].startswith("2 of 3  1 min 1")


def test_trials_that_nobody_runs_any_more_are_interrupted_and_can_be_continued():
    put("class-il", "naive", 1, status=RUNNING)
    text = lines(said())
    assert text[:3] == [
        "runs/tiny: 15 of 16 trials have ended",
        "no driver is running; 1 trial was interrupted",
        "to continue: clsweep run runs/tiny",
    ]
    assert "interrupted" in text[5]
    command = text[2].removeprefix("to continue: clsweep ").split()
    assert clsweep(*command, "--local").exit_code == 0
    assert "all 16 trials have ended" in said()


def test_a_run_elsewhere_is_continued_there():
    shutil.move("runs", "some where")
    trial = next(Path("some where/tiny/trials").iterdir())
    trial.unlink()
    assert "to continue: clsweep run 'some where/tiny' --storage 'some where'" in said("some where/tiny")
    shutil.move("some where/tiny", "some where/other")
    assert "to continue: clsweep run SPEC --storage some where" in said("some where/other")


def test_failures_are_grouped_by_cause_and_say_where_to_read_more():
    for method, seed in (("naive", 0), ("ewc", 1)):
        put("class-il", method, seed, status=FAILED, error_cause="ValueError: broken on purpose", error="...")
    put("domain-il", "joint", 0, status=FAILED, error_cause="the trial's process died", error="...")
    text = lines(said())
    assert text[2] == "to continue: clsweep run runs/tiny"
    assert text[8:] == [
        "",
        "2 trials failed: ValueError: broken on purpose",
        "1 trial failed: the trial's process died",
        "tracebacks: column error of runs/tiny/trials",
    ]
    put("domain-il", "joint", 0, status=FAILED, error_cause="the trial's process died", ray_version="2.60")
    assert lines(said())[-1] == "Ray's log: runs/tiny/ray.log"


def test_the_time_left_follows_from_ended_trials_of_the_same_settings():
    # Of naive, 30 s of 3 tasks are known, and of replay 60 s; so 20 s and 60 s are left.
    put("class-il", "naive", 0, train_s=20.0, eval_s=10.0)
    put("class-il", "replay", 0, train_s=50.0, eval_s=10.0)
    put("class-il", "naive", 1, learned=1, status=RUNNING, train_s=None, eval_s=None)
    forget("class-il", "replay", 1)
    assert "\nleft to do: about 1 min 20 s, one trial after another\n" in said()
    with held(Folder.at("runs/tiny")):
        assert "\ntime left: about 1 min 20 s\n" in said()
        put("class-il", "replay", 1 - 1, status=COMPLETE)
        put("class-il", "ewc", 0, learned=3, status=RUNNING)
        assert "\ntime left: about 40 s, 2 trials side by side\n" in said()


def test_the_time_left_is_not_known_while_trials_of_some_settings_have_not_ended():
    put("class-il", "naive", 0, status=RUNNING, learned=1)
    forget("class-il", "joint", 0)
    forget("class-il", "joint", 1)
    assert "left" not in said()
    with held(Folder.at("runs/tiny")):
        assert "\ntime left: not known yet\n" in said()


def test_trials_of_earlier_settings_are_not_counted():
    clsweep("run", spec(TWO), "--local", "--set", "methods=[naive]", "--set", "train.iterations=4")
    text = lines(said())
    assert text[0] == "runs/tiny: all 4 trials have ended"
    assert text[-1] == "16 trials of earlier settings are not counted."


def test_without_a_spec_the_trials_there_are_all_that_is_known():
    Path("runs/tiny/sweep.yaml").unlink()
    text = said()
    assert "runs/tiny: all 16 trials have ended" in text
    assert "How many trials are planned is not known: there is no runs/tiny/sweep.yaml" in text


def test_a_run_that_has_not_begun_has_a_plan():
    for table in ("trials", "accuracy", "tasks"):
        shutil.rmtree(f"runs/tiny/{table}")
    assert "runs/tiny: 0 of 16 trials have ended" in said()
    Path("runs/tiny/sweep.yaml").unlink()
    Path("runs/tiny/trials").mkdir()
    assert "runs/tiny: no trials yet" in said()


def test_a_part_that_cannot_be_read_is_named():
    part = next(Path("runs/tiny/trials").iterdir())
    part.write_text("not Parquet")
    assert f"cannot read {part}: " in said()


def test_a_run_is_found_by_its_uri():
    uri = Path("runs/tiny").absolute().as_uri()
    assert f"{uri}: all 16 trials have ended" in said(uri)


def test_what_is_no_run_is_refused():
    result = clsweep("status", "runs/tinny")
    assert result.exit_code == 2
    assert result.stderr == "clsweep: no run at runs/tinny; did you mean runs/tiny?\n"


@pytest.mark.parametrize(
    ("verb", "unneeded"),
    [
        ("status", {"ray", "torch", "sklearn", "pandas", "scipy"}),
        ("show", {"ray", "torch", "sklearn", "pandas"}),
        ("check", {"ray", "torch", "sklearn"}),
    ],
)
def test_it_starts_with_what_it_needs(verb, unneeded):
    code = (
        "import sys, cli\n"
        f"try: cli.app([{verb!r}, 'runs/tiny'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        f"assert not {unneeded!r} & set(sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
