"""Performance profiles: methods over all scenarios of a sweep at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from results.across import TAUS, Scores, profile, profile_band
from results.notes import grouped
from results.plots.sheet import Panels, sheet
from results.plots.style import Looks, looks_of_methods
from results.plots.words import LEVEL, escaped, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["performance_profiles", "profile_figure"]


def profile_figure(
    scores: Scores,
    *,
    looks: Looks | None = None,
    random: np.random.Generator | None = None,
    level: float = LEVEL,
) -> Figure:
    """The performance profile of every method of *scores*.

    Raises:
        ValueError: there are no scores.
    """
    if not scores.methods:
        raise ValueError("there are no scores")
    looks = looks or looks_of_methods(scores.methods)
    legend = {method: looks[method] for method in scores.methods}
    title = f"Performance profiles over {len(scores.scenarios)} scenarios"
    figure, (axes,) = sheet(Panels(1, 1, 5.4, 3.2, top=0.1), 1, title, list(_notes(scores, level)), legend)
    performance_profiles(axes, scores, looks=looks, random=random, level=level)
    return figure


def performance_profiles(
    axes: Axes,
    scores: Scores,
    *,
    looks: Looks | None = None,
    random: np.random.Generator | None = None,
    level: float = LEVEL,
) -> Axes:
    """The share of all runs that score above tau, against tau, with pointwise bootstrap bands.

    As in figure 4 of Agarwal et al. 2021: the higher the better, and the area below is about the mean score.
    Without *random* the resamples are drawn from a generator that starts afresh.
    """
    random = random or np.random.default_rng(0)
    looks = looks or looks_of_methods(scores.methods)
    for method, runs in scores.methods.items():
        low, high = profile_band(runs, random, level=level)
        style = {"label": escaped(method), **looks[method].line}
        axes.plot(TAUS, profile(runs), linewidth=1.3, markersize=4, markevery=12, **style)
        axes.fill_between(TAUS, low, high, color=looks[method].colour, alpha=0.14, linewidth=0)
    axes.set(xlim=(TAUS[0], TAUS[-1]), ylim=(-0.02, 1.02))
    axes.set_xlabel("normalised ACC τ (0: guessing, 1: the mean of joint training)")
    axes.set_ylabel("share of runs that score above τ")
    return axes


def _notes(scores: Scores, level: float) -> Iterator[str]:
    counts = {sum(map(len, runs)) for runs in scores.methods.values()}
    n = f"{max(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    yield f"n = {n} runs of each method; bands: pointwise {percent(level)} stratified bootstrap intervals"
    yield from (f"left out: {line}" for line in grouped(scores.left_out))
