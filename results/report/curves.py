"""The forgetting curves of one cell as a few lines for a page, which has hundreds of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from results.matrices import Array

__all__ = ["HUES", "Curve", "Curves", "curves_of"]

HUES = 8
"""Colours of lines, from the first task to the last."""

_WIDTH, _HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 10, 14, 30
_MOST_TICKS = 10


@dataclass(frozen=True)
class Curve:
    """A line: its points as SVG has them, what stands at its start, and its colour, below `HUES`."""

    name: str
    points: str
    start: tuple[float, float]
    hue: int


@dataclass(frozen=True)
class Curves:
    """A small picture: lines, and where the marks of its axes are."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    lines: Sequence[Curve]
    average: str
    """The points of the mean over the tasks seen so far."""
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]


def curves_of(R: Array) -> Curves | None:
    """The accuracy of every task from when it was learned on; None for a single task.

    *R* is the mean accuracy matrix ``[T, T]``.
    """
    T = len(R)
    if T < 2:
        return None
    lines = []
    for task in range(T):
        seen = [(after, float(R[task, after])) for after in range(task, T)]
        points = [_place(after, accuracy, T) for after, accuracy in seen if not math.isnan(accuracy)]
        if points:
            hue = round(task / (T - 1) * (HUES - 1))
            lines.append(Curve(str(task), _joined(points), points[0], hue))
    means = [(after, float(R[: after + 1, after].mean())) for after in range(T)]
    average = [_place(after, mean, T) for after, mean in means if not math.isnan(mean)]
    every = -(-T // _MOST_TICKS)
    return Curves(
        _WIDTH,
        _HEIGHT,
        _LEFT,
        _WIDTH - _RIGHT,
        _HEIGHT - _BOTTOM,
        lines,
        _joined(average),
        [(_place(after, 0, T)[0], str(after)) for after in range(0, T, every)],
        [(_place(0, accuracy, T)[1], f"{accuracy:g}") for accuracy in (0, 0.25, 0.5, 0.75, 1)],
    )


def _place(after: int, accuracy: float, T: int) -> tuple[float, float]:
    x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * (after + 0.3) / (T - 0.4)
    y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - accuracy)
    return round(x, 1), round(y, 1)


def _joined(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
