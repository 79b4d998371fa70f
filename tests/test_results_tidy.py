"""Everything that is computed, as typed tables: one row per fact, each number in its column."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from made_rows import Rows

from cl.metrics import METRICS
from results.across import TAUS, normalised
from results.families import families
from results.schema import DIVERGED, FAILED, STATUSES, to_rows
from results.statistics import bca_interval
from results.summary import CellSummary, summarise
from results.tidy import (
    ACROSS,
    COMPARISONS,
    PROFILES,
    SUMMARY,
    across_table,
    bests,
    comparisons_table,
    profiles_table,
    summary_table,
)

CHANCE = 0.5


def add(rows: Rows, method: str, accs: list[float], **columns: object) -> Rows:
    """A method that ends with these accuracies on both of two tasks, seed by seed."""
    for seed, acc in enumerate(accs):
        rows.add(method, seed, [[1.0, acc], [None, acc]], chance=CHANCE, **columns)
    return rows


def cells_of(**accs: list[float]) -> list[CellSummary]:
    rows = Rows()
    for method, values in accs.items():
        add(rows, method, values)
    return summarise(rows.trials, rows.accuracy, reference="joint")


FAR = {"naive": [0.6, 0.61, 0.62], "replay": [0.8, 0.82, 0.81]}


def by_line(cells: list[CellSummary], **options: object) -> dict[tuple[str, str], dict[str, object]]:
    """The rows of the summary, by label and metric."""
    table = summary_table(cells, bests(cells, families(cells, metrics=tuple(METRICS))), **options)
    return {(row["label"], row["metric"]): row for row in to_rows(table)}


def test_the_summary_has_a_row_per_cell_and_metric_with_its_statistics():
    cells = cells_of(**FAR)
    table = summary_table(cells, {})
    assert table.schema.equals(SUMMARY, check_metadata=True)
    assert table.num_rows == 2 * len(METRICS)
    row = by_line(cells)["naive", "acc"]
    # 0.60, 0.61, 0.62: sd 0.01, half width 4.302653 * 0.01 / sqrt(3).
    numbers = ("mean", "sd", "half_width", "median", "iqm", "least", "most")
    assert [row[name] for name in numbers] == pytest.approx(
        [0.61, 0.01, 0.0248414, 0.61, 0.61, 0.6, 0.62], abs=1e-7
    )
    assert (row["n"], row["level"], row["bca_low"], row["disagree"], row["reason"]) == (
        3,
        0.95,
        None,
        None,
        None,
    )
    assert (row["scenario"], row["kind"], row["method"]) == ("domain-il/split-digits", "domain-il", "naive")
    assert json.loads(row["scenario_settings"]) == {"tasks": 2}


def test_an_undefined_metric_is_null_with_its_reason():
    row = by_line(cells_of(naive=[0.6]))["naive", "intransigence"]
    assert (row["mean"], row["median"], row["level"], row["n"]) == (None, None, None, 0)
    assert row["reason"] == "no complete joint trial with the same settings and seed"


def test_seeds_are_counted_by_how_they_ended():
    rows = add(add(Rows(), "naive", [0.6, 0.61, 0.62]), "replay", [0.8])
    rows.add("replay", 1, [[1.0, 0.0], [None, 0.0]], status=DIVERGED)
    rows.add("replay", 2, [[1.0, 0.0], [None, 0.0]], status=FAILED)
    rows.add("naive", 3, [[1.0, 0.6], [None, 0.6]])
    row = by_line(rows.cells)["replay", "acc"]
    counts = {status: row[status] for status in STATUSES}
    assert counts == {"complete": 1, "diverged": 1, "failed": 1, "running": 0, "stopped": 0}
    assert row["missing"] == 1
    assert (row["n"], row["half_width"], row["sd"]) == (1, None, None)


def test_from_twenty_seeds_on_there_is_a_bootstrap_interval_and_whether_it_disagrees():
    values = [0.6 + 0.3 * np.exp(-seed) for seed in range(20)]
    few, many = (by_line(cells_of(naive=values[:n]))["naive", "acc"] for n in (19, 20))
    assert (few["bca_low"], few["bca_high"], few["disagree"]) == (None, None, None)
    assert (many["bca_low"], many["bca_high"]) == bca_interval(values)
    assert many["disagree"] is True, "one seed is far above the others"


def test_the_best_are_marked_and_only_those_metrics_are_rows_that_are_asked_for():
    rows = by_line(cells_of(**FAR), metrics=("acc", "fm"))
    assert {key: row["best"] for key, row in rows.items()} == {
        ("naive", "acc"): False,
        ("naive", "fm"): False,
        ("replay", "acc"): True,
        ("replay", "fm"): True,
    }


def test_the_best_are_known_for_every_scenario_and_metric():
    cells = cells_of(**FAR)
    found = bests(cells, families(cells, metrics=("acc",)))
    assert set(found) == {("domain-il/split-digits", name) for name in METRICS}
    assert found["domain-il/split-digits", "acc"] == {"replay"}
    assert found["domain-il/split-digits", "fm"] == frozenset()


def test_a_comparison_is_a_row_with_its_tests():
    table = comparisons_table(families(cells_of(**FAR), margin=0.05))
    assert table.schema.equals(COMPARISONS, check_metadata=True)
    [row] = to_rows(table)
    # 0.20, 0.21, 0.19: mean 0.2, sd 0.01, t = 20 sqrt(3), p = 2 (1 - T(t)) with 2 degrees of freedom, where
    # T(t) = 1/2 + t / (2 sqrt(2 + t^2)); g is the mean in sds times gamma(1) / (gamma(1/2) sqrt(1)) = 0.5642.
    t = 20 * np.sqrt(3)
    numbers = ("difference", "sd", "half_width", "hedges_g", "share_better", "p", "p_holm")
    p = 1 - t / np.sqrt(2 + t**2)
    assert [row[name] for name in numbers] == pytest.approx(
        [0.2, 0.01, 0.0248414, 20 * 0.5641896, 1.0, p, p], abs=1e-6
    )
    assert (row["first"], row["second"], row["baseline"]) == ("replay", "naive", None)
    assert (row["n"], row["family"], row["looks"], row["level"], row["margin"]) == (3, 1, 1, 0.95, 0.05)
    assert (row["rejected"], row["underpowered"], row["more_seeds"]) == (True, False, 0)
    assert row["detectable"] < 0.2


def test_a_pair_without_a_shared_seed_is_a_row_of_nulls():
    rows = Rows().add("naive", 0, [[1.0, 0.6], [None, 0.6]]).add("replay", 1, [[1.0, 0.8], [None, 0.8]])
    [row] = to_rows(comparisons_table(families(rows.cells)))
    assert row["n"] == 0
    assert {name for name, value in row.items() if value is None} == {
        *("baseline", "difference", "half_width", "sd", "hedges_g", "share_better", "p", "p_holm"),
        *("detectable", "more_seeds"),
    }


def test_the_baseline_of_a_comparison_is_named():
    found = families(cells_of(**FAR, ewc=[0.7, 0.7, 0.71]), baseline="naive")
    rows = to_rows(comparisons_table(found))
    assert [(row["baseline"], row["first"], row["second"], row["family"]) for row in rows] == [
        ("naive", "replay", "naive", 2),
        ("naive", "ewc", "naive", 2),
    ]


# Scores of naive (acc - 0.5) / (0.9 - 0.5): 0.25, 0.5, 0.75; of replay 0.5, 0.5, 1.0.
SCORED = {"joint": [0.9, 0.9, 0.9], "naive": [0.6, 0.7, 0.8], "replay": [0.7, 0.7, 0.9]}


def test_across_has_a_row_per_method_and_one_per_ordered_pair():
    table = across_table(normalised(cells_of(**SCORED)), level=0.9)
    assert table.schema.equals(ACROSS, check_metadata=True)
    rows = {(row["statistic"], row["first"], row["second"]): row for row in to_rows(table)}
    # Of the nine pairs of runs replay is above in five and ties in two.
    assert {key: row["value"] for key, row in rows.items()} == pytest.approx(
        {
            ("iqm", "naive", None): 0.5,
            ("iqm", "replay", None): 2 / 3,
            ("improvement", "naive", "replay"): 1 / 3,
            ("improvement", "replay", "naive"): 2 / 3,
        }
    )
    assert {(row["level"], row["scenarios"], row["runs"]) for row in rows.values()} == {(0.9, 1, 3)}
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows.values())


def test_a_profile_is_the_share_of_runs_above_each_score():
    table = profiles_table(normalised(cells_of(**SCORED)))
    assert table.schema.equals(PROFILES, check_metadata=True)
    shares = {(row["method"], round(row["tau"], 2)): row["share"] for row in to_rows(table)}
    assert len(shares) == 2 * len(TAUS)
    assert [shares["naive", tau] for tau in (-0.1, 0.24, 0.26, 0.51, 0.76)] == pytest.approx(
        [1, 1, 2 / 3, 1 / 3, 0]
    )
    assert [shares["replay", tau] for tau in (0.0, 0.49, 0.51, 1.1)] == pytest.approx([1, 1, 1 / 3, 0])
    assert all(row["low"] <= row["share"] <= row["high"] for row in to_rows(table))


def test_what_is_drawn_at_random_is_drawn_from_the_seed():
    values = [0.55 + 0.3 * np.sin(seed) ** 2 for seed in range(12)]
    scores = normalised(cells_of(naive=values[::2], gem=values[1::2], joint=[0.9] * 6))
    assert across_table(scores).equals(across_table(scores))
    assert not across_table(scores).equals(across_table(scores, seed=1))
    assert profiles_table(scores, seed=3).equals(profiles_table(scores, seed=3))


def test_nothing_to_compare_is_a_table_without_rows():
    nothing = normalised(cells_of(naive=[0.6]))
    assert [
        len(table) for table in (comparisons_table([]), across_table(nothing), profiles_table(nothing))
    ] == [
        0,
        0,
        0,
    ]
    assert summary_table([], {}).schema.equals(SUMMARY, check_metadata=True)


def test_a_table_survives_parquet_with_its_units_and_definitions(tmp_path):
    table = summary_table(cells_of(**FAR), {})
    pq.write_table(table, tmp_path / "summary.parquet")
    read = pq.read_table(tmp_path / "summary.parquet")
    assert read.equals(table, check_metadata=True)
    assert read.schema.metadata[b"definition.acc"] == b"mean_i R[i, T-1]"
    assert read.schema.field("mean").metadata[b"unit"] == b"share"


def test_no_metric_is_without_a_definition():
    for schema in (SUMMARY, COMPARISONS):
        assert {f"definition.{name}".encode() for name in METRICS} <= set(schema.metadata)
    assert {b"definition.iqm", b"definition.improvement"} <= set(ACROSS.metadata)
