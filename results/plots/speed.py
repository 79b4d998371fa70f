"""Learning speed against accuracy: what a method costs, and what it brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.plots.sheet import Panels, sheet
from results.plots.style import GREY, Looks, looks_of
from results.plots.words import escaped, named, seeds_of
from results.summary import CellSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["speed_against_accuracy", "speed_figure", "timed"]


def timed(cells: Sequence[CellSummary]) -> list[CellSummary]:
    """The cells that have both ACC and a training time above 0."""
    return [cell for cell in cells if cell.train_s and "acc" in cell.metrics]


def speed_figure(cells: Sequence[CellSummary], *, looks: Looks | None = None) -> Figure:
    """ACC of *cells* of one scenario against the seconds that a trial trains.

    Raises:
        ValueError: no cell has both.
    """
    drawn = timed(cells)
    if not drawn:
        raise ValueError("no cell has both ACC and a training time")
    looks = looks or looks_of(cells)
    others = ", ".join(cell.label for cell in cells if cell not in drawn)
    notes = [f"{seeds_of(drawn)}; dotted: guessing", others and f"no ACC or no time: {others}"]
    legend = {named(cell): looks[cell.label] for cell in drawn}
    title = f"{drawn[0].scenario_label}: accuracy against training time"
    figure, (axes,) = sheet(Panels(1, 1, 4.6, 3.0, top=0.1), 1, title, notes, legend)
    speed_against_accuracy(axes, drawn, looks=looks)
    return figure


def speed_against_accuracy(axes: Axes, cells: Sequence[CellSummary], *, looks: Looks | None = None) -> Axes:
    """ACC with its interval against the mean seconds of a trial's training, on a logarithmic axis.

    A dotted line is the accuracy of guessing. Cells without a time, see `timed`, are left out.
    """
    looks = looks or looks_of(cells)
    for cell in timed(cells):
        interval, look, seconds = cell.metrics["acc"], looks[cell.label], cell.train_s or 0.0
        if interval.half_width is not None:
            axes.errorbar(
                seconds,
                interval.mean,
                interval.half_width,
                color=look.colour,
                linewidth=1.2,
                capsize=2.5,
            )
        axes.plot(
            seconds, interval.mean, linestyle="", markersize=7, label=escaped(named(cell)), **look.point
        )
    chances = {round(cell.chance, 6) for cell in cells if cell.chance is not None}
    if len(chances) == 1:
        axes.axhline(chances.pop(), color=GREY, linestyle=":", linewidth=1, zorder=0)
    axes.set(xscale="log", xlabel="training time of a trial (s, mean over seeds)", ylabel="ACC")
    _mark_seconds(axes)
    return axes


def _mark_seconds(axes: Axes) -> None:
    """Numbers as they are, since trials take seconds and not powers of ten."""
    from matplotlib.ticker import (  # noqa: PLC0415 - a table is shown without matplotlib
        FuncFormatter,
        LogLocator,
        NullFormatter,
    )

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
