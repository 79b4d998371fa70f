"""Panels with a named row per line of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.layout import NULL
from results.plots.sheet import characters
from results.plots.style import GREY
from results.plots.words import wrapped
from results.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["WIDEST", "Rows", "bars", "without_value"]

WIDEST = 36
"""Characters of a name in one line."""


@dataclass(frozen=True)
class Rows:
    """The names of rows, the first on top."""

    names: Sequence[str]

    @property
    def texts(self) -> list[str]:
        """The names in short lines."""
        return [wrapped(name, WIDEST) for name in self.names]

    @property
    def left(self) -> float:
        """The inches that they take at the left of a panel."""
        return 0.2 + characters(max(len(line) for text in self.texts for line in text.split("\n")))

    @property
    def height(self) -> float:
        """The inches of a panel in which they do not touch."""
        tallest = max(text.count("\n") + 1 for text in self.texts)
        return len(self.texts) * max(0.23, 0.16 * tallest) + 0.05

    def label(self, axes: Axes, *, shown: bool = True) -> None:
        """Name the rows 0, 1, ... of *axes*, top down."""
        axes.set_yticks(range(len(self.names)), self.texts if shown else [""] * len(self.names), fontsize=8)
        axes.set_ylim(len(self.names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="x", color="#E3E3E3", linewidth=0.6)
        axes.set_axisbelow(True)


def bars(axes: Axes, intervals: Sequence[tuple[float, Interval, str]]) -> None:
    """The intervals across rows, of each its place, itself and its colour; one seed has no bar."""
    ends = [(row, *interval.ends, colour) for row, interval, colour in intervals if interval.ends]
    if not ends:
        return
    rows, lows, highs, colours = zip(*ends, strict=True)
    # All at once: a call for each takes most of the time of a picture.
    axes.hlines(rows, lows, highs, colors=colours, linewidth=1.4)
    axes.scatter([*lows, *highs], [*rows, *rows], s=22, c=[*colours, *colours], marker="|", linewidths=1.2)


def without_value(axes: Axes, row: int) -> None:
    """A – at the left of a row."""
    axes.annotate(NULL, (0.02, row), xycoords=("axes fraction", "data"), va="center", color=GREY)
