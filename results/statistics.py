"""Means over seeds and their differences, with intervals and tests. The seed is the unit of replication."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "BCA_FROM",
    "DECIMALS",
    "LEAST_SD",
    "Difference",
    "Interval",
    "Spread",
    "bca_interval",
    "disagree",
    "holm",
    "mean_interval",
    "paired_difference",
    "seeds_needed",
    "spread",
    "t_test",
    "welch_difference",
]

BCA_FROM = 20
"""Seeds from which on a bootstrap interval is given beside Student's; with fewer it covers far too little."""
DECIMALS = 12
"""Differences beyond these, far below what one test example counts, are the rounding of sums."""
LEAST_SD = 0.01
"""The standard deviation in tests of differences that show none. Accuracies are shares of test examples, and
rounding two of them to whole ones of 41 spreads their difference so much."""

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

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval's lower and upper end; None for n = 1."""
        return None if self.half_width is None else (self.mean - self.half_width, self.mean + self.half_width)


@dataclass(frozen=True)
class Spread:
    """How values lie, whatever their distribution."""

    median: float
    iqm: float
    """Interquartile mean: of what is left without the lowest and the highest quarter of the values, each
    rounded down to whole values (as Agarwal et al. 2021, who trim so)."""
    least: float
    most: float


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


def spread(values: Iterable[float]) -> Spread:
    """Median, interquartile mean, least and greatest of *values*.

    Raises:
        ValueError: no values.

    >>> spread([0.9, 0.1, 0.7, 0.8])
    Spread(median=0.75, iqm=0.75, least=0.1, most=0.9)
    """
    ordered = sorted(map(float, values))
    if not ordered:
        raise ValueError("a spread needs at least one value")
    cut = len(ordered) // 4
    middle = ordered[cut : len(ordered) - cut]
    return Spread(median(ordered), math.fsum(middle) / len(middle), ordered[0], ordered[-1])


def bca_interval(
    values: Iterable[float], level: float = 0.95, *, random: np.random.Generator | None = None
) -> tuple[float, float] | None:
    """The ends of the bias-corrected and accelerated bootstrap interval of the mean (Efron 1987).

    None for fewer than `BCA_FROM` values, for which it covers too little. Without *random* the resamples are
    drawn from a generator that starts afresh each time, so the same values in any order give the same
    interval.
    """
    # Values that only rounding tells apart have no acceleration: it would be 0 / 0.
    sample = sorted(round(float(value), DECIMALS) for value in values)
    if len(sample) < BCA_FROM:
        return None
    if sample[0] == sample[-1]:  # every resample has the same mean
        return sample[0], sample[0]
    import numpy as np  # noqa: PLC0415 - the other statistics need no arrays
    from scipy.stats import bootstrap  # noqa: PLC0415 - takes a second, for those alone who have many seeds

    random = random or np.random.default_rng(0)
    found = bootstrap((sample,), np.mean, n_resamples=9999, confidence_level=level, method="BCa", rng=random)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def disagree(interval: Interval, bca: tuple[float, float]) -> bool:
    """Whether an end of the bootstrap interval is more than a quarter of the half width away from Student's.

    Then the values are skewed enough for the choice of the interval to matter.
    """
    if interval.ends is None or interval.half_width is None:
        return False
    return any(
        abs(one - other) > interval.half_width / 4 for one, other in zip(interval.ends, bca, strict=True)
    )


def t_test(interval: Interval) -> float | None:
    """The two-sided p value of Student's t test that the mean is 0; None for n = 1.

    Of paired differences it is the paired t test. Two or three of those are easily equal by chance, and t
    would be infinite, whatever little they are: it is taken with `LEAST_SD` then, unless the sign test says
    more, of which p is 2^(1-n).

    >>> round(t_test(mean_interval([0.1, 0.2, 0.3])), 4)
    0.0742
    >>> [round(t_test(mean_interval(3 * [difference])), 4) for difference in (0.01, 0.1, 0.0)]
    [0.2254, 0.0033, 1.0]
    """
    if interval.sd is None:
        return None
    if interval.sd == 0:
        if interval.mean == 0:
            return 1.0
        least = t_test(replace(interval, sd=LEAST_SD))
        return None if least is None else min(least, 2.0 ** (1 - interval.n))
    from scipy.special import stdtr  # noqa: PLC0415 - scipy.stats, which is better known, takes a second

    return float(2 * stdtr(interval.n - 1, -abs(interval.mean) / interval.sd * math.sqrt(interval.n)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p values adjusted for their number by Holm's step-down procedure (Holm 1979).

    Rejecting those below a level keeps the chance of any false rejection below it. The family is all of them,
    with those that are None, which stay so: what could not be tested was to be tested.

    >>> holm([0.01, 0.04, None, 0.03])
    [0.04, 0.09, None, 0.09]
    """
    m = len(p_values)
    tested = sorted((p, position) for position, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * m
    largest = 0.0
    for rank, (p, position) in enumerate(tested):
        largest = max(largest, min(1.0, (m - rank) * p))
        adjusted[position] = largest
    return adjusted


def paired_difference(
    first: Mapping[int, float], second: Mapping[int, float], level: float = 0.95
) -> Interval:
    """Mean of first - second over the seeds that both have, with its Student t interval.

    Each difference is rounded to `DECIMALS`, so that equal ones have no spread.

    Raises:
        ValueError: no shared seed, or as `mean_interval`.

    >>> interval = paired_difference({0: 0.9, 1: 0.8, 7: 0.5}, {0: 0.7, 1: 0.5, 2: 0.6})
    >>> interval.n, round(interval.mean, 4)
    (2, 0.25)
    """
    shared = first.keys() & second.keys()
    return mean_interval([round(first[seed] - second[seed], DECIMALS) for seed in shared], level)


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
    from scipy.special import stdtrit  # noqa: PLC0415 - scipy.stats, which uses this very function, takes a second

    return float(stdtrit(degrees, probability))
