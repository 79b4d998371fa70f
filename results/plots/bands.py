"""Means over seeds with intervals, for whole arrays at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from results.matrices import Array

__all__ = ["Band", "band", "seen_accuracy"]


@dataclass(frozen=True, eq=False)
class Band:
    """The mean over seeds of arrays of one shape, and the half width of Student's t interval."""

    n: int
    mean: Array
    """NaN where any seed has none."""
    half_width: Array | None
    """None for n = 1."""


def band(arrays: Sequence[Array], level: float) -> Band:
    """The mean and interval of every place of *arrays*, one per seed.

    Raises:
        ValueError: there are no arrays.

    >>> found = band([np.array([0.9]), np.array([0.92]), np.array([0.94])], 0.95)
    >>> found.n, found.mean.round(4), found.half_width.round(4)
    (3, array([0.92]), array([0.0497]))
    """
    if not arrays:
        raise ValueError("a mean needs at least one seed")
    stack = np.array(arrays, dtype=np.float64)
    n = len(stack)
    if n == 1:
        return Band(n, stack[0], None)
    from scipy.special import stdtrit  # noqa: PLC0415 - scipy.stats, which is better known, takes a second

    quantile = float(stdtrit(n - 1, (1 + level) / 2))
    return Band(n, stack.mean(axis=0), quantile * stack.std(axis=0, ddof=1) / np.sqrt(n))


def seen_accuracy(R: Array) -> Array:
    """The mean accuracy on the tasks learned so far, after each task: A_j = mean_{i<=j} R[i, j], ``[T]``.

    It ends at ACC. NaN where the accuracy on one of these tasks is missing.

    >>> seen_accuracy(np.array([[1.0, 0.5], [np.nan, 1.0]]))
    array([1.  , 0.75])
    """
    T = len(R)
    seen = np.triu(np.ones((T, T), dtype=bool))
    return np.asarray(np.where(seen, R, 0.0).sum(axis=0) / np.arange(1, T + 1))
