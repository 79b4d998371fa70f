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


def looks(seeds: int) -> list[int]:
    """After how many of *seeds* seeds somebody may leave; after the last one there is nothing to save.

    >>> looks(12), looks(4)
    ([4, 6, 8, 10], [])
    """
    return list(range(FEWEST, seeds, STEP))


def behind(
    scores: Mapping[int, Sequence[float]], *, candidates: int, seeds: int, level: float
) -> dict[int, tuple[int, float]]:
    """Who leaves at this look: its leader and how far it is behind, by candidate.

    A candidate leaves if a one-sided paired t test says that the leader (largest mean, first of equals) is
    better. The tests of all looks against all possible leaders share *level* evenly (Bonferroni), so the
    probability that the truly best candidate ever leaves is at most *level*, whoever leads when: exactly so
    for differences that are normal, each with its own spread. Accuracies are not, as they come in steps, and
    over four seeds many candidates can differ from the leader by the same step each time. So no spread
    counts for less than the median of all that are left.

    Args:
        scores: the scores of those that are left, over the same seeds in the same order.
        candidates: how many began.
        seeds: the most that a candidate can get.
        level: the largest probability to drop the truly best candidate.
    """
    means = {candidate: math.fsum(values) / len(values) for candidate, values in scores.items()}
    leader = min(means, key=lambda candidate: (-means[candidate], candidate))
    share = level / (max(1, len(looks(seeds))) * max(1, candidates - 1))
    n = len(scores[leader])
    # Imported here: it is not needed to draw a table.
    from scipy.special import stdtrit  # noqa: PLC0415

    critical = float(stdtrit(n - 1, 1 - share))
    apart = {
        candidate: [best - own for best, own in zip(scores[leader], values, strict=True)]
        for candidate, values in scores.items()
        if candidate != leader
    }
    distances = {candidate: math.fsum(values) / n for candidate, values in apart.items()}
    spreads = {candidate: _spread(values, distances[candidate]) for candidate, values in apart.items()}
    least = median(spreads.values()) if spreads else 0.0
    return {
        candidate: (leader, distance)
        for candidate, distance in distances.items()
        if distance > critical * max(spreads[candidate], least) / math.sqrt(n)
    }


def _spread(values: Sequence[float], mean: float) -> float:
    """Their standard deviation."""
    return math.sqrt(math.fsum((each - mean) ** 2 for each in values) / (len(values) - 1))
