"""MLflow's database, read back by MLflow's own client."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tracked import ANEW, COMPLETE, DIVERGED, LATER, RUNNING, START

from results.schema import STATUSES
from results.storage import StoreError
from results.trackers import mlflow_process
from results.trackers.mlflow_store import write_mlflow

# In a process of its own, as to import MLflow changes the one that does; one for several databases, since it
# takes seconds.
READER = """
import json, sys
from mlflow import MlflowClient

def history(client, run, name):
    return [[each.step, each.timestamp, each.value] for each in client.get_metric_history(run, name)]

databases = []
for database in sys.argv[1:]:
    client = MlflowClient(f"sqlite:///{database}")
    databases.append({})
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            databases[-1][f"{experiment.name} {run.data.tags['clsweep.trial_id']}"] = {
                "id": run.info.run_id,
                "name": run.info.run_name,
                "status": run.info.status,
                "times": [run.info.start_time, run.info.end_time],
                "params": run.data.params,
                "tags": run.data.tags,
                "history": {name: history(client, run.info.run_id, name) for name in run.data.metrics},
            }
print(json.dumps(databases))
"""
SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": "/usr/bin:/bin"}


def with_mlflow(code: str, folder: Path, *arguments: str) -> Any:
    """What *code* prints, which runs in *folder*, as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        cwd=folder,
        env=SETTINGS,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout or "null")


def read(folder: Path) -> dict[str, Any]:
    """The runs in a folder's database by experiment and trial."""
    return with_mlflow(READER, folder, "mlflow.db")[0]


class State(NamedTuple):
    """What an export said, and what is in the database after it."""

    counts: tuple[int, int, int]
    database: Path
    runs: Mapping[str, Any]


THIRD = replace(COMPLETE, trial_id="cccc", tags={**COMPLETE.tags, "trial_id": "cccc"})
RENAMED = replace(COMPLETE, name="another", final={**COMPLETE.final, "intransigence": 0.125})


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, State]:
    """One database after every export of the life of a trial; another trial does not change."""
    folder = tmp_path_factory.mktemp("mlflow") / "a b%20c?d"
    exports = {
        "running": RUNNING,
        "complete": COMPLETE,
        "again": COMPLETE,
        "renamed": RENAMED,
        "anew": ANEW,
    }
    counts, databases = [], [f"{when}.db" for when in exports]
    for trial, copy in zip(exports.values(), databases, strict=True):
        counts.append(write_mlflow([trial, DIVERGED], folder)[1:])
        shutil.copy(folder / "mlflow.db", folder.parent / copy)
    runs = with_mlflow(READER, folder.parent, *databases)
    copies = [folder.parent / name for name in databases]
    return {when: State(*state) for when, *state in zip(exports, counts, copies, runs, strict=True)}


@pytest.fixture
def folder(states: dict[str, State], tmp_path: Path) -> Path:
    """A folder to which both trials have been exported; to make a database takes seconds."""
    shutil.copy(states["complete"].database, tmp_path / "mlflow.db")
    return tmp_path


def ms(seconds: float, start: Any = START) -> int:
    return round(1000 * (start.timestamp() + seconds))


def test_a_run_has_everything_that_is_known_of_its_trial(states):
    run = states["complete"].runs["digits aaaa"]
    assert (run["name"], run["status"]) == (COMPLETE.name, "FINISHED")
    assert run["times"] == [ms(0), ms(5)]
    assert run["params"] == {
        "scenario": "class-il/split-digits",
        "method": "ewc",
        "seed": "3",
        "ewc.lambda": "10.0",
        "train.reset": "true",
    }
    assert {f"clsweep.{name}": value for name, value in COMPLETE.tags.items()}.items() <= run["tags"].items()
    assert run["tags"]["mlflow.source.git.commit"] == "c0ffee"


def test_every_value_is_there_once_with_its_step_and_time(states):
    assert states["complete"].runs["digits aaaa"]["history"] == {
        "accuracy/task_0": [[0, ms(2), 0.75], [1, ms(4), 0.5]],
        "accuracy/task_1": [[0, ms(2), 0.125], [1, ms(4), 1.0]],
        "task/loss": [[0, ms(2), 0.25], [1, ms(4), 0.25]],
        "acc": [[1, ms(5), 0.75]],
        "bwt": [[1, ms(5), -0.25]],
        "wall_s": [[1, ms(5), 5.0]],
    }


def test_a_trial_that_runs_is_a_run_that_runs(states):
    run = states["running"].runs["digits aaaa"]
    assert (run["status"], run["times"], run["tags"]["clsweep.status"]) == (
        "RUNNING",
        [ms(0), None],
        "running",
    )
    assert run["history"]["accuracy/task_0"] == [[0, ms(2), 0.75]]
    assert "acc" not in run["history"]


def test_a_trial_that_diverged_is_a_run_that_failed_and_says_why(states):
    run = states["running"].runs["digits bbbb"]
    assert (run["status"], run["tags"]["clsweep.status"]) == ("FAILED", "diverged")
    assert run["tags"]["clsweep.error_cause"] == "the loss is inf"


def test_what_an_export_did_is_counted(states):
    assert {when: state.counts for when, state in states.items()} == {
        "running": (2, 0, 0),
        "complete": (0, 1, 1),
        "again": (0, 0, 2),
        "renamed": (0, 1, 1),
        "anew": (0, 1, 1),
    }


def test_exporting_again_changes_nothing(states):
    assert states["again"].runs == states["complete"].runs


def test_a_trial_that_got_on_is_the_same_run(states):
    assert states["running"].runs["digits aaaa"]["id"] == states["complete"].runs["digits aaaa"]["id"]


def test_a_new_name_and_a_metric_more_are_added_to_the_run(states):
    before, after = states["complete"].runs["digits aaaa"], states["renamed"].runs["digits aaaa"]
    assert (after["id"], after["name"]) == (before["id"], "another")
    assert after["history"] == {**before["history"], "intransigence": [[1, ms(5), 0.125]]}


def test_a_trial_that_was_run_anew_is_another_run_and_the_only_one(states):
    before, after = states["renamed"].runs["digits aaaa"], states["anew"].runs["digits aaaa"]
    assert before["id"] != after["id"]
    assert after["history"]["accuracy/task_0"] == [[0, ms(2, LATER), 0.875], [1, ms(4, LATER), 0.625]]
    assert set(states["anew"].runs) == {"digits aaaa", "digits bbbb"}


def test_what_does_not_change_is_never_touched(states):
    assert all(
        state.runs["digits bbbb"] == states["running"].runs["digits bbbb"] for state in states.values()
    )


def test_every_status_of_a_trial_that_is_over_is_one_of_mlflows():
    assert {*mlflow_process._STATUS, "running"} == set(STATUSES)


def test_a_run_that_was_not_written_to_its_end_is_written_anew_and_others_stay(folder):
    half = """
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
digits = client.get_experiment_by_name("digits").experiment_id
run = client.create_run(digits, tags={"clsweep.trial_id": "cccc"})
client.log_metric(run.info.run_id, "accuracy/task_0", 0.99, step=0)
client.create_run(client.create_experiment("mine"), tags={"clsweep.trial_id": "cccc"}, run_name="by hand")
"""
    with_mlflow(half, folder)
    assert write_mlflow([THIRD], folder)[1:] == (0, 1, 0)
    runs = read(folder)
    assert sorted(runs) == ["digits aaaa", "digits bbbb", "digits cccc", "mine cccc"]
    assert runs["digits cccc"]["history"] == runs["digits aaaa"]["history"]
    assert runs["mine cccc"]["history"] == {}


def test_names_and_numbers_of_values_that_mlflow_refuses_are_made_to_fit(folder):
    many = replace(
        THIRD,
        params={**COMPLETE.params, **{f"plug-in.p{i}": i for i in range(150)}},
        final={**{f"acc_{i}": float(i) for i in range(1000)}, "drift (a)": 1.0},
    )
    write_mlflow([many], folder)
    counted = """
import json
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
digits = client.get_experiment_by_name("digits").experiment_id
(run,) = client.search_runs([digits], "tags.`clsweep.trial_id` = 'cccc'")
print(json.dumps([len(run.data.params), len(run.data.metrics), run.data.metrics["drift _a_"]]))
"""
    assert with_mlflow(counted, folder) == [5 + 150, 3 + 1000 + 1, 1.0]
    assert write_mlflow([many], folder)[1:] == (0, 0, 1)


def test_an_experiment_that_somebody_deleted_is_not_filled_behind_their_back(folder):
    delete = """
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
client.delete_experiment(client.get_experiment_by_name("digits").experiment_id)
"""
    with_mlflow(delete, folder)
    with pytest.raises(StoreError, match=r"cannot write .*: the experiment digits was deleted in MLflow"):
        write_mlflow([COMPLETE], folder)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path):
    (tmp_path / "mlflow.db").write_text("notes of mine")
    with pytest.raises(StoreError, match="file is not a database"):
        write_mlflow([COMPLETE], tmp_path)
    assert (tmp_path / "mlflow.db").read_text() == "notes of mine"


def test_a_first_export_that_fails_leaves_no_database(tmp_path):
    with pytest.raises(StoreError, match=r"cannot write .*: .*exceeds the maximum length"):
        write_mlflow([COMPLETE, replace(DIVERGED, final={"x" * 300: 1.0})], tmp_path)
    assert list(tmp_path.iterdir()) == []
