"""Means over seeds with intervals. The seed is the unit of replication."""

from __future__ import annotations

import math
import statistics as exact
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Interval", "mean_interval"]


@dataclass(frozen=True)
class Interval:
    """A mean over *n* seeds and the half width of its two-sided interval at *level*."""

    n: int
    mean: float
    sd: float | None
    """Standard deviation (ddof = 1); None for n = 1."""
    half_width: float | None
    """None for n = 1: one seed says nothing about spread."""
    level: float = 0.95


def mean_interval(values: Iterable[float], level: float = 0.95) -> Interval:
    """Mean with a Student t interval: mean ± t_{(1+level)/2, n-1} sd / sqrt(n) (Student 1908).

    Sums are exact, so the result does not depend on the order of the values.

    Raises:
        ValueError: no values, one that is not finite, or a level outside (0, 1).

    >>> interval = mean_interval([0.90, 0.92, 0.94])
    >>> interval.n, round(interval.mean, 4), round(interval.sd, 4), round(interval.half_width, 4)
    (3, 0.92, 0.02, 0.0497)
    >>> mean_interval([0.9]).half_width is None
    True
    """
    sample = [float(value) for value in values]
    if not sample or not all(map(math.isfinite, sample)):
        raise ValueError(f"a mean needs at least one value and only finite ones, got {sample}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    n, mean = len(sample), exact.mean(sample)
    if n == 1:
        return Interval(n, mean, None, None, level)
    sd = exact.stdev(sample)
    return Interval(n, mean, sd, _t_quantile(n - 1, (1 + level) / 2) * sd / math.sqrt(n), level)


@lru_cache
def _t_quantile(degrees: int, probability: float) -> float:
    # Imported here, and from scipy.special: scipy.stats takes a second to import and uses this very function.
    from scipy.special import stdtrit  # noqa: PLC0415

    return float(stdtrit(degrees, probability))
