"""What a number of seeds can show: the power of the paired t test."""

from __future__ import annotations

import math
from bisect import bisect_left

__all__ = ["POWER", "detectable", "more_seeds"]

POWER = 0.8
"""The chance to find a difference that is there, by which a design is usually judged (Cohen 1988)."""

_MOST_SEEDS = 1_000_000


def detectable(n: int, sd: float = 1.0, *, alpha: float = 0.05, power: float = POWER) -> float | None:
    """The smallest true mean difference that a paired t test over *n* seeds finds with that *power*.

    *sd* is the standard deviation of the differences and the unit of the result, *alpha* the two-sided level
    of the test. t then has a noncentral distribution with n - 1 degrees of freedom and noncentrality
    difference * sqrt(n) / sd (Cohen 1988, chapter 2); that it is significant on the wrong side is neglected.
    None for fewer than two seeds.

    >>> round(detectable(5), 2), round(detectable(20), 2), detectable(1)
    (1.68, 0.66, None)
    """
    if n < 2:
        return None
    # From scipy.special: scipy.stats takes a second to import and uses these very functions.
    from scipy.special import nctdtrinc, stdtrit  # noqa: PLC0415 - SciPy is loaded by who computes power

    critical = stdtrit(n - 1, 1 - alpha / 2)
    return float(nctdtrinc(n - 1, 1 - power, critical)) * sd / math.sqrt(n)


def more_seeds(
    n: int, difference: float, sd: float, *, alpha: float = 0.05, power: float = POWER
) -> int | None:
    """How many seeds beyond *n* are needed to find a true *difference* with that *power*; 0 if none are.

    None if not even a million would do.

    >>> more_seeds(5, 0.02, 0.02)
    5
    """

    def finds(seeds: int) -> bool:
        smallest = detectable(seeds, sd, alpha=alpha, power=power)
        return smallest is not None and smallest <= abs(difference)

    candidates = range(max(n, 2), _MOST_SEEDS)
    position = bisect_left(candidates, True, key=finds)
    return candidates[position] - n if position < len(candidates) else None
