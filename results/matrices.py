"""Accuracy matrices from accuracy rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from results.arrays import numbers, string, strings

__all__ = ["TrialMatrix", "trial_matrices"]

Array: TypeAlias = npt.NDArray[np.float64]


class TrialMatrix(NamedTuple):
    """What one trial measured; NaN where it did not."""

    R: Array
    """float64 ``[T, T]``; ``R[i, j]`` is the accuracy on task i after training task j."""
    untrained: Array
    """float64 ``[T]``; the accuracy on each task before any training."""
    holes: bytes
    """Which of them are NaN: alike for trials of one number of tasks that lack the same."""


def trial_matrices(
    n_tasks: Mapping[str, int], accuracy: pa.Table, *, split: str = "test"
) -> dict[str, TrialMatrix]:
    """The matrix of every trial in *n_tasks* (number of tasks by trial id), from its rows of one split.

    Raises:
        ValueError: a row names a task that its trial does not have.
    """
    tasks = np.fromiter(n_tasks.values(), dtype=np.int64, count=len(n_tasks))
    # Trials have different numbers of tasks, so their matrices [T, T + 1] lie one after another in one array:
    # a million rows are then placed by a single assignment.
    starts = np.concatenate(([0], np.cumsum(tasks * (tasks + 1))))
    cells = np.full(starts[-1], np.nan)
    trial, task, after, value = _columns(n_tasks, accuracy, split)
    outside = (task < 0) | (task >= tasks[trial]) | (after < -1) | (after >= tasks[trial])
    if outside.any():
        worst = int(np.argmax(outside))
        raise ValueError(
            f"trial {list(n_tasks)[trial[worst]]} has {tasks[trial[worst]]} tasks, "
            f"but a row for task {task[worst]} after task {after[worst]}"
        )
    cells[starts[trial] + task * (tasks[trial] + 1) + after + 1] = value
    holes = np.isnan(cells).tobytes()
    found = {}
    for (name, T), start, end in zip(n_tasks.items(), starts[:-1], starts[1:], strict=True):
        block = cells[start:end].reshape(T, T + 1)
        found[name] = TrialMatrix(block[:, 1:], block[:, 0], holes[start:end])
    return found


def _columns(n_tasks: Mapping[str, int], accuracy: pa.Table, split: str) -> tuple[npt.NDArray[Any], ...]:
    """Position of the trial, evaluated task, task trained last and accuracy of every row that counts."""
    position = pc.index_in(accuracy["trial_id"], value_set=strings(list(n_tasks)))
    # A null is as good as no row: either way the accuracy was not measured.
    measured = pc.and_(pc.is_valid(position), pc.is_valid(accuracy["accuracy"]))
    counts = pc.and_(measured, pc.equal(accuracy["split"], string(split)))
    columns = (position, accuracy["eval_task"], accuracy["after_task"], accuracy["accuracy"])
    trial, task, after, value = (numbers(column.filter(counts)) for column in columns)
    return trial.astype(np.int64), task.astype(np.int64), after.astype(np.int64), value
