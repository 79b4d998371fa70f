"""Two runs compared, for programs: a typed table of everything that was computed."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from cl.metrics import METRICS
from results.columns import column, table_schema
from results.schema import to_table
from results.summary import CellSummary
from results.two_runs import Change, Outcome, ScenarioChanges, TwoRuns

__all__ = ["TWO_RUNS", "to_arrow"]

_TEXT, _INT32, _DOUBLE = pa.string(), pa.int32(), pa.float64()
_ACCURACY = "share of correct predictions (or a difference of such shares), 1 = 100 %"

TWO_RUNS = table_schema(
    "two_runs",
    column("scenario", _TEXT, "the scenario with the settings that vary within a run or between the two"),
    column("metric", _TEXT, "name of the metric; its definition is in this schema's metadata"),
    column("cell", _TEXT, "the method with what varies within a run or differs for this cell alone"),
    column("found_in", _TEXT, "both, a or b"),
    column("label_a", _TEXT, "the cell in A's own tables; null where A has none", null=True),
    column("label_b", _TEXT, "the cell in B's own tables; null where B has none", null=True),
    column(
        "settings",
        _TEXT,
        "settings that differ, a JSON object of pairs of texts; null if not in both",
        null=True,
    ),
    column("n_a", _INT32, "seeds of A that have the metric"),
    column("n_b", _INT32, "seeds of B that have the metric"),
    column("mean_a", _DOUBLE, "mean over A's seeds; null where undefined", null=True, unit=_ACCURACY),
    column("mean_b", _DOUBLE, "mean over B's seeds; null where undefined", null=True, unit=_ACCURACY),
    column("reason_a", _TEXT, "why it is undefined in A, for all seeds or for those named", null=True),
    column("reason_b", _TEXT, "why it is undefined in B, for all seeds or for those named", null=True),
    column("shared", _INT32, "seeds of which both runs have the metric"),
    column("identical", _INT32, "of these, those whose accuracy matrices are the same bit for bit"),
    column("difference", _DOUBLE, "mean of B - A; null where one has no value", null=True, unit=_ACCURACY),
    column("half_width", _DOUBLE, "half width of its interval; null for n < 2", null=True, unit=_ACCURACY),
    column("level", _DOUBLE, "level of the interval and, less from 1, of the test", null=True),
    column("test", _TEXT, "paired (Student t) or welch; null where nothing was tested", null=True),
    column("p", _DOUBLE, "p value of it, two-sided", null=True),
    column("p_holm", _DOUBLE, "the same, corrected for the tests of its scenario and metric", null=True),
    column("tests", _INT32, "how many these are"),
    column("sure", pa.bool_(), "whether the runs surely differ in it"),
    column("outcome", _TEXT, "of the cell in all metrics compared: same, better, worse, mixed, ..."),
    **{f"definition.{name}": metric.definition for name, metric in METRICS.items()},
)
"""One row per scenario, metric and cell of either run."""


def to_arrow(two: TwoRuns) -> pa.Table:
    """The comparison as a table of schema `TWO_RUNS`."""
    rows = []
    outcomes = {couple: outcome for _, couple, outcome in two.outcomes}
    for its in two.scenarios:
        for metric in two.metrics:
            rows += [_row(its, change, outcomes[change.couple]) for change in its.families[metric]]
            rows += [_row_alone(its, metric, "a", cell) for cell in its.pair.only_a]
            rows += [_row_alone(its, metric, "b", cell) for cell in its.pair.only_b]
    return to_table(TWO_RUNS, rows)


def _row(its: ScenarioChanges, change: Change, outcome: Outcome) -> dict[str, Any]:
    couple, difference = change.couple, change.difference
    return {
        "scenario": its.pair.title,
        "metric": change.metric,
        "cell": couple.label,
        "found_in": "both",
        **_side("a", couple.a, change.metric),
        **_side("b", couple.b, change.metric),
        "settings": json.dumps(couple.differing),
        "shared": len(change.shared),
        "identical": len(change.identical),
        "difference": difference.mean if difference else None,
        "half_width": difference.half_width if difference else None,
        "level": change.level,
        "test": None if change.p is None else "paired" if change.is_paired else "welch",
        "p": change.p,
        "p_holm": change.p_holm,
        "tests": change.tests,
        "sure": change.is_sure,
        "outcome": outcome,
    }


_NOWHERE = {"n_a": 0, "n_b": 0, "shared": 0, "identical": 0, "tests": 0, "sure": False}


def _row_alone(its: ScenarioChanges, metric: str, side: str, cell: CellSummary) -> dict[str, Any]:
    return {
        "scenario": its.pair.title,
        "metric": metric,
        "cell": cell.label,
        "found_in": side,
        **_NOWHERE,
        **_side(side, cell, metric),
        "outcome": f"only in {side.upper()}",
    }


def _side(side: str, cell: CellSummary, metric: str) -> dict[str, Any]:
    interval = cell.metrics.get(metric)
    return {
        f"label_{side}": cell.label,
        f"n_{side}": len(cell.values[metric]),
        f"mean_{side}": interval.mean if interval else None,
        f"reason_{side}": cell.reasons.get(metric),
    }
