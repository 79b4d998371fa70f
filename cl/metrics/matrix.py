"""The metrics: pure functions of the accuracy matrix.

``R[i, j]`` is the accuracy on task ``i`` after training task ``j`` (0-based, float64 ``[T, T]``), NaN where
it was not measured; ``untrained[i]`` is the accuracy on task ``i`` before any training, written ``R[i, -1]``
in definitions; ``J`` is the matrix of joint training. A metric reads only the cells its definition names.

The definitions are written for stacks of matrices ``[..., T, T]``, which a sweep has by the thousand.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from types import MappingProxyType
from typing import Any, Literal, ParamSpec, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "METRICS",
    "Metric",
    "UndefinedMetric",
    "acc",
    "average_incremental_accuracy",
    "bwt",
    "fm",
    "forgetting",
    "fwt",
    "fwt_gain",
    "intransigence",
    "intransigence_proxy",
    "learning_accuracy",
    "square",
    "worst_task_accuracy",
]

Array: TypeAlias = npt.NDArray[np.float64]
P = ParamSpec("P")

_NAMED_CELLS = 3
"""A message names so many missing cells and counts the rest."""


class UndefinedMetric(Exception):  # noqa: N818 - an outcome of the definition, caught and shown as null
    """The metric has no value for this matrix; the message is the reason."""


def _of_one(definition: Callable[P, Array]) -> Callable[P, float]:
    """A metric of one matrix, from its definition for many."""

    @wraps(definition)
    def metric(*arrays: P.args, **named: P.kwargs) -> float:
        value = definition(*arrays, **named)
        if np.ndim(value):
            raise ValueError(f"one matrix is expected, got {len(value)}")
        return float(value)

    return metric


@_of_one
def acc(R: npt.ArrayLike) -> Array:
    """Average accuracy over all tasks after the last one: mean_i R[i, T-1].

    >>> round(acc([[0.97, 0.94, 0.91], [np.nan, 0.95, 0.93], [np.nan, np.nan, 0.96]]), 4)
    0.9333
    """
    return _mean(_final(square(R)))


@_of_one
def bwt(R: npt.ArrayLike) -> Array:
    """Backward transfer (Lopez-Paz & Ranzato 2017), below 0 if forgotten: mean_{i<T-1} (R[i, T-1] - R[i, i]).

    >>> round(bwt([[0.97, 0.94, 0.91], [np.nan, 0.95, 0.93], [np.nan, np.nan, 0.96]]), 4)
    -0.04
    """
    return -_mean(_drops(square(R)))


@_of_one
def fm(R: npt.ArrayLike) -> Array:
    """Maximum forgetting: max_{i<T-1} (R[i, i] - R[i, T-1]), the worst drop that `bwt` averages away.

    >>> round(fm([[0.97, 0.94, 0.91], [np.nan, 0.95, 0.93], [np.nan, np.nan, 0.96]]), 4)
    0.06
    """
    worst: Array = _drops(square(R)).max(axis=-1)
    return worst


@_of_one
def forgetting(R: npt.ArrayLike) -> Array:
    """Mean drop from the best (Chaudhry et al. 2018): mean_{i<T-1} (max_{i<=j<T-1} R[i, j] - R[i, T-1]).

    >>> round(forgetting([[0.5, 0.9, 0.6], [np.nan, 0.8, 0.7], [np.nan, np.nan, 0.9]]), 4)
    0.2
    """
    R = _several(square(R))
    last = R.shape[-1] - 1
    rows, columns = np.triu_indices(last)
    _present(R, rows, columns)
    final = _present(R, np.arange(last), np.full(last, last))
    best = np.where(np.tri(last, dtype=bool).T, R[..., :last, :last], -np.inf).max(axis=-1)
    return _mean(best - final)


@_of_one
def fwt(R: npt.ArrayLike) -> Array:
    """Zero-shot forward transfer: mean_{i>0} R[i, i-1], the accuracy on a task just before it is trained.

    >>> round(fwt([[0.9, 0.8, 0.7], [0.4, 0.9, 0.8], [0.1, 0.6, 0.9]]), 4)
    0.5
    """
    R = _several(square(R))
    return _mean(_just_before(R))


@_of_one
def fwt_gain(R: npt.ArrayLike, untrained: npt.ArrayLike) -> Array:
    """Transfer beyond the untrained model (Lopez-Paz & Ranzato 2017): mean_{i>0} (R[i, i-1] - R[i, -1]).

    >>> round(fwt_gain([[0.9, 0.8, 0.7], [0.4, 0.9, 0.8], [0.1, 0.6, 0.9]], untrained=[0.5, 0.1, 0.1]), 4)
    0.4
    """
    R = _several(square(R))
    before = np.asarray(untrained, dtype=np.float64)
    tasks = R.shape[-1]
    if before.shape != R.shape[:-1]:
        raise ValueError(
            f"untrained must have one accuracy for each of {tasks} tasks, got shape {before.shape}"
        )
    _present(before[..., None], np.arange(1, tasks), np.full(tasks - 1, -1))
    return _mean(_just_before(R) - before[..., 1:])


@_of_one
def intransigence(R: npt.ArrayLike, J: npt.ArrayLike) -> Array:
    """Inability to learn (Chaudhry et al. 2018): mean_k (J[k, k] - R[k, k]), J joint training's matrix.

    >>> round(intransigence([[0.9, 0.4], [np.nan, 0.7]], J=[[0.9, 0.9], [np.nan, 0.9]]), 4)
    0.1
    """
    R, J = square(R), square(J, "J")
    if R.shape != J.shape:
        raise ValueError(f"R has {R.shape[-1]} tasks and J has {J.shape[-1]}")
    return _mean(_diagonal(J, "J") - _diagonal(R))


@_of_one
def intransigence_proxy(R: npt.ArrayLike) -> Array:
    """The proxy for `intransigence` that needs no reference: 1 - mean_k R[k, k].

    >>> round(intransigence_proxy([[0.97, 0.94, 0.91], [np.nan, 0.95, 0.93], [np.nan, np.nan, 0.96]]), 4)
    0.04
    """
    return 1.0 - _mean(_diagonal(square(R)))


@_of_one
def learning_accuracy(R: npt.ArrayLike) -> Array:
    """Mean accuracy on each task right after training it: mean_k R[k, k].

    >>> round(learning_accuracy([[0.97, 0.94, 0.91], [np.nan, 0.95, 0.93], [np.nan, np.nan, 0.96]]), 4)
    0.96
    """
    return _mean(_diagonal(square(R)))


@_of_one
def average_incremental_accuracy(R: npt.ArrayLike) -> Array:
    """Mean over time of the accuracy on the tasks seen so far: mean_j mean_{i<=j} R[i, j].

    >>> round(average_incremental_accuracy([[1.0, 0.4, 0.3], [np.nan, 0.8, 0.5], [np.nan, np.nan, 1.0]]), 4)
    0.7333
    """
    R = square(R)
    tasks = R.shape[-1]
    _present(R, *np.triu_indices(tasks))
    seen = np.where(np.tri(tasks, dtype=bool).T, R, 0.0)
    return _mean(seen.sum(axis=-2) / np.arange(1, tasks + 1))


@_of_one
def worst_task_accuracy(R: npt.ArrayLike) -> Array:
    """Accuracy on the worst task after the last one: min_i R[i, T-1].

    >>> worst_task_accuracy([[0.97, 0.94, 0.91], [np.nan, 0.95, 0.93], [np.nan, np.nan, 0.96]])
    0.91
    """
    worst: Array = _final(square(R)).min(axis=-1)
    return worst


def _mean(values: Array) -> Array:
    # Row by row as if each were alone, so that a matrix in a stack gets the same bits.
    mean: Array = np.ascontiguousarray(values).mean(axis=-1)
    return mean


def square(matrix: npt.ArrayLike, name: str = "R") -> Array:
    """The matrix, or a stack of them, as an array."""
    array = np.asarray(matrix, dtype=np.float64)
    if array.ndim < 2 or array.shape[-2] != array.shape[-1] or not array.shape[-1]:
        raise ValueError(f"{name} must be a matrix [T, T] of at least one task, got shape {array.shape}")
    return array


def _several(R: Array) -> Array:
    if R.shape[-1] == 1:
        raise UndefinedMetric("needs at least two tasks")
    return R


def _present(R: Array, rows: npt.NDArray[Any], columns: npt.NDArray[Any], name: str = "R") -> Array:
    """The cells at *rows* and *columns*, every one of which the metric needs."""
    cells: Array = R[..., rows, columns]
    if np.isnan(cells).any():
        holes = np.flatnonzero(np.isnan(cells.reshape(-1, len(rows))).any(axis=0))
        named = ", ".join(f"{name}[{rows[k]}, {columns[k]}]" for k in holes[:_NAMED_CELLS])
        more = f" and {len(holes) - _NAMED_CELLS} more" if len(holes) > _NAMED_CELLS else ""
        raise UndefinedMetric(f"{named}{more} {'is' if len(holes) == 1 else 'are'} missing")
    return cells


def _diagonal(R: Array, name: str = "R") -> Array:
    tasks = np.arange(R.shape[-1])
    return _present(R, tasks, tasks, name)


def _final(R: Array) -> Array:
    tasks = R.shape[-1]
    return _present(R, np.arange(tasks), np.full(tasks, tasks - 1))


def _just_before(R: Array) -> Array:
    later = np.arange(1, R.shape[-1])
    return _present(R, later, later - 1)


def _drops(R: Array) -> Array:
    """How far each task but the last falls from right after its training to the end."""
    last = _several(R).shape[-1] - 1
    earlier = np.arange(last)
    return _present(R, earlier, earlier) - _present(R, earlier, np.full(last, last))


@dataclass(frozen=True)
class Metric:
    """What a metric is called, which way is better, how it is defined and computed."""

    label: str
    higher_is_better: bool
    definition: str
    compute: Callable[..., float]
    reads: tuple[Literal["R", "untrained", "J"], ...] = ("R",)
    """The arguments of `compute`, in order."""

    @property
    def of_each(self) -> Callable[..., Array]:
        """`compute` for stacks ``[n, T, T]``: a value per matrix, undefined if it is for any of them."""
        definition: Callable[..., Array] = inspect.unwrap(self.compute)
        return definition


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "acc": Metric("ACC", True, "mean_i R[i, T-1]", acc),
        "bwt": Metric("BWT", True, "mean_{i<T-1} (R[i, T-1] - R[i, i])", bwt),
        "fm": Metric("FM", False, "max_{i<T-1} (R[i, i] - R[i, T-1])", fm),
        "forgetting": Metric(
            "forgetting", False, "mean_{i<T-1} (max_{i<=j<T-1} R[i, j] - R[i, T-1])", forgetting
        ),
        "fwt": Metric("FWT", True, "mean_{i>0} R[i, i-1]", fwt),
        "fwt_gain": Metric(
            "FWT gain", True, "mean_{i>0} (R[i, i-1] - R[i, -1])", fwt_gain, reads=("R", "untrained")
        ),
        "intransigence": Metric(
            "intransigence", False, "mean_k (J[k, k] - R[k, k])", intransigence, reads=("R", "J")
        ),
        "intransigence_proxy": Metric(
            "intransigence proxy", False, "1 - mean_k R[k, k]", intransigence_proxy
        ),
        "learning_accuracy": Metric("learning accuracy", True, "mean_k R[k, k]", learning_accuracy),
        "average_incremental_accuracy": Metric(
            "average incremental accuracy", True, "mean_j mean_{i<=j} R[i, j]", average_incremental_accuracy
        ),
        "worst_task_accuracy": Metric("worst-task accuracy", True, "min_i R[i, T-1]", worst_task_accuracy),
    }
)
"""Every metric by name, in the order of tables."""
