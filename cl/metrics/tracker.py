"""The tracker: accuracies are recorded one by one as training goes on, and all metrics come out together."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import SupportsFloat, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from cl.metrics.layout import matrix_text
from cl.metrics.matrix import METRICS, UndefinedMetric

__all__ = ["CLMetrics", "CLMetricsTracker"]

Array: TypeAlias = npt.NDArray[np.float64]

_RULE = "=" * 62
_SUMMARISED = {
    "acc": "ACC (avg accuracy, final)",
    "bwt": "BWT (backward transfer)",
    "fwt": "FWT (forward transfer)",
    "fm": "FM (max forgetting)",
    "intransigence_proxy": "Intransigence (proxy)",
    "intransigence": "Intransigence",
}


@dataclass(frozen=True, kw_only=True)
class CLMetrics:
    """The metrics of `METRICS` by name, None where undefined.

    Raises:
        ValueError: a value is not finite; what is undefined is None.
    """

    acc: float | None = None
    bwt: float | None = None
    fm: float | None = None
    forgetting: float | None = None
    fwt: float | None = None
    fwt_gain: float | None = None
    intransigence: float | None = None
    intransigence_proxy: float | None = None
    learning_accuracy: float | None = None
    average_incremental_accuracy: float | None = None
    worst_task_accuracy: float | None = None
    per_task_forgetting: tuple[float | None, ...] = ()
    """R[i, T-1] - R[i, i] of every task i < T-1, below 0 if forgotten; None where a cell is missing."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a metric is undefined."""

    def __post_init__(self) -> None:
        for name in METRICS:
            value = self.value(name)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} must be finite, or None where it is undefined, got {value}")

    def value(self, metric: str) -> float | None:
        """The metric of that name in `METRICS`."""
        value: float | None = getattr(self, metric)
        return value

    def summary(self, name: str) -> str:
        """The main metrics as a text, titled *name*; what is undefined is – with the reason."""
        title = f"  CL METRICS SUMMARY — {name}"
        return "\n".join([_RULE, title, _RULE, *self._lines(), _RULE, *self._task_lines()])

    def _lines(self) -> Iterator[str]:
        for name, text in _SUMMARISED.items():
            value = self.value(name)
            if value is not None:
                yield f"  {text:<26}: {_fixed(value)}{_direction(value) if name == 'bwt' else ''}"
            elif name != "intransigence":  # for those who train no joint model there is the proxy
                yield f"  {text:<26}: – ({self.reasons.get(name, 'not given')})"

    def _task_lines(self) -> Iterator[str]:
        if self.per_task_forgetting:
            yield "  Per-task forgetting:"
            for task, change in enumerate(self.per_task_forgetting):
                yield f"    Task {task}: {'–' if change is None else _fixed(change)}"
            yield _RULE


class CLMetricsTracker:
    """Collects the accuracies of one training run on *n_tasks* tasks and computes its metrics.

    Tasks count from 0; ``after_task=-1`` is the untrained model, which only the FWT gain reads. What was not
    measured, or cannot be (classes that a class-il head has not got yet), is not recorded.

    >>> tracker = CLMetricsTracker(n_tasks=5)
    >>> tracker.record(task_id=0, after_task=0, accuracy=0.97)
    >>> tracker.record(task_id=0, after_task=1, accuracy=0.94)
    >>> tracker.record(task_id=0, after_task=2, accuracy=0.91)
    >>> tracker.record(task_id=1, after_task=1, accuracy=0.95)
    >>> tracker.record(task_id=1, after_task=2, accuracy=0.93)
    >>> tracker.record(task_id=2, after_task=2, accuracy=0.96)
    >>> print(tracker.compute().summary("EWC"))
    ==============================================================
      CL METRICS SUMMARY — EWC
    ==============================================================
      ACC (avg accuracy, final) : 0.9333
      BWT (backward transfer)   : -0.0400 (forgetting)
      FWT (forward transfer)    : – (R[1, 0], R[2, 1] are missing)
      FM (max forgetting)       : 0.0600
      Intransigence (proxy)     : 0.0400
    ==============================================================
      Per-task forgetting:
        Task 0: -0.0600
        Task 1: -0.0200
    ==============================================================
    """

    def __init__(self, n_tasks: int) -> None:
        if operator.index(n_tasks) < 1:
            raise ValueError(f"n_tasks must be at least 1, got {n_tasks}")
        self.n_tasks = operator.index(n_tasks)
        # Column 0 is the untrained model, column j + 1 the model after task j.
        self._cells = np.full((self.n_tasks, self.n_tasks + 1), np.nan)

    @property
    def matrix(self) -> Array:
        """A copy of R, float64 ``[n_tasks, n_tasks]``; NaN where nothing is recorded."""
        return self._cells[:, 1:].copy()

    @property
    def untrained(self) -> Array:
        """A copy of the untrained model's accuracies, float64 ``[n_tasks]``; NaN as in `matrix`."""
        return self._cells[:, 0].copy()

    @property
    def n_learned(self) -> int:
        """How many tasks were learned: one more than the latest *after_task*."""
        learned = np.flatnonzero(~np.isnan(self._cells).all(axis=0))
        return int(learned.max(initial=0))

    def record(self, task_id: SupportsIndex, after_task: SupportsIndex, accuracy: SupportsFloat) -> None:
        """Record the accuracy on *task_id* of the model that has just learned *after_task*.

        Recording the same number again changes nothing, so a resumed loop may repeat itself.

        Raises:
            ValueError: no such task, an accuracy that is no share of 1, or another one recorded before.
        """
        i, j, value = operator.index(task_id), operator.index(after_task), float(accuracy)
        if not 0 <= i < self.n_tasks:
            raise ValueError(f"task_id must lie in 0 to {self.n_tasks - 1}, got {i}")
        if not -1 <= j < self.n_tasks:
            raise ValueError(f"after_task must lie in -1 (untrained) to {self.n_tasks - 1}, got {j}")
        if not 0 <= value <= 1:
            raise ValueError(
                f"accuracy must be a share from 0 to 1, got {value} for task {i} after task {j}; "
                "what was not measured is not recorded"
            )
        before = self._cells[i, j + 1]
        if not np.isnan(before) and before != value:
            raise ValueError(
                f"R[{i}, {j}] is already {before}, and now {value}; a new training run needs a new tracker"
            )
        self._cells[i, j + 1] = value

    def compute(self, joint: npt.ArrayLike | None = None) -> CLMetrics:
        """All metrics over the tasks learned so far: in their definitions T is `n_learned`, not `n_tasks`.

        *joint* is the accuracy matrix of joint training, for the intransigence; as large as this tracker's,
        or at least ``[T, T]``.

        Raises:
            ValueError: nothing is recorded after any task, or *joint* has too few tasks.
        """
        T = self.n_learned
        if T == 0:
            raise ValueError("nothing is recorded yet after any task")
        arrays = {"R": self.matrix[:T, :T], "untrained": self.untrained[:T]}
        if joint is not None:
            arrays["J"] = _learned(joint, T)
        values, reasons = dict[str, float](), dict[str, str]()
        for name, metric in METRICS.items():
            if not arrays.keys() >= set(metric.reads):
                reasons[name] = "needs the matrix of joint training"
                continue
            try:
                values[name] = metric.compute(*(arrays[array] for array in metric.reads))
            except UndefinedMetric as error:
                reasons[name] = str(error)
        return CLMetrics(**values, per_task_forgetting=_changes(arrays["R"]), reasons=reasons)

    def matrix_text(self) -> str:
        """The matrix as a text: — where the task is not learned yet, – where nothing is recorded."""
        return matrix_text(self.matrix)


def _learned(joint: npt.ArrayLike, tasks: int) -> Array:
    J = np.asarray(joint, dtype=np.float64)
    if J.ndim != 2 or min(J.shape) < tasks:
        raise ValueError(f"joint must be a matrix of at least {tasks} tasks, got shape {J.shape}")
    return J[:tasks, :tasks]


def _changes(R: Array) -> tuple[float | None, ...]:
    changes = (R[:, -1] - R.diagonal())[:-1].tolist()
    return tuple(None if math.isnan(change) else change for change in changes)


def _fixed(value: float) -> str:
    """Four decimals, and no minus sign before a rounded zero."""
    return f"{round(value, 4) + 0.0:.4f}"


def _direction(bwt: float) -> str:
    if round(bwt, 4) == 0:
        return " (nothing forgotten)"
    return " (forgetting)" if bwt < 0 else " (improvement)"
