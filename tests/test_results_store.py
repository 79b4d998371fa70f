"""Parts appear whole or not at all, replace each other, and are readable by everybody meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.schema import ACCURACY, COMPLETE, FAILED, RUNNING, TASKS, TRIALS
from results.storage import Folder
from results.store import RunNotFound, Store, StoreError, open_run

TRIAL = {
    "scenario": "class-il/split-digits",
    "method": "naive",
    "seed": 0,
    "sweep": "quickstart",
    "kind": "class-il",
    "stream": "split-digits",
    "scenario_settings": "{}",
    "hyperparameters": "{}",
    "model": "{}",
    "train": "{}",
    "n_tasks": 2,
    "attempts": 1,
    "started_at": datetime(2026, 1, 1, tzinfo=UTC),
    "device": "cpu",
    "threads": 1,
    "cpu": 1.0,
    "gpu": 0.0,
    "data_digest": "0123456789abcdef",
    "results_version": 1,
    "clsweep_version": "0.1.0",
    "python_version": "3.11.0",
    "torch_version": "2.6.0",
}


def trial(trial_id: str, status: str = COMPLETE, **values: object) -> dict[str, object]:
    return {**TRIAL, "trial_id": trial_id, "status": status, **values}


def accuracy(value: float | None = 0.5, *, rows: int = 30) -> list[dict[str, object]]:
    head = {"scenario": "class-il/split-digits", "method": "naive", "seed": 0, "split": "test", "n_eval": 72}
    return [{**head, "after_task": k // 5 - 1, "eval_task": k % 5, "accuracy": value} for k in range(rows)]


def task(number: int) -> dict[str, object]:
    head = {"scenario": "class-il/split-digits", "method": "naive", "seed": 0}
    costs = {"train_s": 1.5, "eval_s": 0.25, "steps": 100, "loss": float("nan"), "parameters": 85000}
    return {**head, **costs, "task": number}


def test_what_was_written_is_read(tmp_path):
    store = Store(tmp_path)
    store.write_trial(trial("t1"))
    store.write_accuracy("t1", accuracy(0.25))
    store.write_tasks("t1", [task(0), task(1)])
    assert store.trials().to_pylist() == [dict.fromkeys(TRIALS.names) | trial("t1")]
    assert store.accuracy().to_pylist() == [{"trial_id": "t1"} | row for row in accuracy(0.25)]
    assert store.tasks()["task"].to_pylist() == [0, 1]
    assert store.tasks()["loss"].to_pylist() == [None, None]


def test_a_run_without_rows_has_empty_typed_tables(tmp_path):
    store = Store(tmp_path / "new")
    for table, schema in ((store.trials(), TRIALS), (store.accuracy(), ACCURACY), (store.tasks(), TASKS)):
        assert table.num_rows == 0
        assert table.schema.equals(schema)
    assert store.statuses() == {}
    assert not (tmp_path / "new").exists()


def test_parts_carry_the_descriptions_of_their_columns(tmp_path):
    Store(tmp_path).write_accuracy("t1", accuracy())
    assert ds.dataset(tmp_path / "accuracy").schema.equals(ACCURACY, check_metadata=True)


def test_a_part_of_one_row_says_its_values_once(tmp_path):
    """Parquet would say each again as the dictionary, the least and the greatest: a fourth of the part."""
    store = Store(tmp_path)
    store.write_trial(trial("t1", error="went wrong"))
    store.write_accuracy("t1", accuracy())
    parts = [pq.read_metadata(tmp_path / table / "t1.parquet") for table in ("trials", "accuracy")]
    columns = [[part.row_group(0).column(k) for k in range(part.num_columns)] for part in parts]
    said = [[(c.is_stats_set, c.has_dictionary_page) for c in some] for some in columns]
    assert set(said[0]) == {(False, False)}
    assert set(said[1]) == {(True, True)}
    assert (tmp_path / "trials" / "t1.parquet").read_bytes().count(b"went wrong") == 1


def test_statuses_tell_the_state_of_every_trial(tmp_path):
    store = Store(tmp_path)
    for trial_id, status in (("t1", RUNNING), ("t2", FAILED), ("t1", COMPLETE)):
        store.write_trial(trial(trial_id, status))
    store.write_accuracy("t1", accuracy())
    store.write_tasks("t1", [task(0)])
    assert store.statuses() == {"t1": COMPLETE, "t2": FAILED}


@pytest.mark.parametrize("table", ["trials", "accuracy", "tasks"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda part: part.write_bytes(part.read_bytes()[:50])])
def test_a_complete_trial_of_which_a_part_is_gone_or_damaged_has_no_status(tmp_path, table, damage):
    store = Store(tmp_path)
    for trial_id in ("t1", "t2"):
        store.write_accuracy(trial_id, accuracy())
        store.write_tasks(trial_id, [task(0)])
        store.write_trial(trial(trial_id))
    damage(tmp_path / table / "t2.parquet")
    assert store.statuses() == {"t1": COMPLETE}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=8))
def test_however_often_parts_are_rewritten_each_row_is_there_exactly_once(writes):
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for trial_id, rows in writes:
            store.write_accuracy(trial_id, accuracy(rows=rows))
        read = store.accuracy()["trial_id"].to_pylist()
    assert {name: read.count(name) for name in read} == {name: n for name, n in dict(writes).items() if n}


def test_everybody_reads_the_folders_while_another_trial_runs(tmp_path):
    store = Store(tmp_path)
    store.write_trial(trial("done", seed=1))
    store.write_accuracy("done", accuracy(0.75))
    store.write_trial(trial("busy", RUNNING))
    store.write_accuracy("busy", accuracy(0.25, rows=5))
    # A writer that was killed leaves a temporary file, which is no one's part.
    (tmp_path / "accuracy" / ".lost.parquet.0a.tmp").write_bytes(b"PAR1 half")
    trials, rows = tmp_path / "trials", tmp_path / "accuracy"

    query = """SELECT avg(accuracy), count(*) FROM read_parquet(?) JOIN read_parquet(?) USING (trial_id)
               WHERE status = 'complete'"""
    answer = duckdb.execute(query, [f"{rows}/*.parquet", f"{trials}/*.parquet"]).fetchall()
    assert answer == [(0.75, 30)]
    complete = pl.scan_parquet(trials / "*.parquet").filter(pl.col("status") == "complete")
    joined = pl.scan_parquet(rows / "*.parquet").join(complete.select("trial_id"), on="trial_id").collect()
    assert (joined["accuracy"].mean(), len(joined)) == (0.75, 30)
    frame = pd.read_parquet(rows).merge(pd.read_parquet(trials)[["trial_id", "status"]])
    assert frame.groupby("status")["accuracy"].agg(["mean", "size"]).loc["complete"].tolist() == [0.75, 30]
    assert ds.dataset(rows).to_table(filter=ds.field("trial_id") == "done").num_rows == 30
    assert store.accuracy().num_rows == 35


WRITER = """
import json, os, signal, sys
from results.store import Store
store, rows = Store(sys.argv[1]), json.loads(sys.argv[2])
"""
KILLED_BEFORE_REPLACE = """
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
store.write_accuracy("t1", rows)
"""
WRITES_FOR_EVER = """
k = 0
while True:
    k = (k + 1) % 1000
    store.write_accuracy("t1", [{**row, "accuracy": k / 1000} for row in rows[: 10 + 10 * (k % 2)]])
"""


def writer(program: str, folder: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", WRITER + program, str(folder), json.dumps(accuracy(1.0))]
    return subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})


def test_a_writer_killed_before_the_replacement_leaves_the_old_part(tmp_path):
    store = Store(tmp_path)
    store.write_accuracy("t1", accuracy(0.5))
    before = store.accuracy()
    assert writer(KILLED_BEFORE_REPLACE, tmp_path).wait() == -signal.SIGKILL
    assert len(list((tmp_path / "accuracy").iterdir())) == 2, "the temporary file was not written"
    assert store.accuracy().equals(before)
    store.write_accuracy("t1", accuracy(1.0))
    assert set(store.accuracy()["accuracy"].to_pylist()) == {1.0}


def test_readers_never_see_half_a_part_whenever_the_writer_is_killed(tmp_path):
    store = Store(tmp_path)
    store.write_accuracy("t1", accuracy(0.0, rows=10))
    process = writer(WRITES_FOR_EVER, tmp_path)
    versions = set()
    try:
        started = time.monotonic()
        while len(versions) < 100 and time.monotonic() < started + 60:
            values = store.accuracy()["accuracy"].to_pylist()
            assert len(values) in {10, 20}
            assert len(set(values)) == 1
            versions.add(values[0])
    finally:
        process.kill()
        process.wait()
    assert len(versions) == 100, "the writer did not write"
    assert len(set(store.accuracy()["accuracy"].to_pylist())) == 1


def test_a_part_that_cannot_be_written_is_named_and_the_old_one_stays(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.write_trial(trial("t1", RUNNING))

    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", disk_full)
    with pytest.raises(StoreError, match=r"cannot write .*trials/t1\.parquet: No space left on device"):
        store.write_trial(trial("t1", COMPLETE))
    assert store.statuses() == {"t1": RUNNING}
    assert [path.name for path in (tmp_path / "trials").iterdir()] == ["t1.parquet"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a part"])
def test_a_damaged_part_is_named_and_the_others_are_read(tmp_path, content):
    store = Store(tmp_path)
    for trial_id in ("t1", "t2", "t3"):
        store.write_trial(trial(trial_id))
    (tmp_path / "trials" / "t2.parquet").write_bytes(content)
    assert store.trials()["trial_id"].to_pylist() == ["t1", "t3"]
    assert list(store.damaged) == [f"{tmp_path}/trials/t2.parquet"]
    assert all(store.damaged.values()), "each with the reason"
    store.write_trial(trial("t2"))
    assert store.damaged == {}


def test_a_folder_among_the_parts_is_named(tmp_path):
    store = Store(tmp_path)
    store.write_accuracy("t1", accuracy())
    (tmp_path / "accuracy" / "stray.parquet").mkdir()
    assert store.accuracy().num_rows == 30
    assert list(store.damaged) == [f"{tmp_path}/accuracy/stray.parquet"]


def test_a_part_cut_short_is_named(tmp_path):
    store = Store(tmp_path)
    store.write_accuracy("t1", accuracy())
    part = tmp_path / "accuracy" / "t1.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    assert store.accuracy().num_rows == 0
    assert list(store.damaged) == [str(part)]


def test_a_part_written_before_a_column_existed_has_null_there(tmp_path):
    store = Store(tmp_path)
    for trial_id in ("t0", "t1"):
        store.write_tasks(trial_id, [task(0)])
    older = tmp_path / "tasks" / "t0.parquet"
    old = pq.read_table(older).drop_columns(["memory_examples"])
    pq.write_table(old, older)
    assert store.tasks()["memory_examples"].to_pylist() == [None, None]
    pq.write_table(old.drop_columns(["steps"]), older)
    assert store.tasks().num_rows == 1
    assert store.damaged == {str(older): "no column steps"}


def test_a_misspelt_run_is_answered_with_the_nearest_one(tmp_path):
    Store(tmp_path / "quickstart").write_trial(trial("t1"))
    (tmp_path / "notes").mkdir()
    assert open_run(tmp_path / "quickstart").trials()["trial_id"].to_pylist() == ["t1"]
    with pytest.raises(RunNotFound, match=r"no run at \S*/quikstart; did you mean \S*/quickstart\?"):
        open_run(tmp_path / "quikstart")
    with pytest.raises(RunNotFound, match=r"runs in \S+: quickstart$"):
        open_run(tmp_path / "mnist")
    with pytest.raises(RunNotFound, match=rf"no run at {tmp_path}; runs in {tmp_path}: quickstart$"):
        open_run(tmp_path)
    with pytest.raises(RunNotFound, match=r"runs in \S+: none$"):
        open_run(tmp_path / "notes" / "x")


def test_a_run_that_has_not_started_a_trial_is_a_run(tmp_path):
    (tmp_path / "sweep.yaml").write_text("name: x\n")
    assert open_run(tmp_path).trials().num_rows == 0


@pytest.mark.parametrize("place", [Folder.at, Path, str, lambda root: f"file://{root}"])
def test_everything_lies_in_the_folder_of_the_sweep_however_it_is_named(tmp_path, place):
    root = str(tmp_path / "runs" / "x")
    store = Store(place(root))
    store.write_spec("name: x\n")
    store.write_trial(trial("t1"))
    store.write_accuracy("t1", accuracy())
    store.write_tasks("t1", [task(0)])
    written = sorted(str(path.relative_to(root)) for path in tmp_path.rglob("*") if path.is_file())
    assert written == ["accuracy/t1.parquet", "sweep.yaml", "tasks/t1.parquet", "trials/t1.parquet"]
    assert open_run(str(place(root))).spec() == "name: x\n"


def test_a_spec_that_is_there_already_is_not_written_again(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.write_spec("name: x\n")
    monkeypatch.setattr(Folder, "write", None)
    store.write_spec("name: x\n")
    with pytest.raises(TypeError):
        store.write_spec("name: y\n")


def test_thousands_of_parts_are_written_and_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # how long a busy disk takes is not ours
    store, rows = Store(tmp_path), accuracy()
    store.write_accuracy("t", rows)
    started = time.perf_counter()
    for k in range(1000):
        store.write_accuracy(f"t{k}", rows)
    written = time.perf_counter()
    assert store.accuracy().num_rows == 30 * 1001
    # About 0.4 s and 0.4 s; the bounds leave room for a busy machine and still catch a quadratic reader.
    assert written - started < 5
    assert time.perf_counter() - written < 5
