"""The trials behind a table's cells, and what they recorded task by task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from results.cells import CellKey, Row, cell_key, group
from results.schema import COMPLETE, to_rows
from results.summary import CellSummary

__all__ = ["Records", "records"]

_SETTINGS = ("scenario_settings", "hyperparameters", "model", "train")
_NAMES = ("scenario", "data_digest", "results_version", "method")


@dataclass(frozen=True, eq=False)
class Records:
    """A cell with the complete trial of each seed."""

    cell: CellSummary
    key: CellKey
    trials: Mapping[int, str]
    """Trial id by seed."""
    tasks: Mapping[int, Sequence[Row]]
    """The rows of the table of tasks by seed, first task first."""


def records(cells: Sequence[CellSummary], trials: pa.Table, tasks: pa.Table) -> list[Records]:
    """What is behind each of *cells*, which *trials* were summarised to; *tasks* may lack columns."""
    columns = [*_NAMES, *_SETTINGS, "trial_id", "seed", "status", "started_at"]
    grouped = group(to_rows(trials.select(columns)))
    rows: dict[str, list[Row]] = {}
    for row in tasks.sort_by("task").to_pylist():
        rows.setdefault(row["trial_id"], []).append(row)
    found = []
    for cell in cells:
        key = _key(cell)
        complete = {
            seed: row["trial_id"] for seed, row in grouped.get(key, {}).items() if row["status"] == COMPLETE
        }
        by_seed = {seed: rows.get(trial, []) for seed, trial in complete.items()}
        found.append(Records(cell, key, complete, by_seed))
    return found


def _key(cell: CellSummary) -> CellKey:
    names = {name: getattr(cell, name) for name in _NAMES}
    return cell_key(names | {name: json.dumps(getattr(cell, name)) for name in _SETTINGS})
