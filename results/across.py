"""Methods over all scenarios of a sweep at once, as Agarwal et al. 2021 compare algorithms over tasks.

Accuracies of different scenarios are made comparable first: 0 is guessing and 1 the mean of joint training,
which is taken as given. What is resampled for intervals is seeds within scenarios (stratified bootstrap), so
intervals say how sure the numbers are about these scenarios, not about others.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from results.families import by_scenario, contenders
from results.summary import CellSummary

__all__ = [
    "RESAMPLES",
    "TAUS",
    "Estimate",
    "Scores",
    "improvement",
    "improvement_interval",
    "iqm",
    "iqm_interval",
    "normalised",
    "profile",
    "profile_band",
]

Array: TypeAlias = npt.NDArray[np.float64]

RESAMPLES = 2000
"""Resamples of a bootstrap interval."""
TAUS: Array = np.linspace(-0.1, 1.1, 121)
"""The scores at which a performance profile is drawn; those below guessing and above joint training occur."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Chance-normalised final accuracies of methods that all were run in the same scenarios."""

    scenarios: tuple[str, ...]
    methods: Mapping[str, tuple[Array, ...]]
    """By method, and by scenario in the order of `scenarios`: a score per complete seed."""
    left_out: Mapping[str, str]
    """Why scenarios and methods are not among them, by name."""


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its percentile bootstrap interval."""

    value: float
    low: float
    high: float
    """NaN, both of them, where a scenario has one run alone."""

    @property
    def reverse(self) -> Estimate:
        """Of a probability, that of the opposite."""
        return Estimate(1 - self.value, 1 - self.high, 1 - self.low)


def normalised(
    cells: Sequence[CellSummary], *, reference: str = "joint", named: Collection[str] = ()
) -> Scores:
    """The scores (ACC - chance) / (mean ACC of *reference* - chance) of every contender, see `contenders`.

    A scenario counts in which the reference and chance are known and apart, a method that has complete seeds
    in all of those.
    """
    left_out: dict[str, str] = {}
    by_method: dict[str, dict[str, Array]] = {}
    scenarios: list[str] = []
    for title, members in by_scenario(cells).items():
        scale = _scale(members, reference)
        if isinstance(scale, str):
            left_out[title] = scale
            continue
        scenarios.append(title)
        taking, unchosen = contenders(members, named=named)
        left_out |= unchosen
        several = Counter(cell.method for cell in taking)
        for cell in taking:
            chance, top = scale
            scores = by_method.setdefault(cell.label if several[cell.method] > 1 else cell.method, {})
            if values := list(cell.values["acc"].values()):
                scores[title] = (np.array(values) - chance) / (top - chance)
    methods = {}
    for method, scores in by_method.items():
        lacking = [title for title in scenarios if title not in scores]
        if lacking:
            left_out.setdefault(method, f"no scores in {', '.join(lacking)}")
        else:
            methods[method] = tuple(scores[title] for title in scenarios)
    return Scores(tuple(scenarios), methods, left_out)


def _scale(cells: Sequence[CellSummary], reference: str) -> tuple[float, float] | str:
    """The accuracies that score 0 and 1 in a scenario, or why there are none."""
    tops = [cell for cell in cells if cell.method == reference and cell.values["acc"]]
    if len(tops) != 1:
        return f"{'no' if not tops else 'several cells of'} complete {reference}, which would score 1"
    chance = tops[0].chance
    if chance is None:
        return "its rows do not say the accuracy of guessing"
    top = float(np.mean(list(tops[0].values["acc"].values())))
    if top <= chance:
        return f"{reference} is not better than guessing"
    return chance, top


def iqm(scores: Sequence[Array]) -> float:
    """The interquartile mean of all runs of all scenarios (Agarwal et al. 2021, section 4.3).

    The quarter of the runs with the lowest and that with the highest scores, rounded down, do not enter.

    >>> iqm([np.array([0.0, 1.0]), np.array([0.25, 0.5])])
    0.375
    """
    return float(_iqm(np.concatenate(scores)[None])[0])


def _iqm(runs: Array) -> Array:
    """Of every row of ``[resamples, runs]``."""
    ordered = np.sort(runs, axis=1)
    cut = runs.shape[1] // 4
    return np.asarray(ordered[:, cut : runs.shape[1] - cut].mean(axis=1))


def iqm_interval(
    scores: Sequence[Array], random: np.random.Generator, *, level: float = 0.95, resamples: int = RESAMPLES
) -> Estimate:
    """`iqm` with its stratified bootstrap interval."""
    if _is_single(scores):
        return Estimate(iqm(scores), math.nan, math.nan)
    drawn = np.concatenate(_resampled(scores, random, resamples), axis=1)
    return _estimate(iqm(scores), _iqm(drawn), level)


def improvement(first: Sequence[Array], second: Sequence[Array]) -> float:
    """The probability that *first* scores higher than *second*, mean over scenarios (ibid., section 4.3).

    In a scenario the share of all pairs of runs in which it does, ties counted half (Mann & Whitney 1947).

    >>> improvement([np.array([0.9, 0.5])], [np.array([0.5, 0.4])])
    0.875
    """
    return float(_improvement([x[None] for x in first], [y[None] for y in second])[0])


def _improvement(first: Sequence[Array], second: Sequence[Array]) -> Array:
    """Of every resample; arrays by scenario ``[resamples, runs]``."""
    shares = []
    for x, y in zip(first, second, strict=True):
        above = (x[:, :, None] > y[:, None, :]).mean(axis=(1, 2))
        ties = (x[:, :, None] == y[:, None, :]).mean(axis=(1, 2))
        shares.append(above + ties / 2)
    return np.asarray(np.mean(shares, axis=0))


def improvement_interval(
    first: Sequence[Array],
    second: Sequence[Array],
    random: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """`improvement` with its stratified bootstrap interval; the runs of the two are drawn independently."""
    if _is_single([*first, *second]):
        return Estimate(improvement(first, second), math.nan, math.nan)
    drawn = _improvement(_resampled(first, random, resamples), _resampled(second, random, resamples))
    return _estimate(improvement(first, second), drawn, level)


def profile(scores: Sequence[Array], taus: Array = TAUS) -> Array:
    """The share of all runs that score above each of *taus* (ibid., section 4.2), ``[len(taus)]``.

    >>> profile([np.array([0.2, 0.8])], np.array([0.0, 0.5, 0.9]))
    array([1. , 0.5, 0. ])
    """
    return np.asarray((np.concatenate(scores)[:, None] > taus).mean(axis=0))


def profile_band(
    scores: Sequence[Array],
    random: np.random.Generator,
    taus: Array = TAUS,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> tuple[Array, Array]:
    """The lower and upper ends of pointwise bootstrap intervals of `profile`; NaN as those of `Estimate`."""
    if _is_single(scores):
        return np.full(len(taus), np.nan), np.full(len(taus), np.nan)
    runs = np.sort(np.concatenate(_resampled(scores, random, resamples), axis=1), axis=1)
    above = np.array([1 - np.searchsorted(row, taus, side="right") / len(row) for row in runs])
    low, high = np.quantile(above, _tails(level), axis=0)
    return low, high


def _is_single(scores: Sequence[Array]) -> bool:
    """Whether a scenario has one run alone: drawn again and again it would give an interval without width."""
    return any(len(runs) < 2 for runs in scores)


def _resampled(scores: Sequence[Array], random: np.random.Generator, resamples: int) -> list[Array]:
    """Of every scenario its runs, drawn with replacement ``[resamples, runs]``."""
    return [runs[random.integers(len(runs), size=(resamples, len(runs)))] for runs in scores]


def _estimate(value: float, drawn: Array, level: float) -> Estimate:
    low, high = np.quantile(drawn, _tails(level))
    return Estimate(value, float(low), float(high))


def _tails(level: float) -> tuple[float, float]:
    return (1 - level) / 2, (1 + level) / 2
