"""The tables' schemas and the way from rows to typed columns."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from results.meanings import SCHEMAS
from results.schema import ACCURACY, TASKS, TRIALS, to_rows, to_table

ROW = {
    "trial_id": "t1",
    "scenario": "class-il/split-digits",
    "method": "naive",
    "seed": 0,
    "after_task": -1,
    "eval_task": 0,
    "split": "test",
    "accuracy": 0.5,
    "n_eval": 72,
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_every_column_is_described_and_every_table_has_a_version(schema):
    assert all(field.metadata[b"description"] for field in schema)
    assert schema.metadata[b"clsweep.schema_version"] == b"1"
    assert len(set(schema.names)) == len(schema.names)


def test_columns_of_amounts_have_a_unit():
    units = {
        name: {field.name: field.metadata.get(b"unit", b"").decode() for field in schema}
        for name, schema in SCHEMAS.items()
    }
    assert [units["trials"][name] for name in ("wall_s", "peak_memory_bytes", "chance", "seed")] == [
        *("s", "byte", "share", ""),
    ]
    assert [units["accuracy"][name] for name in ("accuracy", "n_eval")] == ["share", "examples"]
    assert [units["tasks"][name] for name in ("loss", "memory_by_task")] == ["nats", "examples"]
    assert [units[name]["half_width"] for name in ("summary", "comparisons", "transfer")] == ["share"] * 3


def test_rows_come_back_as_pyarrow_gives_them():
    times = [datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), datetime(1969, 12, 31, tzinfo=UTC), None]
    table = pa.table(
        {
            "time": pa.array(times, TRIALS.field("ended_at").type),
            "text": ["a", None, "c"],
            "number": [1.5, None, -2.0],
            "list": [[1], [], None],
        }
    )
    for some in (table, table.slice(1), pa.concat_tables([table, table]), table.slice(0, 0)):
        assert to_rows(some) == some.to_pylist()


def test_rows_with_a_map_become_a_table_again():
    row = {"task": 0, "train_s": 0.0, "eval_s": 0.0, "steps": 1, "parameters": 1, "other": {"drift": 0.25}}
    identity = {name: ROW[name] for name in ("trial_id", "scenario", "method", "seed")}
    table = to_table(TASKS, [identity | row, identity | row | {"other": None}])
    assert [each["other"] for each in to_rows(table)] == [[("drift", 0.25)], None]
    assert to_table(TASKS, to_rows(table)).equals(table)


def test_rows_become_typed_columns():
    table = to_table(ACCURACY, [ROW, {**ROW, "eval_task": np.int64(1), "accuracy": np.float64(1.0)}])
    assert table.schema.equals(ACCURACY, check_metadata=True)
    assert table["eval_task"].to_pylist() == [0, 1]
    assert table["accuracy"].to_pylist() == [0.5, 1.0]


def test_no_rows_are_an_empty_table():
    assert to_table(TASKS, []).num_rows == 0


@pytest.mark.parametrize("hole", [None, float("nan"), np.float32("nan"), np.float64("nan")])
def test_a_hole_in_the_matrix_is_null_and_never_nan(hole):
    table = to_table(ACCURACY, [{**ROW, "accuracy": hole}, ROW])
    assert table["accuracy"].to_pylist() == [None, 0.5]


def test_a_misspelt_column_is_refused_and_not_dropped():
    with pytest.raises(ValueError, match="no such column: acuracy; columns: trial_id, scenario"):
        to_table(ACCURACY, [{**ROW, "acuracy": 0.5}])


@pytest.mark.parametrize("row", [{**ROW, "seed": None}, {k: v for k, v in ROW.items() if k != "seed"}])
def test_a_column_that_must_be_known_is_never_null(row):
    with pytest.raises(ValueError, match="column seed must not be null"):
        to_table(ACCURACY, [row])


def test_results_load_neither_torch_nor_ray_nor_scipy():
    program = """if True:
        import sys, results.store, results.tables
        print(sorted({"torch", "ray", "scipy"} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
