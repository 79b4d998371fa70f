"""Pictures made of characters, for a terminal: nothing but text, the same for the same results."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

import numpy as np
import plotext

from cl.metrics import METRICS
from results.families import by_scenario
from results.layout import NULL, fixed
from results.matrices import Array
from results.notes import footnotes
from results.plots.bands import seen_accuracy
from results.plots.curves import memory, shown_tasks
from results.plots.words import lines_of, named, seeds_of
from results.summary import CellSummary
from results.tuned import TunedStudy
from results.tuned_tables import RESPONSES

__all__ = ["curves_text", "metrics_text", "response_text"]

_LEAST = 10
"""Columns that the drawing itself gets at least."""
_LETTERS = ascii_lowercase + ascii_uppercase
_LEVELS = "▁▂▃▄▅▆▇█"


def metrics_text(cells: Sequence[CellSummary], metric: str, width: int = 80) -> str:
    """*metric* in every scenario, a line per cell: its mean, and where it lies with its interval.

    ● is the mean and ├──┤ the interval; one seed has none, and one that is narrower than a character is not
    seen. With ACC, ┊ is the accuracy of guessing, otherwise 0, where that is within the picture.
    """
    parts = ["\n".join(_metric_lines(members, metric, width)) for members in by_scenario(cells).values()]
    origin = "guessing" if metric == "acc" else "0"
    legend = textwrap.wrap(f"●, ├─┤: {seeds_of(cells)}; ┊: {origin}, where it is in the picture", width)
    return "\n\n".join([*parts, "\n".join(legend)]) if parts else ""


def _metric_lines(cells: Sequence[CellSummary], metric: str, width: int) -> Iterator[str]:
    entry = METRICS[metric]
    better = "higher" if entry.higher_is_better else "lower"
    yield from textwrap.wrap(f"{cells[0].scenario_label}: {entry.label}, {better} is better", width)
    known = [cell.metrics[metric] for cell in cells if metric in cell.metrics]
    if known:
        names = _Names([named(cell) for cell in cells], width)
        ends = [end for interval in known for end in interval.ends or (interval.mean,)]
        scale = _Scale(min(ends), max(ends), width - names.width - 10, _origin(cells, metric))
        for cell, label in zip(cells, names.texts, strict=True):
            first, *others = label
            interval = cell.metrics.get(metric)
            number = f"{NULL if interval is None else fixed(interval.mean):>6}"
            drawn = "" if interval is None else scale.bar(interval.mean, interval.half_width or 0.0)
            yield f"{first:<{names.width}}  {number}  {drawn}".rstrip()
            yield from (f"  {other}" for other in others)
        yield " " * (names.width + 10) + scale.ruler
    for note in footnotes(cells, [metric]):
        yield from textwrap.wrap(note, width)


def _origin(cells: Sequence[CellSummary], metric: str) -> float | None:
    """What values are seen against: guessing for ACC, else no difference."""
    if metric != "acc":
        return 0.0
    chances = {cell.chance for cell in cells if cell.chance is not None}
    return chances.pop() if len(chances) == 1 else None


class _Names:
    """Labels in a column of at most a third of the screen, each in one or more lines."""

    def __init__(self, names: Sequence[str], width: int) -> None:
        most = max(_LEAST, width // 3)
        self.texts = [lines_of(name, most) for name in names]
        self.width = max(len(line) for text in self.texts for line in text)


@dataclass(frozen=True)
class _Scale:
    """Columns of characters from one number to another."""

    low: float
    high: float
    room: int
    origin: float | None

    @property
    def columns(self) -> int:
        return max(_LEAST, self.room)

    def place(self, value: float) -> int:
        """The column of a value; in the middle if there is but one."""
        if self.high == self.low:
            return self.columns // 2
        return round((value - self.low) / (self.high - self.low) * (self.columns - 1))

    def bar(self, mean: float, half_width: float) -> str:
        line = [" "] * self.columns
        if self.origin is not None and self.low <= self.origin <= self.high:
            line[self.place(self.origin)] = "┊"
        first, last = self.place(mean - half_width), self.place(mean + half_width)
        if first < last:
            line[first : last + 1] = ["├", *"─" * (last - first - 1), "┤"]
        line[self.place(mean)] = "●"
        return "".join(line)

    @property
    def ruler(self) -> str:
        """The numbers at both ends."""
        if self.high == self.low:
            return fixed(self.low).center(self.columns).rstrip()
        return fixed(self.low) + fixed(self.high).rjust(self.columns - len(fixed(self.low)))


def curves_text(cells: Sequence[CellSummary], width: int = 80, *, height: int = 14) -> str:
    """In every scenario how the accuracy goes while tasks are learned, means over seeds.

    First the mean accuracy on the tasks learned so far against their number, a letter per cell; it ends at
    ACC. Then a line per cell with the accuracy on each task, from the task on at which it is learned; of many
    tasks those that fit, evenly spread.
    """
    parts = []
    for title, members in by_scenario(cells).items():
        complete = [cell for cell in members if cell.n]
        if complete:
            parts.append("\n".join(_curve_lines(title, complete[: len(_LETTERS)], width, height)))
        if len(complete) > len(_LETTERS):
            parts[-1] += f"\nThese are {len(_LETTERS)} of {len(complete)} lines."
    return "\n\n".join(parts)


def _curve_lines(title: str, cells: Sequence[CellSummary], width: int, height: int) -> Iterator[str]:
    means = [np.mean([memory(cell, R) for R in cell.matrices.values()], axis=0) for cell in cells]
    T = len(means[0])
    if T > 1:
        yield from textwrap.wrap(f"{title}: mean accuracy on the tasks learned, against their number", width)
        yield _average_plot(means, width, height)
    names = _Names([f"{letter} {named(cell)}" for letter, cell in zip(_LETTERS, cells, strict=False)], width)
    tasks = shown_tasks(T, max(1, (width - names.width - 1) // (max(T, 7) + 1)))
    column = max(T, len(f"task {tasks[-1]}"))
    scale = f"{_LEVELS[0]} 0 to {_LEVELS[-1]} 1"
    yield from textwrap.wrap(f"{title}: accuracy on a task as tasks are learned, {scale}", width)
    heads = [f"task {task}".ljust(column) for task in tasks]
    yield " ".join([" " * names.width, *heads]).rstrip()
    for mean, (first, *others) in zip(means, names.texts, strict=True):
        curves = [_spark(mean[task, task:]).rjust(T).ljust(column) for task in tasks]
        yield " ".join([first.ljust(names.width), *curves]).rstrip()
        yield from (f"  {other}" for other in others)


def _spark(values: Array) -> str:
    """A block per value, as high as it is between 0 and 1; a point where there is none."""
    highest = len(_LEVELS) - 1
    return "".join(
        "·" if math.isnan(value) else _LEVELS[min(highest, int(value * len(_LEVELS)))] for value in values
    )


def _average_plot(means: Sequence[Array], width: int, height: int) -> str:
    _empty_plot(width, height)
    T = len(means[0])
    for letter, mean in zip(_LETTERS, means, strict=False):
        seen = seen_accuracy(mean)
        points = [(j + 1, value) for j, value in enumerate(seen.tolist()) if not math.isnan(value)]
        if points:
            xs, ys = zip(*points, strict=True)
            plotext.plot(xs, ys, marker=letter)
    plotext.xlim(1, T)
    plotext.xticks(range(1, T + 1, -(-T // 10)))
    return _built()


def response_text(study: TunedStudy, name: str, metric: str, *, width: int = 80, height: int = 13) -> str:
    """*metric* on validation data against a numeric hyperparameter: every configuration with its interval.

    The winner is a W. On a logarithmic axis the numbers are powers of ten.
    """
    searched = study.ranges[name]
    _empty_plot(width, height)
    for each in sorted(study.configurations, key=lambda each: each is study.winner):
        interval = each.interval(metric)
        if interval is None:
            continue
        value = float(each.hyperparameters[name])
        x, half = math.log10(value) if searched.logarithmic else value, interval.half_width or 0.0
        plotext.plot([x, x], [interval.mean - half, interval.mean + half], marker="│")
        plotext.scatter([x], [interval.mean], marker="W" if each is study.winner else "o")
    plotext.xlabel(f"log10 {name}" if searched.logarithmic else name)
    plotext.title(f"{study.scenario}, {study.method}: {RESPONSES[metric]} on validation data")
    return _built()


def _empty_plot(width: int, height: int) -> None:
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.limit_size(False, False)  # to those of the terminal, whatever is asked for
    plotext.plot_size(width, height)


def _built() -> str:
    drawn: str = plotext.uncolorize(plotext.build())
    return "\n".join(line.rstrip() for line in drawn.rstrip().split("\n"))
