"""`clsweep check`: what it finds in a run, and that what it says mends it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from commands import TINY, clsweep, spec, store

from orchestrator.lease import held
from results.schema import ACCURACY, RUNNING, TASKS, TRIALS, to_table
from results.storage import Folder

SCHEMAS = {"trials": TRIALS, "accuracy": ACCURACY, "tasks": TASKS}
RUN = Path("runs/tiny")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a finished run in it, which holds out validation data."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert (
            clsweep(
                "run", spec(TINY.replace("iterations: 5", "iterations: 5, val_share: 0.1")), "--local"
            ).exit_code
            == 0
        )
    return folder


@pytest.fixture(autouse=True)
def here(finished, tmp_path, monkeypatch):
    """A folder of the test's own with a copy of the run."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def checked(code):
    result = clsweep("check", "runs/tiny")
    assert result.exit_code == code, result.output
    return result.output


def first() -> str:
    """The id of a trial that is complete."""
    return str(store().trials()["trial_id"][0])


def alter(table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Write the first trial's part of *table* anew."""
    path = RUN / table / f"{first()}.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def with_values(table: str, position: int, **values: object) -> Callable[[pa.Table], pa.Table]:
    """Put *values* into one row."""

    def changed(part: pa.Table) -> pa.Table:
        rows = part.to_pylist()
        rows[position] |= values
        return to_table(SCHEMAS[table], rows)

    return changed


def remove(path: str) -> None:
    (RUN / path).unlink()


def copied(table: str) -> None:
    """A part under the name of a trial that there never was."""
    shutil.copy(RUN / table / f"{first()}.parquet", RUN / table / "0000000000000000.parquet")


DAMAGES = {
    "accuracy rows missing": (
        lambda: alter("accuracy", lambda part: part.slice(2)),
        "wrong: test cells are missing\n  {id}  class-il/split-digits, {method}, seed {seed}: 1 of 12\n",
        ["accuracy/{id}.parquet"],
    ),
    "validation rows missing": (
        lambda: alter("accuracy", lambda part: part.filter(pc.equal(part["split"], "test"))),
        "val cells are missing\n  {id}  class-il/split-digits, {method}, seed {seed}: 12 of 12\n",
        ["accuracy/{id}.parquet"],
    ),
    "an accuracy twice": (
        lambda: alter("accuracy", lambda part: pa.concat_tables([part, part.slice(0, 1)])),
        "test cells are there more than once\n  {id}  class-il/split-digits, {method}, seed {seed}: 1\n",
        ["accuracy/{id}.parquet"],
    ),
    "a task that there is not": (
        lambda: alter("accuracy", with_values("accuracy", 0, eval_task=3)),
        "test cells that the trial cannot have\n",
        ["accuracy/{id}.parquet"],
    ),
    "an accuracy above 1": (
        lambda: alter("accuracy", with_values("accuracy", 3, accuracy=1.5)),
        "an accuracy outside 0 to 1",
        ["accuracy/{id}.parquet"],
    ),
    "an accuracy of nothing": (
        lambda: alter("accuracy", with_values("accuracy", 3, n_eval=0)),
        "of no examples",
        ["accuracy/{id}.parquet"],
    ),
    "another seed": (
        lambda: alter("accuracy", with_values("accuracy", 3, seed=17)),
        "rows in accuracy that name another scenario, method or seed",
        ["accuracy/{id}.parquet"],
    ),
    "a task missing": (
        lambda: alter("tasks", lambda part: part.slice(1)),
        "tasks are missing\n  {id}  class-il/split-digits, {method}, seed {seed}: 1 of 3\n",
        ["tasks/{id}.parquet"],
    ),
    "a task twice": (
        lambda: alter("tasks", lambda part: pa.concat_tables([part, part])),
        "tasks are there more than once\n  {id}  class-il/split-digits, {method}, seed {seed}: 3\n",
        ["tasks/{id}.parquet"],
    ),
    "more tasks than the others": (
        lambda: alter("trials", with_values("trials", 0, n_tasks=4)),
        "most trials of the scenario\n  {id}  class-il/split-digits, {method}, seed {seed}: 4 tasks\n",
        ["trials/{id}.parquet"],
    ),
    "a status that there is not": (
        lambda: alter("trials", with_values("trials", 0, status="finished")),
        "a status that does not exist",
        ["trials/{id}.parquet"],
    ),
    "settings altered": (
        lambda: alter("trials", with_values("trials", 0, train=json.dumps({"lr": 7}))),
        "settings that give another trial id\n  {id} ",
        ["trials/{id}.parquet"],
    ),
    "settings that are not JSON": (
        lambda: alter("trials", with_values("trials", 0, model="mlp")),
        "settings that give another trial id\n  {id} ",
        ["trials/{id}.parquet"],
    ),
    "a part cut short": (
        lambda: (RUN / "tasks" / f"{first()}.parquet").write_bytes(b"PAR1"),
        "parts cannot be read\n  runs/tiny/tasks/{id}.parquet: ",
        ["tasks/{id}.parquet"],
    ),
    "a part gone": (
        lambda: remove(f"accuracy/{first()}.parquet"),
        "complete, but without rows in accuracy\n  {id} ",
        [],
    ),
    "a trial's own row gone": (
        lambda: remove(f"trials/{first()}.parquet"),
        "rows in tasks of trials that have no row of their own\n  {id}\n",
        [],
    ),
    "a part under another name": (
        lambda: copied("accuracy"),
        "0000000000000000.parquet: has rows of trial {id}, not of the one it is named after",
        ["accuracy/0000000000000000.parquet"],
    ),
    "the spec gone": (lambda: remove("sweep.yaml"), "no spec", []),
}


def test_nothing_is_wrong_with_a_run_that_was_left_alone():
    assert checked(0) == "runs/tiny: 8 trials, nothing is wrong\n"


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_is_found_and_mended_as_check_says(damage):
    do, text, delete = DAMAGES[damage]
    row = store().trials().slice(0, 1).to_pylist()[0]
    names = {"id": row["trial_id"], "method": row["method"], "seed": row["seed"]}
    do()
    said = checked(1)
    assert text.format(**names) in said
    for path in delete:
        place, _, name = path.partition("/")
        assert f"delete {place}/TRIAL.parquet" in said or f"{place}/{name.format(**names)}" in said
        remove(path.format(**names))
    assert clsweep("run", "tiny.yaml", "--local").exit_code == 0
    assert checked(0) == "runs/tiny: 8 trials, nothing is wrong\n"


def test_many_places_of_one_finding_are_counted():
    for path in sorted((RUN / "accuracy").iterdir())[:7]:
        path.write_text("not Parquet")
    assert "parts cannot be read (7)\n" in checked(1)
    assert "\n  and 2 more\n  mend: delete them; the next run repeats their trials\n" in checked(1)


def test_an_interrupted_sweep_is_a_note_with_the_command_that_continues_it():
    trial_id = first()
    alter("trials", with_values("trials", 0, status=RUNNING, ended_at=None))
    remove(f"accuracy/{trial_id}.parquet")
    text = checked(0)
    assert "note: trials that are not done: 1 interrupted\n  to continue: clsweep run runs/tiny\n" in text
    clsweep("run", "tiny.yaml", "--local")
    assert "note" not in checked(0)


def test_while_a_driver_is_at_work_what_it_has_not_finished_is_not_audited():
    remove(f"trials/{first()}.parquet")
    assert "have no row of their own" in checked(1)
    with held(Folder.at("runs/tiny")):
        text = checked(0)
    assert "is at work, and what it has not finished is not audited" in text


def test_trials_of_earlier_settings_are_a_note():
    clsweep("run", "tiny.yaml", "--local", "--set", "train.iterations=4", "--set", "methods=[naive]")
    assert "note: 8 trials of earlier settings, data or code\n" in checked(0)


def test_how_another_version_made_its_ids_is_not_known():
    alter("trials", with_values("trials", 0, results_version=1, train=json.dumps({"lr": 7})))
    text = checked(0)
    assert "note: 1 trial of another results version, whose ids cannot be checked\n" in text


def test_files_that_nobody_needs_are_a_note():
    left = RUN / "checkpoints" / first()
    left.mkdir(parents=True)
    (left / "000001-abc.pt").write_bytes(b"x" * 1_500_000)
    (RUN / "checkpoints" / "0123456789abcdef").mkdir()
    (RUN / "checkpoints" / "0123456789abcdef" / "000001-abc.pt").write_bytes(b"x")
    (RUN / "tasks" / ".x.parquet.0123.tmp").write_bytes(b"x")
    assert checked(0).partition("\n")[2] == (
        f"\nnote: checkpoints of trials that have ended, 1.5 MB\n  runs/tiny/{left.relative_to(RUN)}\n"
        "  delete these folders\n"
        "\nnote: files that were being written when their writer was killed\n"
        "  runs/tiny/tasks/.x.parquet.0123.tmp\n  delete them\n"
    )


def test_a_spec_that_does_not_load_is_a_note_with_the_reason():
    with (RUN / "sweep.yaml").open("a") as file:
        file.write("seedz: 3\n")
    assert "note: the spec does not load\n" in checked(0)
    assert "seedz: unknown key" in checked(0)


def test_a_run_is_checked_by_its_uri():
    uri = RUN.absolute().as_uri()
    result = clsweep("check", uri)
    assert (result.exit_code, result.output) == (0, f"{uri}: 8 trials, nothing is wrong\n")


def test_what_is_no_run_is_refused():
    result = clsweep("check", "runs/tinny")
    assert result.exit_code == 2
    assert result.stderr == "clsweep: no run at runs/tinny; did you mean runs/tiny?\n"
