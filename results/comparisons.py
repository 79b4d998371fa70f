"""Two methods compared seed by seed: the paired difference, its test, and how likely it would be found.

The seed is the unit of replication, and differences are taken seed by seed, since trials of one seed see the
same tasks, initial weights and batches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cl.metrics import METRICS
from results.power import detectable, more_seeds
from results.statistics import DECIMALS, LEAST_SD, Interval, holm, paired_difference, t_test
from results.summary import CellSummary

__all__ = ["Pair", "compared", "hedges_g", "share_better"]


@dataclass(frozen=True)
class Pair:
    """Two cells of a scenario compared in one metric, seed by seed."""

    first: str
    second: str
    """Their labels in tables."""
    difference: Interval | None
    """Of the values of first - second, over the seeds that both have; None without any."""
    g: float | None
    """Effect size, see `hedges_g`."""
    share: float | None
    """On how many of the shared seeds first is better, see `share_better`."""
    p: float | None
    """Of the paired t test, two-sided; None with fewer than two shared seeds."""
    p_holm: float | None
    """The same, corrected for the number of tests in the family."""
    alpha: float
    """The level of the first, strictest step of Holm's procedure."""

    @property
    def sd(self) -> float | None:
        """Of the differences, as `t_test` takes it; None with fewer than two shared seeds."""
        if self.difference is None or self.difference.sd is None:
            return None
        return self.difference.sd or (LEAST_SD if self.difference.mean else 0.0)

    @cached_property  # as `more_seeds` is: a table with stars and without power needs neither
    def detectable(self) -> float | None:
        """The smallest true difference found with a power of 80 % at the level `alpha`."""
        if self.difference is None or self.sd is None:
            return None
        return detectable(self.difference.n, self.sd, alpha=self.alpha)

    @cached_property
    def more_seeds(self) -> int | None:
        """How many more shared seeds would find the observed difference so; None if none would."""
        if self.difference is None or self.sd is None or not self.difference.mean:
            return None
        return more_seeds(self.difference.n, self.difference.mean, self.sd, alpha=self.alpha)

    def rejected(self, level: float) -> bool:
        """Whether the two differ, at the family's *level*."""
        return self.p_holm is not None and self.p_holm < 1 - level


def compared(
    couples: Sequence[tuple[CellSummary, CellSummary]], metric: str, *, level: float = 0.95
) -> tuple[Pair, ...]:
    """The family of *couples*, its p values corrected together."""
    values = [(first.values[metric], second.values[metric]) for first, second in couples]
    differences = [paired_difference(a, b, level) if a.keys() & b.keys() else None for a, b in values]
    p_values = [None if difference is None else t_test(difference) for difference in differences]
    strictest = (1 - level) / max(1, len(couples))
    return tuple(
        Pair(
            first.label,
            second.label,
            difference,
            None if difference is None else hedges_g(difference),
            share_better(a, b, larger=METRICS[metric].higher_is_better),
            p,
            p_holm,
            strictest,
        )
        for (first, second), (a, b), difference, p, p_holm in zip(
            couples, values, differences, p_values, holm(p_values), strict=True
        )
    )


def hedges_g(difference: Interval) -> float | None:
    """The mean of paired differences in their standard deviations, without the bias of small samples.

    g = J(n - 1) mean / sd with J(m) = gamma(m/2) / (sqrt(m/2) gamma((m-1)/2)) (Hedges 1981, equation 6e), an
    unbiased estimate for normal differences. None for fewer than three seeds, of which J is undefined or 0,
    and where the differences do not vary.

    >>> from results.statistics import mean_interval
    >>> round(hedges_g(mean_interval([0.1, 0.2, 0.3])), 4)
    1.1284
    """
    if not difference.sd or difference.n < 3:
        return None
    from scipy.special import gammaln  # noqa: PLC0415 - SciPy is loaded by who has effect sizes

    m = difference.n - 1
    J = math.exp(gammaln(m / 2) - gammaln((m - 1) / 2)) / math.sqrt(m / 2)
    return float(J * difference.mean / difference.sd)


def share_better(
    first: Mapping[int, float], second: Mapping[int, float], *, larger: bool = True
) -> float | None:
    """P(A > B): the share of shared seeds on which first is better than second, ties counted half.

    What differs by less than `DECIMALS` is a tie.

    The probability of outperforming of Bouthillier et al. 2021. None without a shared seed.

    >>> share_better({0: 0.9, 1: 0.8, 2: 0.5}, {0: 0.7, 1: 0.8, 2: 0.6})
    0.5
    """
    shared = first.keys() & second.keys()
    if not shared:
        return None
    sign = 1 if larger else -1
    gains = [sign * round(first[seed] - second[seed], DECIMALS) for seed in shared]
    return sum(1.0 if gain > 0 else 0.5 if gain == 0 else 0.0 for gain in gains) / len(gains)
