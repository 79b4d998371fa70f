"""Two runs compared, as a program reads it."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from made_rows import Rows
from made_sweeps import made_sweep, seeds_of
from scipy import stats

from cl.metrics import METRICS
from results.layout import csv_text
from results.two_runs import compare_runs
from results.two_runs_rows import TWO_RUNS, to_arrow

OLD = {0: 0.80, 1: 0.82, 2: 0.85}
UP = {0: 0.83, 1: 0.86, 2: 0.87}


@pytest.fixture
def table():
    """Naive is the same, ewc has another lambda and is better, gem has other seeds, and pnn is in B alone."""
    a, b = seeds_of(Rows(), "naive", OLD), seeds_of(Rows(), "naive", OLD | {3: 0.5})
    seeds_of(a, "ewc", OLD, hyperparameters={"lambda": 1})
    seeds_of(b, "ewc", UP, hyperparameters={"lambda": 2})
    seeds_of(a, "gem", OLD)
    seeds_of(b, "gem", {7: 0.9, 8: 0.8})
    seeds_of(b, "pnn", UP)
    two = compare_runs(made_sweep("a", a), made_sweep("b", b), metrics=["acc", "intransigence"])
    return to_arrow(two)


def rows_of(table, metric="acc"):
    return {row["cell"]: row for row in table.to_pylist() if row["metric"] == metric}


def test_it_has_a_row_per_metric_and_cell_of_either_run(table):
    assert table.schema.equals(TWO_RUNS, check_metadata=True)
    for metric in ("acc", "intransigence"):
        found = {cell: row["found_in"] for cell, row in rows_of(table, metric).items()}
        assert found == {"naive": "both", "ewc (lambda 1 -> 2)": "both", "gem": "both", "pnn": "b"}


def test_a_reproduced_cell_differs_by_nothing_and_has_no_test(table):
    row = rows_of(table)["naive"]
    assert (row["n_a"], row["n_b"], row["shared"], row["identical"]) == (3, 4, 3, 3)
    assert (row["difference"], row["test"], row["p"], row["p_holm"], row["sure"]) == (
        0,
        None,
        None,
        None,
        False,
    )
    assert row["outcome"] == "same"


def test_a_paired_difference_has_its_interval_and_p_values(table):
    row = rows_of(table)["ewc (lambda 1 -> 2)"]
    assert row["mean_b"] - row["mean_a"] == pytest.approx(row["difference"]) == pytest.approx(0.03)
    assert row["half_width"] == pytest.approx(4.302653 * 0.01 / math.sqrt(3), rel=1e-6)
    assert row["p"] == pytest.approx(stats.ttest_rel(list(UP.values()), list(OLD.values())).pvalue)
    assert (row["test"], row["tests"], row["level"]) == ("paired", 2, 0.95)
    assert row["p_holm"] == pytest.approx(2 * row["p"])
    assert json.loads(row["settings"]) == {"lambda": ["1", "2"]}
    assert (row["label_a"], row["label_b"]) == ("ewc", "ewc")


def test_independent_samples_are_said_to_be_welchs(table):
    row = rows_of(table)["gem"]
    expected = stats.ttest_ind([0.9, 0.8], list(OLD.values()), equal_var=False)
    assert (row["test"], row["shared"], row["p"]) == ("welch", 0, pytest.approx(expected.pvalue))


def test_a_cell_of_one_run_has_its_mean_and_nothing_of_the_other(table):
    row = rows_of(table)["pnn"]
    assert (row["n_a"], row["mean_a"], row["label_a"], row["difference"], row["settings"]) == (0, *[None] * 4)
    assert (row["n_b"], row["mean_b"]) == (3, pytest.approx(sum(UP.values()) / 3))
    assert row["outcome"] == "only in B"


def test_an_undefined_metric_has_the_reason_in_either_run(table):
    row = rows_of(table, "intransigence")["naive"]
    assert (row["mean_a"], row["mean_b"], row["difference"]) == (None, None, None)
    assert row["reason_a"] == row["reason_b"] == "no complete joint trial with the same settings and seed"


def test_every_column_says_what_it_is_and_every_metric_is_defined():
    assert all(field.metadata[b"description"] for field in TWO_RUNS)
    assert {f"definition.{name}".encode() for name in METRICS} <= TWO_RUNS.metadata.keys()


def test_it_can_be_written_as_csv(table):
    found = list(csv.DictReader(io.StringIO(csv_text(table))))
    assert len(found) == len(table)
    assert list(found[0]) == TWO_RUNS.names
