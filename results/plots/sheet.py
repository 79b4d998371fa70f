"""A picture as a whole: panels, a title, a legend and lines that say what is drawn; and its files.

Everything is placed by inches. Matplotlib's own layouts look at every text of a figure several times, which
takes as long as drawing it, and a run has hundreds of pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from warnings import catch_warnings, filterwarnings

from results.plots.style import Looks
from results.plots.words import escaped, lines_of, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = ["Panels", "characters", "count_axis", "save", "sheet"]

FORMATS = ("png", "svg")
_TITLE, _NOTE, _ENTRY, _SMALL = 11, 8, 8, 7
_EDGE = 0.12
"""Inches that stay free at every side."""


def characters(count: float, points: float = _ENTRY) -> float:
    """The inches that so many characters take, at most."""
    return count * points * 0.62 / 72


@dataclass(frozen=True)
class Panels:
    """How many panels, how large, and the inches between and around them, where their labels are."""

    rows: int
    columns: int
    width: float
    height: float
    across: float = 0.35
    """Between columns."""
    group: int = 1
    """So many columns belong together; `apart` is added between groups."""
    apart: float = 0.0
    down: float = 0.6
    """Between rows."""
    left: float = 0.62
    right: float = 0.12
    top: float = 0.28
    """For the titles of the first row."""
    bottom: float = 0.5
    """For the labels of the last row."""

    @property
    def inches(self) -> tuple[float, float]:
        """The width and height of all of them."""
        return (
            self._left_of(self.columns - 1) + self.width + self.right,
            self.top + self.rows * self.height + (self.rows - 1) * self.down + self.bottom,
        )

    def corner(self, place: int) -> tuple[float, float]:
        """Where the panel at *place*, row by row, begins, from the left and from the bottom of them all."""
        row, column = divmod(place, self.columns)
        return (
            self._left_of(column),
            self.bottom + (self.rows - 1 - row) * (self.height + self.down),
        )

    def _left_of(self, column: int) -> float:
        return self.left + column * (self.width + self.across) + column // self.group * self.apart


def sheet(
    panels: Panels, count: int, title: str, notes: Iterable[str] = (), legend: Looks | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure with the first *count* of *panels*, below its title and above its legend and notes."""
    # Without pyplot, whose figures live until somebody closes them and which looks for a screen.
    from matplotlib.figure import Figure  # noqa: PLC0415 - a table is shown without matplotlib

    width, height = panels.inches
    width = max(width, 3.6) + 2 * _EDGE
    head = lines_of(title, int(width / characters(1, _TITLE)))
    foot = [line for note in notes if note for line in lines_of(note, int(width / characters(1, _NOTE)))]
    below = _Legend.of(legend or {}, width)
    foot_inches = _EDGE + len(foot) * _NOTE * 1.35 / 72
    head_inches = _EDGE + len(head) * _TITLE * 1.3 / 72
    figure = Figure(figsize=(width, head_inches + height + below.height + foot_inches))
    whole = figure.get_figheight()
    x = _EDGE / width
    figure.text(x, 1 - _EDGE / whole, escaped("\n".join(head)), fontsize=_TITLE, va="top")
    figure.text(x, _EDGE / whole, escaped("\n".join(foot)), fontsize=_NOTE, va="bottom", color="#333333")
    below.draw(figure, foot_inches / whole)
    floor = foot_inches + below.height
    placed = [panels.corner(place) for place in range(count)]
    size = (panels.width / width, panels.height / whole)
    return figure, [
        _plain(figure.add_axes(((left + _EDGE) / width, (bottom + floor) / whole, *size)))
        for left, bottom in placed
    ]


@dataclass(frozen=True)
class _Legend:
    """The looks of all panels, in as many columns as fit."""

    looks: Looks
    names: Sequence[str]
    columns: int
    height: float

    @classmethod
    def of(cls, looks: Looks, width: float) -> _Legend:
        names = [wrapped(name) for name in looks]
        if not names:
            return cls({}, (), 1, 0.0)
        longest = max(len(line) for name in names for line in name.split("\n"))
        most = max(1, min(len(names), int(width / (characters(longest) + 0.6))))
        rows = -(-len(names) // most)
        columns = -(-len(names) // rows)
        # Matplotlib fills column by column; a column is as high as its entries.
        tall = [name.count("\n") + 1 for name in names]
        lines = max(sum(tall[start : start + rows]) for start in range(0, len(names), rows))
        return cls(looks, names, columns, 0.12 + lines * _ENTRY * 1.25 / 72 + rows * 0.045)

    def draw(self, figure: Figure, bottom: float) -> None:
        if not self.names:
            return
        from matplotlib.lines import Line2D  # noqa: PLC0415 - a table is shown without it

        handles = [Line2D([], [], markersize=5, linewidth=1.3, **look.line) for look in self.looks.values()]
        figure.legend(
            handles,
            self.names,
            loc="lower center",
            bbox_to_anchor=(0.5, bottom),
            ncols=self.columns,
            fontsize=_ENTRY,
            frameon=False,
            borderaxespad=0,
            borderpad=0.2,
            labelspacing=0.35,
            handlelength=2.8,
        )


def _plain(axes: Axes) -> Axes:
    """A panel without needless lines, with small letters."""
    axes.tick_params(labelsize=_SMALL, length=2.5)
    axes.spines[["top", "right"]].set_visible(False)
    for text, size in ((axes.xaxis.label, 8), (axes.yaxis.label, 8), (axes.title, 9)):
        text.set_fontsize(size)
    return axes


def count_axis(axis: Axis, count: int, *, first: int = 0, most: int = 8) -> None:
    """Ticks at whole numbers from *first* on, *count* of them or every so many."""
    from matplotlib.ticker import FixedLocator  # noqa: PLC0415 - a table is shown without matplotlib

    # Unlike `set_ticks` this makes no ticks that are not drawn in the end.
    axis.set_major_locator(FixedLocator(range(first, first + count, -(-count // most))))


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write *figure* as PNG and SVG into *folder*, whole or not at all; return the files.

    Raises:
        OSError: they cannot be written.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - a table is shown without matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{ending}" for ending in FORMATS]
    with rc_context({"svg.hashsalt": "clsweep"}), catch_warnings():
        # A name in a script that the font lacks is drawn as boxes.
        filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        for path in paths:
            partial = path.with_name(f".{path.name}.tmp")
            try:
                figure.savefig(partial, format=path.suffix[1:], dpi=150, metadata=_NO_DATE[path.suffix[1:]])
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)
    return paths


# The same results give the same file.
_NO_DATE: Mapping[str, dict[str, str | None]] = {"png": {}, "svg": {"Date": None}}
