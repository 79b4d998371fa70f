"""Forgetting curves: the accuracy on a task while later ones are learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from results.matrices import Array
from results.plots.bands import band, seen_accuracy
from results.plots.sheet import Panels, count_axis, sheet
from results.plots.style import Looks, looks_of
from results.plots.words import escaped, lacking, level_of, named, seeds_of
from results.summary import CellSummary
from results.transfer import REFERENCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["average_curve", "forgetting_figure", "memory", "shown_tasks", "task_curve"]

MOST_TASKS = 11
"""Panels of single tasks in one picture; of more tasks some are shown, evenly spread."""


def forgetting_figure(
    cells: Sequence[CellSummary], *, tasks: Sequence[int] | None = None, looks: Looks | None = None
) -> Figure:
    """The accuracy on each of *tasks* while tasks are learned, a panel per task, and the mean over all seen.

    *cells* are of one scenario. Without *tasks* all are shown, or `MOST_TASKS` evenly spread.

    Raises:
        ValueError: no cell has a complete trial.
    """
    drawn = [cell for cell in cells if cell.n]
    if not drawn:
        raise ValueError("no cell has a complete trial")
    looks = looks or looks_of(cells)
    T = _count(drawn)
    shown = shown_tasks(T) if tasks is None else tasks
    columns = _columns(len(shown) + 1)
    panels = Panels(-(-(len(shown) + 1) // columns), columns, 2.35, 1.65, across=0.3, down=0.62)
    some = f", {len(shown)} of the {T} tasks" if len(shown) < T else ""
    notes = [seeds_of(drawn), _about_reference(drawn), lacking(cells)]
    title = f"{drawn[0].scenario_label}: accuracy on each task as tasks are learned{some}"
    figure, axes = sheet(panels, len(shown) + 1, title, notes, {named(c): looks[c.label] for c in drawn})
    average_curve(axes[0], drawn, looks=looks).set_title("mean over tasks learned", fontsize=9)
    for panel, task in zip(axes[1:], shown, strict=True):
        task_curve(panel, drawn, task, looks=looks).set_title(f"task {task}", fontsize=9)
    for place, panel in enumerate(axes):
        if place % columns:
            panel.set(ylabel="", yticklabels=[])
        if place + columns < len(axes):
            panel.set_xlabel("")
    return figure


def shown_tasks(T: int, most: int = MOST_TASKS) -> list[int]:
    """All of *T* tasks, or so many of them evenly spread, with the first and the last.

    >>> shown_tasks(3), shown_tasks(50, 4)
    ([0, 1, 2], [0, 16, 33, 49])
    """
    return sorted({round(place) for place in np.linspace(0, T - 1, min(T, most))})


def _columns(panels: int) -> int:
    """Those that leave the fewest places empty; of alike ones the most."""
    return panels if panels < 4 else min((4, 3), key=lambda columns: -panels % columns)


def _count(cells: Iterable[CellSummary]) -> int:
    return max(len(R) for cell in cells for R in cell.matrices.values())


def _about_reference(cells: Iterable[CellSummary]) -> str:
    known = any(cell.method == REFERENCE for cell in cells)
    return f"{REFERENCE} learns each task by itself, with a fresh model: its accuracy then" if known else ""


def task_curve(axes: Axes, cells: Sequence[CellSummary], task: int, *, looks: Looks | None = None) -> Axes:
    """The accuracy on *task* against the number of tasks learned, with the band of its interval, per cell.

    Before the task is learned the line is thin, as far as there is an accuracy; a dotted line is where it is
    learned. A method that trains a fresh model per task keeps the accuracy of that task's model.
    """
    looks = looks or looks_of(cells)
    _draw(axes, cells, lambda R: np.asarray(R[task]), looks, first=task)
    axes.axvline(task + 1, color="#B5B5B5", linewidth=0.8, linestyle=":", zorder=0)
    return _labelled(axes, _count(cells))


def average_curve(axes: Axes, cells: Sequence[CellSummary], *, looks: Looks | None = None) -> Axes:
    """The mean accuracy on the tasks learned so far against their number, with its band; it ends at ACC."""
    looks = looks or looks_of(cells)
    _draw(axes, cells, seen_accuracy, looks)
    return _labelled(axes, _count(cells))


def memory(cell: CellSummary, R: Array) -> Array:
    """R, or for a method of fresh models the accuracy of each task's own model from then on."""
    if cell.method != REFERENCE:
        return R
    own = np.repeat(np.diagonal(R)[:, None], len(R), axis=1)
    return np.where(np.triu(np.ones_like(R)) > 0, own, np.nan)


def _draw(
    axes: Axes, cells: Sequence[CellSummary], curve: Callable[[Array], Array], looks: Looks, *, first: int = 0
) -> None:
    """The mean of a *curve* of the matrices of every cell, from *first* on with its band."""
    areas, before = [], []
    for cell in cells:
        if not cell.n:
            continue
        found = band([curve(memory(cell, R)) for R in cell.matrices.values()], level_of([cell]))
        learned = np.arange(1.0, len(found.mean) + 1)
        look, known = looks[cell.label], np.isfinite(found.mean)
        _line(axes, learned, found.mean, first).set(label=escaped(named(cell)), **look.line)
        if known[:first].any():
            before.append((np.column_stack([learned, found.mean])[: first + 1], look.colour))
        if found.half_width is not None:
            known[:first] = False
            areas.append((_area(learned[known], found.mean[known], found.half_width[known]), look.colour))
    _add(axes, areas, before)


def _line(axes: Axes, learned: Array, mean: Array, first: int) -> Line2D:
    """The line from task *first* on, with markers that do not touch each other."""
    size = 3.5 if len(learned) <= 15 else 2.5
    every = max(1, len(learned) // 12)
    return axes.plot(learned[first:], mean[first:], linewidth=1.2, markersize=size, markevery=every)[0]


def _area(xs: Array, mean: Array, half_width: Array) -> Array:
    """The outline of a band, there and back."""
    ends = np.concatenate([mean - half_width, (mean + half_width)[::-1]])
    return np.column_stack([np.concatenate([xs, xs[::-1]]), ends])


def _add(axes: Axes, areas: Sequence[tuple[Array, str]], thin: Sequence[tuple[Array, str]]) -> None:
    """Bands, and thin lines: those of a panel at once, since every call takes a while."""
    from matplotlib.collections import (  # noqa: PLC0415 - a table is shown without matplotlib
        LineCollection,
        PolyCollection,
    )

    if areas:
        shapes, colours = zip(*areas, strict=True)
        axes.add_collection(PolyCollection(shapes, facecolors=colours, alpha=0.16, linewidths=0))
    if thin:
        shapes, colours = zip(*thin, strict=True)
        axes.add_collection(LineCollection(shapes, colors=colours, alpha=0.6, linewidths=0.5))


def _labelled(axes: Axes, T: int) -> Axes:
    axes.set(xlim=(0.6, T + 0.4), ylim=(-0.03, 1.03), xlabel="tasks learned", ylabel="accuracy")
    count_axis(axes.xaxis, T, first=1)
    return axes
