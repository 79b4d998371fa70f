"""A run opened in a program: its tables, frames, and what it says of itself."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import pyarrow as pa
import pytest
from made_rows import Rows
from rich.console import Console

import results
from results.families import NoSuchCell
from results.meanings import SCHEMAS
from results.schema import FAILED, to_rows
from results.store import RunNotFound
from results.sweep import TABLES, NoSuchTable

TASKS = [{"first_epoch_accuracy": 0.5}, {"first_epoch_accuracy": 0.75}]


def run() -> Rows:
    """Five methods in one scenario, four of them complete; and a trial that searched."""
    rows = Rows()
    for seed in range(3):
        for method, acc in (("naive", 0.5), ("replay", 0.7), ("joint", 0.9), ("scratch", 0.8)):
            last = acc + seed / 100 * (1 if method == "naive" else 2)
            rows.add(method, seed, [[1.0, last], [0.5, last]], tasks=TASKS, chance=0.5)
    rows.add("ewc", 0, [[0.5, 0.5], [0.5, 0.5]], tasks=TASKS, status=FAILED)
    return rows.add("replay", 9, [[0.1, 0.1], [0.1, 0.1]], tasks=TASKS, scored_on="val")


@pytest.fixture
def sweep(tmp_path):
    run().written(tmp_path / "mine")
    return results.open(tmp_path / "mine")


def test_a_sweep_says_what_is_in_it_in_one_line(sweep):
    assert repr(sweep) == "Sweep 'mine': 13 trials, 12 complete; 5 cells in 1 scenario"


def test_a_run_is_found_by_its_path_or_uri_and_a_missing_one_by_the_nearest_name(tmp_path, s3):
    run().written(tmp_path / "mine")
    place = s3.uri(f"{s3.bucket()}/mine")
    run().written(place)
    for where in (str(tmp_path / "mine"), place):
        assert repr(results.open(where)).startswith("Sweep 'mine': 13 trials")
    with pytest.raises(RunNotFound, match=r"did you mean .*mine"):
        results.open(tmp_path / "mime")


def test_every_table_has_rows_of_its_schema(sweep):
    assert list(TABLES) == list(SCHEMAS)
    for name in TABLES:
        table = sweep.table(name)
        assert table.schema.equals(SCHEMAS[name], check_metadata=True), name
        assert len(table) > 0, name


def test_a_trial_that_searched_is_in_no_table(sweep):
    for name in ("trials", "accuracy", "tasks"):
        assert 9 not in sweep.table(name)["seed"].to_pylist()
    assert len(sweep.table("accuracy")) == 13 * 4
    assert len(sweep.table("tasks")) == 13 * 2
    [replay] = [
        row for row in to_rows(sweep.table("summary")) if (row["label"], row["metric"]) == ("replay", "acc")
    ]
    assert (replay["n"], replay["missing"]) == (3, 0)


def test_a_frame_has_the_rows_of_its_table(sweep):
    frame = sweep.frame("comparisons")
    assert list(frame.columns) == SCHEMAS["comparisons"].names
    acc = frame.query("metric == 'acc'")
    # 0.7, 0.72, 0.74 minus 0.5, 0.51, 0.52.
    assert acc[["first", "second", "n", "difference"]].to_numpy().tolist() == [
        ["replay", "naive", 3, pytest.approx(0.21)]
    ]


def test_the_level_is_that_of_all_intervals(tmp_path):
    run().written(tmp_path / "mine")
    sweep = results.open(tmp_path / "mine", level=0.9)
    for name in ("summary", "comparisons", "across", "profiles", "transfer"):
        assert set(sweep.table(name)["level"].drop_null().to_pylist()) == {0.9}, name


def test_an_unknown_table_is_refused_with_those_there_are(sweep):
    with pytest.raises(NoSuchTable) as refused:
        sweep.table("sumary")
    assert "no table 'sumary'" in str(refused.value)
    assert "summary" in str(refused.value)


def test_a_baseline_that_does_not_exist_is_refused_by_its_name(sweep):
    with pytest.raises(NoSuchCell, match="did you mean 'replay'"):
        replace(sweep, baseline="repaly").table("comparisons")


def test_tasks_are_read_once_and_only_when_they_are_asked_for(sweep, monkeypatch):
    reads = []
    read = sweep.store.tasks
    monkeypatch.setattr(sweep.store, "tasks", lambda: reads.append(1) or read())
    sweep.table("summary")
    assert reads == []
    assert sweep.table("tasks").equals(sweep.table("tasks"))
    assert reads == [1]


def test_a_terminal_shows_the_headline_tables(sweep):
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(sweep)
    text = console.file.getvalue()
    assert text.startswith("Sweep 'mine': 13 trials")
    assert "domain-il/split-digits" in text
    [line] = [line for line in text.splitlines() if line.startswith("replay")]
    assert line.split()[:3] == ["replay", "3", "0.720*±.050"]


def test_a_run_without_a_trial_has_tables_without_rows(tmp_path):
    (tmp_path / "none" / "trials").mkdir(parents=True)
    sweep = results.open(tmp_path / "none")
    assert repr(sweep) == "Sweep 'none': 0 trials, 0 complete; 0 cells in 0 scenarios"
    assert {len(sweep.table(name)) for name in TABLES} == {0}


def test_a_run_is_opened_without_ray_torch_or_matplotlib(tmp_path):
    run().written(tmp_path / "mine")
    program = (
        "import sys, results; sweep = results.open(sys.argv[1]); sweep.table('summary'); "
        "print(sorted({'ray', 'torch', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "mine"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_tables_of_a_long_run_are_those_of_its_parts(tmp_path, monkeypatch):
    """With a snapshot in between, which a run of hundreds of trials has."""
    monkeypatch.setattr("results.store.SNAPSHOT_AFTER", 5)
    run().written(tmp_path / "mine")
    first, second = results.open(tmp_path / "mine"), results.open(tmp_path / "mine")
    assert (tmp_path / "mine/snapshot").is_dir()
    for name in TABLES:
        assert first.table(name).equals(second.table(name)), name
    assert isinstance(second.table("trials"), pa.Table)
