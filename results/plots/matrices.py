"""Accuracy matrices as heat maps: the mean over seeds, and beside it the half width of its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from results.matrices import Array
from results.plots.bands import Band, band
from results.plots.sheet import Panels, characters, count_axis, sheet
from results.plots.words import lacking, level_of, named, percent, seeds_of, wrapped
from results.summary import CellSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

__all__ = ["accuracy_matrix", "half_width_matrix", "matrix_figure"]

COLOURS = "cividis"
"""Nearly the same to colour-blind people, and ever lighter, so also in a print in grey."""
_LARGEST, _SMALLEST = 7.5, 4.8
"""Points of the numbers in the squares; where they would be smaller there are none."""
_FLAT = 0.01
"""The top of a scale of half widths that all are 0."""
_SIDE = 2.1


def matrix_figure(cells: Sequence[CellSummary]) -> Figure:
    """The accuracy matrices of *cells* of one scenario, of each its mean and half width side by side.

    Cells without a complete trial are named below.

    Raises:
        ValueError: no cell has a complete trial.
    """
    drawn = [cell for cell in cells if cell.n]
    if not drawn:
        raise ValueError("no cell has a complete trial")
    pairs = min(len(drawn), 2 if len(drawn) <= 8 else 3)
    rows = -(-len(drawn) // pairs)
    titles = [wrapped(named(cell), 29) for cell in drawn]
    head = 0.2 + 0.14 * max(title.count("\n") + 1 for title in titles)
    panels = Panels(
        rows, 2 * pairs, _SIDE, _SIDE, across=0.14, group=2, apart=0.5, down=head + 0.15, top=head, bottom=1.0
    )
    figure, axes = sheet(
        panels,
        2 * len(drawn),
        f"{drawn[0].scenario_label}: accuracy matrix",
        [seeds_of(drawn), _hatched(drawn), lacking(cells)],
    )
    top = max(map(_widest, drawn)) or _FLAT
    for cell, title, mean, half in zip(drawn, titles, axes[::2], axes[1::2], strict=True):
        accuracy_matrix(mean, cell).set_title(title, fontsize=8, loc="left")
        half_width_matrix(half, cell, top=top).set(ylabel="", yticks=[])
        half.set_title("half width" if cell.n > 1 else "", fontsize=8, loc="left")
    for panel in axes[: -2 * pairs]:
        panel.set(xlabel="", xticks=[])
    _colour_bars(axes[2 * pairs * (rows - 1) :], top, drawn)
    return figure


def _colour_bars(axes: Sequence[Axes], top: float, cells: Sequence[CellSummary]) -> None:
    """The scales of both kinds, below the first pair of the last row."""
    _colour_bar(axes[0], 1.0, "mean accuracy")
    if any(cell.n > 1 for cell in cells):
        _colour_bar(axes[1], top, f"half width of the {percent(level_of(cells))} interval")


def _hatched(cells: Sequence[CellSummary]) -> str:
    some = any(np.isnan(_band(cell).mean).any() for cell in cells)
    return "hatched: no accuracy, as of a task that has no output yet" if some else ""


def _widest(cell: CellSummary) -> float:
    half_width = _band(cell).half_width
    known = half_width[np.isfinite(half_width)] if half_width is not None else np.array([])
    return float(known.max()) if known.size else 0.0


def _band(cell: CellSummary) -> Band:
    return band(list(cell.matrices.values()), level_of([cell]))


def accuracy_matrix(axes: Axes, cell: CellSummary) -> Axes:
    """The mean accuracy over seeds on every task (down) after every task (across), coloured from 0 to 1.

    White steps divide the tasks learned, above, from those still to come. Hatched: no accuracy.

    Raises:
        ValueError: the cell has no complete trial.
    """
    return _heat_map(axes, _band(cell).mean, 1.0)


def half_width_matrix(axes: Axes, cell: CellSummary, *, top: float | None = None) -> Axes:
    """The half width of the interval of every mean in `accuracy_matrix`, coloured from 0 to *top*.

    One seed has none; the panel says so.

    Raises:
        ValueError: the cell has no complete trial.
    """
    half_width = _band(cell).half_width
    if half_width is None:
        axes.text(
            0.5, 0.5, "n = 1:\nno interval", ha="center", va="center", transform=axes.transAxes, fontsize=8
        )
        axes.set_axis_off()
        return axes
    return _heat_map(axes, half_width, top or _widest(cell) or _FLAT)


def _heat_map(axes: Axes, values: Array, top: float) -> Axes:
    T = len(values)
    if np.isnan(values).any():
        _hatch(axes, T)
    axes.imshow(values, cmap=COLOURS, vmin=0, vmax=top, aspect="auto", interpolation="nearest")
    steps = np.repeat(np.arange(T + 1) - 0.5, 2)
    axes.plot(steps[1:], steps[:-1], color="white", linewidth=1.2)
    axes.set(xlim=(-0.5, T - 0.5), ylim=(T - 0.5, -0.5), xlabel="after task", ylabel="accuracy on task")
    for axis in (axes.xaxis, axes.yaxis):
        count_axis(axis, T, most=10 if T <= 10 else 6)
    axes.spines[:].set_visible(False)
    _write_numbers(axes, values, top)
    return axes


def _hatch(axes: Axes, T: int) -> None:
    """Hatch everything that the image will not cover."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - a table is shown without matplotlib

    # A little smaller than the image, or its edge looks out.
    ground = Rectangle(
        (-0.47, -0.47),
        T - 0.06,
        T - 0.06,
        facecolor="#F4F4F4",
        edgecolor="#B5B5B5",
        hatch="/////",
        linewidth=0,
    )
    axes.add_patch(ground).set_zorder(-1)


def _write_numbers(axes: Axes, values: Array, top: float) -> None:
    """The value in every square, where it can be read there."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    inches = axes.bbox.width / figure.dpi / len(values)
    points = min(_LARGEST, inches / characters(3.4, 1))
    if points < _SMALLEST:
        return
    pieces: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for (i, j), value in np.ndenumerate(values):
        for piece in _pieces(float(value)):
            pieces.setdefault((piece, _ink(float(value) / top)), []).append((j, i))
    for (piece, ink), places in pieces.items():
        outline = _outline(piece)
        # A marker is drawn so large that its farthest point is half its size away.
        size = 2 * points * float(np.abs(outline.vertices).max())
        axes.plot(*zip(*places, strict=True), linestyle="", marker=outline, color=ink, markersize=size, mew=0)


def _pieces(value: float) -> tuple[str, ...]:
    """The number in a square, such as .93: its parts, with blanks for the others; nothing for NaN.

    Thousands of texts one by one take seconds and megabytes. There are few parts, each drawn wherever it is.

    >>> _pieces(0.934), _pieces(1.0)
    (('.9 ', '  3'), ('1.0',))
    """
    if math.isnan(value):
        return ()
    text = f"{value:.2f}"
    return (f"{text[1:3]} ", f"  {text[3]}") if text.startswith("0") else (text[:3],)


@cache
def _outline(piece: str) -> Path:
    """A part of `_pieces` in letters of size 1, the middle of the whole number at the origin."""
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415 - only where something is drawn
    from matplotlib.path import Path  # noqa: PLC0415 - needs NumPy alone, but comes with all of matplotlib
    from matplotlib.textpath import TextPath, text_to_path  # noqa: PLC0415 - the letters of a picture

    size = 100.0  # since the outlines of small letters are rounded to whole units
    font = FontProperties(size=size)
    width, before = (
        text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] for text in (".88", ".8")
    )
    start = before if piece.startswith(" ") else 0.0
    letters = TextPath((start - width / 2, -0.365 * size), piece.strip(), size=size, prop=font)
    return Path(letters.vertices / size, letters.codes)


def _ink(share: float) -> str:
    """What can be read on the colour of a value that is this share of the scale's top."""
    return "black" if share > 0.55 else "white"


def _colour_bar(axes: Axes, top: float, label: str) -> None:
    """The scale of the panel *axes*, below it."""
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415 - a table is shown without matplotlib
    from matplotlib.colors import Normalize  # noqa: PLC0415 - matplotlib is loaded by who draws

    figure = axes.get_figure(root=True)
    assert figure is not None
    place = axes.get_position()
    inch = 1 / figure.get_figheight()
    bar = figure.add_axes((place.x0, place.y0 - 0.64 * inch, 0.86 * place.width, 0.09 * inch))
    scale = ScalarMappable(Normalize(0, top), COLOURS)
    figure.colorbar(scale, cax=bar, orientation="horizontal").outline.set_visible(False)
    bar.locator_params(nbins=4)
    bar.tick_params(labelsize=7, length=2.5)
    bar.set_xlabel(label, fontsize=8)
