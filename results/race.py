"""A race of configurations over seeds: who is so far behind the leader that it may leave.

The block is the seed: all configurations see the same tasks and batches under one seed, so their scores are
compared in pairs (Friedman-style blocking, as in the races of Maron & Moore 1994 and Birattari et al. 2002).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

__all__ = ["FEWEST", "behind", "looks"]

FEWEST = 4
"""Nobody leaves before so many seeds."""
STEP = 2
"""Seeds from one look to the next: each look costs power, since all of them share the level."""
SHARED = 4
"""For how many seeds more the median spread counts, beside the few that a configuration has."""
FEWEST_RIVALS = 6
"""Of fewer spreads a median says little."""


def looks(seeds: int) -> list[int]:
    """After how many of *seeds* seeds somebody may leave; after the last one there is nothing to save.

    >>> looks(12), looks(4)
    ([4, 6, 8, 10], [])
    """
    return list(range(FEWEST, seeds, STEP))


def behind(
    scores: Mapping[int, Sequence[float]], *, seeds: int, level: float
) -> dict[int, tuple[int, float]]:
    """Who leaves at this look: its leader and how far it is behind, by candidate.

    A candidate leaves if a one-sided paired t test says that the leader (largest mean, first of equals) is
    better. The tests of all looks against all that could lead, since they have not left, share *level* evenly
    (Bonferroni), so that the probability that the truly best candidate ever leaves is at most *level*.

    After four seeds a spread is hardly known, and by accident some are far too small. So each is moderated by
    the median of all, as if that had been seen over `SHARED` seeds more (as in Smyth 2004), which the t
    distribution counts too; but a spread is never taken for smaller than it is, since one configuration may
    well vary more than the others. That the level holds is shown by simulation: tests/test_results_race.py.

    Args:
        scores: the scores of those that are left, over the same seeds in the same order.
        seeds: the most that a candidate can get.
        level: the largest probability to drop the truly best candidate.
    """
    means = {candidate: math.fsum(values) / len(values) for candidate, values in scores.items()}
    leader = min(means, key=lambda candidate: (-means[candidate], candidate))
    apart = {
        candidate: [best - own for best, own in zip(scores[leader], values, strict=True)]
        for candidate, values in scores.items()
        if candidate != leader
    }
    if not apart:
        return {}
    n = len(scores[leader])
    distances = {candidate: math.fsum(values) / n for candidate, values in apart.items()}
    variances = {candidate: _variance(values, distances[candidate]) for candidate, values in apart.items()}
    typical, shared = median(variances.values()), SHARED if len(apart) >= FEWEST_RIVALS else 0
    share = level / (max(1, len(looks(seeds))) * len(apart))
    from scipy.special import stdtrit  # noqa: PLC0415 - a table is drawn without it

    critical = float(stdtrit(n - 1 + shared, 1 - share))
    gone = {}
    for candidate, distance in distances.items():
        own = variances[candidate]
        moderated = (shared * typical + (n - 1) * own) / (shared + n - 1) if shared else typical
        if distance > critical * math.sqrt(max(own, moderated) / n):
            gone[candidate] = (leader, distance)
    return gone


def _variance(values: Sequence[float], mean: float) -> float:
    return math.fsum((each - mean) ** 2 for each in values) / (len(values) - 1)
