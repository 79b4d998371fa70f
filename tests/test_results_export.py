"""Files of a sweep's tables: whole, typed, with what their columns mean, and the same for the same rows."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from made_rows import Rows

import results
from cl.metrics import METRICS
from results.export import COLUMNS, FORMS, NoRows, export
from results.meanings import SCHEMAS, columns_json, described
from results.schema import FAILED, to_rows
from results.storage import Folder, StoreError
from results.sweep import TABLES, NoSuchTable, Sweep

PROGRAMS = ("parquet", "csv", "json")
AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
TASKS = [
    {
        "first_epoch_accuracy": 0.5,
        "loss": 0.25,
        "memory_by_task": [7],
        "other": {"drift": 0.125, "lost": None},
    },
    {"first_epoch_accuracy": None, "memory_by_task": [4, 3], "other": {}},
]


def add(rows: Rows, method: str, seed: int, acc: float, **columns: object) -> Rows:
    """A trial of two tasks that ends with that accuracy on both."""
    return rows.add(method, seed, [[1.0, acc], [None, acc]], tasks=TASKS, chance=0.5, **columns)


def some() -> Rows:
    """Four methods; and a trial that failed with words that a format could stumble over."""
    rows = Rows()
    for seed in range(3):
        for method, acc in (("replay", 0.7), ("naive", 0.5), ("joint", 0.9), ("scratch", 0.8)):
            add(rows, method, seed, acc + seed / 100 * (1 if method == "naive" else 2))
    return add(
        rows,
        "ewc",
        0,
        0.5,
        status=FAILED,
        error='Traceback:\n  "é, λ"',
        error_cause="KeyError: 'a, b'",
        ended_at=AT,
        wall_s=1.5,
        selection_seeds=[3, 4],
        packages={"torch": "2.6", "numpy": "2.0"},
        git_dirty=True,
    )


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `some` in it, which nobody changes."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    some().written(folder)
    return folder


@pytest.fixture
def sweep(mine: Path) -> Sweep:
    return results.open(mine)


def written(sweep: Sweep, form: str, folder: Path, *names: str, **more: object) -> list[str]:
    """The names of the files, in the order in which they appeared."""
    return [Path(file).name for file in export(sweep, form, Folder.at(folder), names, **more)]


def csv_rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("form", PROGRAMS)
def test_every_table_is_a_file_of_its_own(form, sweep, tmp_path):
    files = written(sweep, form, tmp_path / "out")
    tables = [f"{name}.{form}" for name in TABLES]
    assert files == tables + ([] if form == "parquet" else [COLUMNS])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(files)


@pytest.mark.parametrize(("form", "ending"), [("markdown", "md"), ("latex", "tex")])
def test_text_for_papers_is_the_summary_the_comparisons_and_what_is_said_across(
    form, ending, sweep, tmp_path
):
    files = written(sweep, form, tmp_path / "out")
    assert files == [f"{name}.{ending}" for name in ("summary", "comparisons", "across")]
    texts = {file: (tmp_path / "out" / file).read_text(encoding="utf-8") for file in files}
    assert all("domain-il/split-digits" in texts[file] for file in files[:2])
    assert "interquartile mean" in texts[files[2]]
    assert [("ACC" in text, "BWT" in text) for text in texts.values()] == [
        (True, True),
        (True, True),
        (True, False),
    ]
    written(sweep, form, tmp_path / "acc", metrics=("acc",))
    assert "BWT" not in (tmp_path / "acc" / files[1]).read_text(encoding="utf-8")


def test_parquet_has_the_typed_rows_of_the_table(sweep, tmp_path):
    written(sweep, "parquet", tmp_path)
    for name, schema in SCHEMAS.items():
        read, table = pq.read_table(tmp_path / f"{name}.parquet"), sweep.table(name)
        assert read.schema.equals(schema), name
        assert len(read) == len(table), name
        if "trial_id" not in table.column_names:
            assert read.equals(table), name
    trials = {row["trial_id"]: row for row in to_rows(pq.read_table(tmp_path / "trials.parquet"))}
    assert trials == {row["trial_id"]: row for row in to_rows(sweep.table("trials"))}


def test_rows_are_in_the_order_of_scenario_method_seed_and_task(sweep, tmp_path):
    written(sweep, "parquet", tmp_path)
    keys = {
        "trials": ("scenario", "method", "seed"),
        "accuracy": ("scenario", "method", "seed", "after_task", "eval_task"),
        "tasks": ("scenario", "method", "seed", "task"),
    }
    for name, columns in keys.items():
        rows = [
            tuple(row[c] for c in columns) for row in to_rows(pq.read_table(tmp_path / f"{name}.parquet"))
        ]
        assert rows == sorted(rows), name


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_give_the_same_bytes_in_whatever_order_they_were_read(form, sweep, tmp_path):
    backwards = replace(
        sweep,
        trials=sweep.trials.take(pa.array(range(len(sweep.trials) - 1, -1, -1))),
        accuracy=pa.concat_tables([sweep.accuracy.slice(20), sweep.accuracy.slice(0, 20)]),
    )
    first = written(sweep, form, tmp_path / "first")
    assert written(backwards, form, tmp_path / "second") == first
    for name in first:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


def test_units_and_definitions_are_read_by_duckdb_polars_pandas_and_pyarrow(sweep, tmp_path):
    written(sweep, "parquet", tmp_path)
    expected = {"unit.half_width": "share", "unit.train_s": "s", "definition.acc": METRICS["acc"].definition}
    file = str(tmp_path / "summary.parquet")
    query = "SELECT decode(key), decode(value) FROM parquet_kv_metadata(?)"
    in_duckdb = duckdb.execute(query, [file]).fetchall()
    in_polars = pl.read_parquet_metadata(file)
    for found in (dict(in_duckdb), in_polars):
        assert {key: found[key] for key in expected} == expected
        assert found["description.n"] == "seeds in the mean"
        assert (found["clsweep.table"], found["clsweep.schema_version"]) == ("summary", "1")
    attrs = pd.read_parquet(file).attrs
    assert (attrs["units"]["half_width"], attrs["units"]["train_s"]) == ("share", "s")
    assert attrs["descriptions"]["n"] == "seeds in the mean"
    assert attrs["definitions"]["acc"] == METRICS["acc"].definition
    field = pq.read_schema(file).field("half_width")
    assert field.metadata[b"unit"] == b"share"


def test_parts_that_say_less_of_their_columns_are_exported_with_what_is_known_now(sweep, tmp_path):
    bare = pa.schema([field.remove_metadata() for field in sweep.trials.schema])
    earlier = replace(sweep, trials=sweep.trials.cast(bare))
    written(earlier, "parquet", tmp_path, "trials")
    assert pd.read_parquet(tmp_path / "trials.parquet").attrs["units"]["wall_s"] == "s"


def test_csv_has_an_empty_field_for_null_json_for_lists_and_maps_and_iso_times(sweep, tmp_path):
    written(sweep, "csv", tmp_path)
    rows = {(row["method"], row["seed"]): row for row in csv_rows(tmp_path / "trials.csv")}
    assert list(rows["ewc", "0"]) == SCHEMAS["trials"].names
    failed, complete = rows["ewc", "0"], rows["naive", "0"]
    assert failed["error"] == 'Traceback:\n  "é, λ"'
    assert failed["ended_at"] == "2026-01-02T03:04:05.000006+00:00"
    assert datetime.fromisoformat(failed["ended_at"]) == AT
    assert failed["selection_seeds"] == "[3, 4]"
    assert json.loads(failed["packages"]) == {"torch": "2.6", "numpy": "2.0"}
    assert (failed["git_dirty"], failed["wall_s"]) == ("true", "1.5")
    assert {complete[name] for name in ("error", "ended_at", "packages", "selection_seeds", "wall_s")} == {""}
    tasks = csv_rows(tmp_path / "tasks.csv")
    assert [row["memory_by_task"] for row in tasks[:2]] == ["[7]", "[4, 3]"]
    assert [json.loads(row["other"]) for row in tasks[:2]] == [{"drift": 0.125, "lost": None}, {}]
    assert [row["loss"] for row in tasks[:2]] == ["0.25", ""]


def test_csv_is_read_back_as_the_numbers_it_was_made_of(sweep, tmp_path):
    written(sweep, "csv", tmp_path)
    rows = pd.read_csv(tmp_path / "accuracy.csv")
    exported_rows = rows.set_index(["trial_id", "after_task", "eval_task"])["accuracy"].to_dict()
    for row in to_rows(sweep.table("accuracy")):
        value = exported_rows[row["trial_id"], row["after_task"], row["eval_task"]]
        assert value == row["accuracy"] or (pd.isna(value) and row["accuracy"] is None)


def test_json_is_an_array_of_records_with_null_for_null(sweep, tmp_path):
    written(sweep, "json", tmp_path)

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    tables = {
        name: json.loads((tmp_path / f"{name}.json").read_text("utf-8"), parse_constant=refuse)
        for name in TABLES
    }
    assert {name: len(rows) for name, rows in tables.items()} == {
        name: len(sweep.table(name)) for name in TABLES
    }
    [failed] = [row for row in tables["trials"] if row["method"] == "ewc"]
    assert list(failed) == SCHEMAS["trials"].names
    assert failed["error"] == 'Traceback:\n  "é, λ"'
    assert (failed["selection_seeds"], failed["git_dirty"], failed["host"]) == ([3, 4], True, None)
    assert failed["packages"] == {"torch": "2.6", "numpy": "2.0"}
    assert failed["ended_at"] == "2026-01-02T03:04:05.000006+00:00"
    assert tables["tasks"][0]["other"] == {"drift": 0.125, "lost": None}
    assert "é" in (tmp_path / "trials.json").read_text("utf-8"), "as it is, and not as an escape"
    query = "SELECT min(accuracy) FROM read_json(?)"
    [lowest] = duckdb.execute(query, [str(tmp_path / "accuracy.json")]).fetchall()
    assert lowest == (pc.min(sweep.accuracy["accuracy"]).as_py(),)


def test_what_is_not_a_number_is_null_wherever_it_stands(sweep, tmp_path):
    tasks = sweep.tasks
    position = tasks.schema.get_field_index("other")
    other = pa.array(
        [[("drift", float("nan")), ("lost", float("inf"))]] * len(tasks), tasks.schema.field(position).type
    )
    loss = pa.array([float("nan")] * len(tasks), pa.float64())
    sweep.__dict__["tasks"] = tasks.set_column(position, tasks.schema.field(position), other).set_column(
        tasks.schema.get_field_index("loss"), tasks.schema.field("loss"), loss
    )
    written(sweep, "json", tmp_path, "tasks")
    written(sweep, "csv", tmp_path, "tasks")
    written(sweep, "parquet", tmp_path, "tasks")
    assert pq.read_table(tmp_path / "tasks.parquet")["loss"].null_count == len(tasks)
    row = json.loads((tmp_path / "tasks.json").read_text("utf-8"))[0]
    assert (row["other"], row["loss"]) == ({"drift": None, "lost": None}, None)
    line = csv_rows(tmp_path / "tasks.csv")[0]
    assert (json.loads(line["other"]), line["loss"]) == ({"drift": None, "lost": None}, "")


def test_what_columns_mean_stands_beside_csv_and_json(sweep, tmp_path):
    written(sweep, "csv", tmp_path, "summary")
    said = json.loads((tmp_path / COLUMNS).read_text("utf-8"))
    assert list(said) == list(TABLES)
    for name, schema in SCHEMAS.items():
        assert list(said[name]["columns"]) == schema.names
    assert said["summary"]["columns"]["half_width"] == {
        "type": "double",
        "null": True,
        "description": "half width of the Student t interval; null for n < 2",
        "unit": "share",
    }
    assert said["trials"]["columns"]["started_at"]["type"] == "timestamp[us, tz=UTC]"
    assert said["accuracy"]["columns"]["seed"]["unit"] is None
    assert said["summary"]["definitions"]["bwt"] == METRICS["bwt"].definition
    assert json.loads(columns_json()) == said


def test_only_the_tables_that_are_named_are_written_in_the_order_of_their_names(sweep, tmp_path):
    assert written(sweep, "parquet", tmp_path, "comparisons", "trials") == [
        "comparisons.parquet",
        "trials.parquet",
    ]
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == [
        "comparisons.parquet",
        "trials.parquet",
    ]


def test_a_table_without_rows_has_no_file_unless_it_is_asked_for_by_name(tmp_path):
    add(Rows(), "naive", 0, 0.5).written(tmp_path / "mine")
    sweep = results.open(tmp_path / "mine")
    files = written(sweep, "parquet", tmp_path / "out")
    assert files == ["trials.parquet", "accuracy.parquet", "tasks.parquet", "summary.parquet"]
    with pytest.raises(NoRows, match="table transfer has no rows"):
        written(sweep, "parquet", tmp_path / "out", "transfer")
    assert written(sweep, "latex", tmp_path / "out") == ["summary.tex"]


@pytest.mark.parametrize("form", FORMS)
def test_a_run_without_a_trial_has_nothing_to_export(form, tmp_path):
    (tmp_path / "none" / "trials").mkdir(parents=True)
    with pytest.raises(NoRows, match="none: no trial is there yet"):
        written(results.open(tmp_path / "none"), form, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("form", "name", "message"),
    [
        ("csv", "sumary", "no table 'sumary' as csv; did you mean 'summary'?"),
        ("latex", "profiles", "no table 'profiles' as latex; there: summary, comparisons, across"),
    ],
)
def test_an_unknown_table_is_refused_with_the_nearest_before_anything_is_written(
    form, name, message, sweep, tmp_path
):
    with pytest.raises(NoSuchTable) as refused:
        written(sweep, form, tmp_path / "out", "summary", name)
    assert str(refused.value) == message
    assert not (tmp_path / "out").exists()


def test_a_file_that_cannot_be_written_leaves_what_was_there(sweep, tmp_path, monkeypatch):
    written(sweep, "csv", tmp_path / "out", "summary")
    before = (tmp_path / "out/summary.csv").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(StoreError, match=r"cannot write .*out/summary\.csv: No space left on device"):
        written(replace(sweep, level=0.5), "csv", tmp_path / "out", "summary")
    assert [path.name for path in (tmp_path / "out").iterdir() if "tmp" in path.name] == []
    assert (tmp_path / "out/summary.csv").read_bytes() == before


def test_metadata_of_the_table_as_a_whole_names_every_column():
    table = described(SCHEMAS["accuracy"].empty_table())
    names = {key.decode() for key in table.schema.metadata}
    assert {f"description.{name}" for name in SCHEMAS["accuracy"].names} <= names
    assert {name for name in names if name.startswith("unit.")} == {"unit.accuracy", "unit.n_eval"}
    assert table.schema.equals(SCHEMAS["accuracy"])
