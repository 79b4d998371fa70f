"""Forward transfer: how well a task is learned after others, against a model trained on it alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
import pyarrow as pa

from results.cells import CellKey, Row, Setting
from results.matrices import Array, trial_matrices
from results.records import Records, records
from results.statistics import Interval, mean_interval
from results.summary import CellSummary

__all__ = ["MEASURES", "REFERENCE", "Measure", "Transfer", "forward_transfer", "has_reference"]

Measure = Literal["zero_shot", "first_epoch", "end"]

MEASURES: Mapping[Measure, str] = {
    "zero_shot": "R[k, k-1], before any example of task k; for scratch R[k, -1], the untrained model's",
    "first_epoch": "accuracy on task k after the first pass over its training examples",
    "end": "R[k, k], accuracy on task k once it is learned",
}

REFERENCE = "scratch"
"""The method that trains a fresh model on each task alone."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """One cell on one task, over its complete seeds."""

    cell: CellSummary
    task: int | None
    """None is the mean over tasks 1 to T - 1, taken per seed."""
    accuracy: Mapping[Measure, Interval]
    """Absent where no seed has it, such as zero-shot where the head has no output for the task yet."""
    gain: Mapping[Measure, Interval]
    """Accuracy minus that of `REFERENCE` with the same settings, paired by seed; absent for itself."""


def has_reference(cells: Sequence[CellSummary]) -> bool:
    """Whether a trial of `REFERENCE` is complete."""
    return any(cell.n for cell in cells if _is_reference(cell))


def forward_transfer(
    cells: Sequence[CellSummary],
    trials: pa.Table,
    accuracy: pa.Table,
    tasks: pa.Table,
    *,
    level: float = 0.95,
) -> list[Transfer]:
    """The forward transfer of *cells*, scenario by scenario and task by task, from the tables of a run.

    Every scenario with a complete trial of `REFERENCE` and at least two tasks is there, with all its cells
    but those of `joint`, which learns the old tasks anew. The first task has none before it and is left out.
    """
    columns = tasks.select(["trial_id", "task", "first_epoch_accuracy"])
    found = records([cell for cell in cells if cell.method != "joint"], trials, columns)
    scores = {record.key: _scores(record, accuracy) for record in found}
    reference = {record.key.setting: scores[record.key] for record in found if _is_reference(record.cell)}
    gains = {record.key: _gains(record, scores, reference) for record in found}
    rows = []
    for members in _by_scenario(found):
        T = max(len(R) for record in members for R in record.cell.matrices.values())
        for column, task in enumerate([*range(1, T), None] if T > 1 else []):
            for record in members:
                own, gain = (_intervals(of[record.key], column, level) for of in (scores, gains))
                rows.append(Transfer(record.cell, task, own, gain))
    return rows


def _by_scenario(found: Sequence[Records]) -> list[list[Records]]:
    """The cells of every scenario in which a trial of `REFERENCE` is complete."""
    scenarios = [
        list(members) for _, members in groupby(found, key=lambda record: record.cell.scenario_label)
    ]
    return [members for members in scenarios if has_reference([record.cell for record in members])]


def _is_reference(cell: CellSummary) -> bool:
    return cell.method == REFERENCE


def _scores(record: Records, accuracy: pa.Table) -> dict[int, Array]:
    """By seed float64 ``[3, T]``: each measure on tasks 1 to T - 1 and, last, its mean; NaN if undefined."""
    scores = {}
    before = _before(record, accuracy)
    for seed, R in record.cell.matrices.items():
        if len(R) > 1:
            first_epoch = _first_epoch(record.tasks[seed], len(R))
            values = np.stack([before[seed], first_epoch[1:], np.diagonal(R)[1:]])
            scores[seed] = np.column_stack([values, values.mean(axis=1)])
    return scores


def _before(record: Records, accuracy: pa.Table) -> dict[int, Array]:
    """By seed float64 ``[T - 1]``: the accuracy on tasks 1 to T - 1 just before they are learned."""
    matrices = record.cell.matrices
    if not _is_reference(record.cell):
        return {seed: np.diagonal(R, -1) for seed, R in matrices.items()}
    # A fresh model has seen nothing before task k, whatever the model of task k - 1 scores on it.
    n_tasks = {trial: len(matrices[seed]) for seed, trial in record.trials.items()}
    measured = trial_matrices(n_tasks, accuracy)
    return {seed: measured[trial].untrained[1:] for seed, trial in record.trials.items()}


def _first_epoch(rows: Sequence[Row], n_tasks: int) -> Array:
    values = np.full(n_tasks, np.nan)
    for row in rows:
        if row["first_epoch_accuracy"] is not None:
            values[row["task"]] = row["first_epoch_accuracy"]
    return values


def _gains(
    record: Records,
    scores: Mapping[CellKey, Mapping[int, Array]],
    reference: Mapping[Setting, Mapping[int, Array]],
) -> dict[int, Array]:
    """The scores minus the reference's, of the seeds that both have."""
    own, its = scores[record.key], reference.get(record.key.setting, {})
    return {} if _is_reference(record.cell) else {seed: own[seed] - its[seed] for seed in own if seed in its}


def _intervals(by_seed: Mapping[int, Array], column: int, level: float) -> dict[Measure, Interval]:
    """The mean over the seeds that have it, of every measure that any seed has."""
    found = {}
    for row, measure in enumerate(MEASURES):
        values = [scores[row, column] for scores in by_seed.values() if np.isfinite(scores[row, column])]
        if values:
            found[measure] = mean_interval(values, level)
    return found
