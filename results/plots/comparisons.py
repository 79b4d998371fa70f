"""Paired differences between methods, with intervals and what Holm's procedure rejects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cl.metrics import METRICS
from results.comparisons import Pair
from results.families import Family
from results.notes import grouped
from results.plots.rows import WIDEST, Rows, bars, without_value
from results.plots.sheet import Panels, sheet
from results.plots.style import BLUE, WHITE, Look, Looks
from results.plots.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["difference_figure", "paired_differences"]

MOST_ROWS = 33
"""Of one panel; more pairs are shown in several, side by side."""
_PLAIN, _UNDECIDED = Look(BLUE, "o"), Look("#555555", "o")


def difference_figure(family: Family, *, looks: Looks | None = None) -> Figure:
    """Every paired difference of *family*, with its interval, zero and the margin.

    Raises:
        ValueError: the family has no pairs.
    """
    if not family.pairs:
        raise ValueError("the family has no pairs")
    columns = -(-len(family.pairs) // MOST_ROWS)
    rows = -(-len(family.pairs) // columns)
    parts = [family.pairs[start : start + rows] for start in range(0, len(family.pairs), rows)]
    names = Rows([_name(pair) for pair in family.pairs])
    height = max(Rows([_name(pair) for pair in part]).height for part in parts)
    across = names.left + 0.1
    panels = Panels(1, len(parts), 2.6, height, across=across, left=names.left, top=0.1, bottom=0.65)
    title = f"{family.scenario}: paired differences in {METRICS[family.metric].label}"
    figure, axes = sheet(panels, len(parts), title, list(_notes(family)), _winners(family, looks or {}))
    for panel, part in zip(axes, parts, strict=True):
        paired_differences(panel, family, pairs=part, looks=looks)
    low = min(panel.get_xlim()[0] for panel in axes)
    high = max(panel.get_xlim()[1] for panel in axes)
    for panel, part in zip(axes, parts, strict=True):
        panel.set_xlim(low, high)
        panel.set_ylim(max(len(part), rows) - 0.4, -0.6)
    return figure


def paired_differences(
    axes: Axes, family: Family, *, pairs: Sequence[Pair] | None = None, looks: Looks | None = None
) -> Axes:
    """The differences first - second of *pairs* of *family*, or all, a row each, the first on top.

    Those that Holm's procedure rejects over the whole family are filled, in the look of the better method;
    the others are hollow. Differences below the margin are shaded. Without a shared seed a row has a –.
    """
    pairs = family.pairs if pairs is None else pairs
    for row, pair in enumerate(pairs):
        _mark(axes, pair, row, _look(pair, family, looks or {}))
    bars(
        axes,
        [
            (row, pair.difference, _look(pair, family, looks or {}).colour)
            for row, pair in enumerate(pairs)
            if pair.difference
        ],
    )
    axes.axvline(0, color="#333333", linewidth=0.9, zorder=1)
    axes.axvspan(-family.margin, family.margin, color="#E4E4E4", linewidth=0, zorder=0)
    entry = METRICS[family.metric]
    better = "first is better on the right" if entry.higher_is_better else "first is better on the left"
    axes.set_xlabel(f"difference in {entry.label}, first − second\n({better})")
    Rows([_name(pair) for pair in pairs]).label(axes)
    return axes


def _notes(family: Family) -> Iterator[str]:
    counts = [pair.difference.n for pair in family.pairs if pair.difference]
    n = (
        "no"
        if not counts
        else f"{max(counts)}"
        if len(set(counts)) == 1
        else f"{min(counts)} to {max(counts)}"
    )
    yield f"mean and {percent(family.level)} interval (Student t, each by itself), n = {n} shared seeds"
    tests = sum(pair.p is not None for pair in family.pairs)
    yield (
        f"filled, as the better one: rejected by Holm's procedure (paired t tests in the family: {tests}); "
        f"hollow: not rejected; shaded: below {family.margin:g}"
    )
    if family.looks > 1:
        yield f"the seeds came from {family.looks} commands; for looks in between nothing is corrected"
    yield from (f"left out: {line}" for line in grouped(family.left_out))


def _winners(family: Family, looks: Looks) -> Looks:
    """The looks that mark a rejected difference."""
    names = {_ahead(pair, family) for pair in family.pairs if pair.rejected(family.level)}
    return {name: look for name, look in looks.items() if name in names}


def _name(pair: Pair) -> str:
    name = f"{pair.first} − {pair.second}"
    return name if len(name) <= WIDEST else f"{pair.first}\n− {pair.second}"


def _ahead(pair: Pair, family: Family) -> str:
    """The label of the better one of two that differ."""
    assert pair.difference is not None
    first = (pair.difference.mean > 0) == METRICS[family.metric].higher_is_better
    return pair.first if first else pair.second


def _look(pair: Pair, family: Family, looks: Looks) -> Look:
    return looks.get(_ahead(pair, family), _PLAIN) if pair.rejected(family.level) else _UNDECIDED


def _mark(axes: Axes, pair: Pair, row: int, look: Look) -> None:
    if pair.difference is None:
        without_value(axes, row)
        return
    hollow = {"markerfacecolor": WHITE} if look is _UNDECIDED else {}
    axes.plot(pair.difference.mean, row, linestyle="", markersize=5, zorder=3, **look.point | hollow)
