"""Means over seeds and their differences, with intervals. The seed is the unit of replication."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Difference", "Interval", "mean_interval", "paired_difference", "seeds_needed", "welch_difference"]

_MOST_SEEDS = 1_000_000


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


@dataclass(frozen=True)
class Difference:
    """The difference of the means of two independent samples of seeds."""

    first: Interval
    second: Interval
    half_width: float | None
    """None where either sample is of one seed."""

    @property
    def mean(self) -> float:
        """How far the first mean is above the second."""
        return self.first.mean - self.second.mean


def mean_interval(values: Iterable[float], level: float = 0.95) -> Interval:
    """Mean with a Student t interval: mean ± t_{(1+level)/2, n-1} sd / sqrt(n) (Student 1908).

    Sums are rounded once, so the result does not depend on the order of the values.

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
    n, least = len(sample), min(sample)
    # Counted from the least value, equal values have no spread at all, whatever their sum is rounded to.
    mean = least + math.fsum(value - least for value in sample) / n
    if n == 1:
        return Interval(n, mean, None, None, level)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in sample) / (n - 1))
    return Interval(n, mean, sd, _t_quantile(n - 1, (1 + level) / 2) * sd / math.sqrt(n), level)


def paired_difference(
    first: Mapping[int, float], second: Mapping[int, float], level: float = 0.95
) -> Interval:
    """Mean of first - second over the seeds that both have, with its Student t interval.

    Raises:
        ValueError: no shared seed, or as `mean_interval`.

    >>> interval = paired_difference({0: 0.9, 1: 0.8, 7: 0.5}, {0: 0.7, 1: 0.5, 2: 0.6})
    >>> interval.n, round(interval.mean, 4)
    (2, 0.25)
    """
    return mean_interval([first[seed] - second[seed] for seed in first.keys() & second.keys()], level)


def welch_difference(first: Iterable[float], second: Iterable[float], level: float = 0.95) -> Difference:
    """Difference of two means with the interval of Welch (1947), whose variances need not be equal.

    mean_1 - mean_2 ± t_{(1+level)/2, v} sqrt(a_1 + a_2) with a_k = sd_k^2 / n_k and
    v = (a_1 + a_2)^2 / (a_1^2 / (n_1 - 1) + a_2^2 / (n_2 - 1)).

    Raises:
        ValueError: as `mean_interval`.

    >>> difference = welch_difference([0.9, 0.8], [0.7, 0.6])
    >>> round(difference.mean, 4), round(difference.half_width, 4)
    (0.2, 0.3042)
    """
    samples = mean_interval(first, level), mean_interval(second, level)
    return Difference(*samples, _half_width(samples))


def seeds_needed(samples: Sequence[Interval], distance: float) -> int | None:
    """The number of seeds, more than now, at which the half width would first be below *distance*.

    *samples* is one sample (of values or of paired differences) or the two of a `Difference`, and every one
    of them needs that number. Means and standard deviations are taken to stay as they are, so with so many
    seeds the chance to decide is about one half. None if not even a million would do, or if a sample of one
    seed says nothing about spread.
    """

    def decides(n: int) -> bool:
        half_width = _half_width(samples, at_least=n)
        return half_width is not None and half_width < distance

    candidates = range(min(sample.n for sample in samples) + 1, _MOST_SEEDS)
    position = bisect_left(candidates, True, key=decides)
    return candidates[position] if position < len(candidates) else None


def _half_width(samples: Sequence[Interval], *, at_least: int = 0) -> float | None:
    """Welch's, which for one sample is Student's, as if each sample had so many seeds."""
    parts = []
    for sample in samples:
        if sample.sd is None:
            return None
        n = max(sample.n, at_least)
        parts.append((sample.sd**2 / n, n - 1))
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return 0.0
    degrees = 1 / sum((part / variance) ** 2 / freedom for part, freedom in parts)
    return _t_quantile(degrees, (1 + samples[0].level) / 2) * math.sqrt(variance)


@lru_cache
def _t_quantile(degrees: float, probability: float) -> float:
    # Imported here, and from scipy.special: scipy.stats takes a second to import and uses this very function.
    from scipy.special import stdtrit  # noqa: PLC0415

    return float(stdtrit(degrees, probability))
