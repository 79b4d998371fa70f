"""Final metrics with intervals, and the single seeds as dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cl.metrics import METRICS
from results.layout import NULL
from results.notes import footnotes
from results.plots.rows import Rows, bars, without_value
from results.plots.sheet import Panels, sheet
from results.plots.style import BLACK, GREY, Look, Looks, looks_of
from results.plots.words import named, seeds_of
from results.summary import CellSummary
from results.sweep import JOINT
from results.tables import HEADLINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["metric_rows", "metrics_figure"]

_CHANCE = "chance"
_LINES: Mapping[str, dict[str, Any]] = {
    _CHANCE: {"color": GREY, "linestyle": ":", "linewidth": 1.2},
    JOINT: {"color": BLACK, "linewidth": 0.7},
}
_SAID = {_CHANCE: "guessing (dotted)", JOINT: f"the mean of {JOINT} (solid)"}


def metrics_figure(
    cells: Sequence[CellSummary], *, metrics: Sequence[str] = HEADLINE, looks: Looks | None = None
) -> Figure:
    """*metrics* of *cells* of one scenario: a panel per metric, a row per cell.

    A metric that no cell has is named below, with the reason, instead of having a panel.

    Raises:
        ValueError: no cell has any of the metrics.
    """
    shown = [name for name in metrics if any(name in cell.metrics for cell in cells)]
    if not shown:
        raise ValueError("no cell has any of the metrics")
    rows = Rows([named(cell) for cell in cells])
    panels = Panels(1, len(shown), 2.1, rows.height, across=0.22, left=rows.left)
    title = f"{cells[0].scenario_label}: final metrics"
    about = f"{seeds_of(cells)}; dots: single seeds; {NULL}: undefined"
    lines = _references(cells) if "acc" in shown else {}
    said = [f"lines at ACC: {', '.join(_SAID[name] for name in lines)}"] if lines else []
    figure, axes = sheet(panels, len(shown), title, [about, *said, *footnotes(cells, metrics)])
    for place, (panel, metric) in enumerate(zip(axes, shown, strict=True)):
        metric_rows(panel, cells, metric, looks=looks)
        rows.label(panel, shown=not place)
    return figure


def metric_rows(axes: Axes, cells: Sequence[CellSummary], metric: str, *, looks: Looks | None = None) -> Axes:
    """*metric* of *cells*, a row each, the first on top: mean, interval, and a dot per seed.

    With ACC, a dotted line is the accuracy of guessing and a solid one the mean of joint training. Where the
    metric is undefined the row has a – at the left.
    """
    looks = looks or looks_of(cells)
    known = [(row, cell) for row, cell in enumerate(cells) if metric in cell.metrics]
    bars(axes, [(row - 0.08, cell.metrics[metric], looks[cell.label].colour) for row, cell in known])
    _draw_seeds(axes, [(row, cell.values[metric], looks[cell.label]) for row, cell in known])
    for row, cell in known:
        look = looks[cell.label]
        axes.plot(cell.metrics[metric].mean, row - 0.08, markersize=5, linestyle="", zorder=3, **look.point)
    for row in set(range(len(cells))) - {row for row, _ in known}:
        without_value(axes, row)
    if metric == "acc":
        for name, value in _references(cells).items():
            axes.axvline(value, label=name, zorder=0.5, **_LINES[name])
    entry = METRICS[metric]
    axes.set_title(entry.label, fontsize=9)
    axes.set_xlabel("higher is better" if entry.higher_is_better else "lower is better")
    Rows([named(cell) for cell in cells]).label(axes)
    return axes


def _draw_seeds(axes: Axes, rows: Sequence[tuple[int, Mapping[int, float], Look]]) -> None:
    points = [(value, row + 0.27, look.colour) for row, values, look in rows for value in values.values()]
    if points:
        xs, ys, colours = zip(*points, strict=True)
        axes.scatter(xs, ys, s=5.5, c=colours, alpha=0.6, linewidths=0)


def _references(cells: Sequence[CellSummary]) -> dict[str, float]:
    """The accuracy of guessing and the mean ACC of joint training, where there is one."""
    chances = {round(cell.chance, 6) for cell in cells if cell.chance is not None}
    tops = [cell.metrics["acc"].mean for cell in cells if cell.method == JOINT and "acc" in cell.metrics]
    found = {_CHANCE: [*chances], JOINT: tops}
    return {name: values[0] for name, values in found.items() if len(values) == 1}
