"""What a method looks like: the same in all pictures of a run; a shipped method, in those of every run.

A look is a colour, a marker and a dash pattern. The colours are those of Okabe & Ito (2008), with others so
that any two stay apart for people who are colour-blind; markers and dashes do so in a print in grey.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from results.summary import CellSummary

__all__ = [
    "BLACK",
    "BLUE",
    "GREY",
    "METHOD_LOOKS",
    "ORANGE",
    "WHITE",
    "Look",
    "Looks",
    "looks_of",
    "looks_of_methods",
]

BLUE, ORANGE, GREY, BLACK, WHITE = "#0072B2", "#D55E00", "#999999", "#000000", "#FFFFFF"

Dashes: TypeAlias = str | tuple[int, tuple[int, ...]]
"""As matplotlib's ``linestyle``."""

_SOLID: Dashes = "-"
_DASHED: Dashes = (0, (5, 2))
_DASH_DOT: Dashes = (0, (5, 2, 1, 2))
_DOTTED: Dashes = (0, (1, 1))


@dataclass(frozen=True)
class Look:
    """What tells a method from the others in a picture."""

    colour: str
    """As #RRGGBB."""
    marker: str
    """As matplotlib calls it."""
    dashes: Dashes = _SOLID

    @property
    def point(self) -> dict[str, Any]:
        """The keywords with which matplotlib draws its marker; a dark edge keeps a light one visible."""
        stroke = self.marker in "x+"
        return {
            "marker": self.marker,
            "color": self.colour,
            "markeredgecolor": self.colour if stroke else _mixed(self.colour, BLACK, 0.45),
            "markeredgewidth": 1.4 if stroke else 0.6,
        }

    @property
    def line(self) -> dict[str, Any]:
        """The keywords that draw its line, with markers."""
        return {**self.point, "linestyle": self.dashes}


Looks: TypeAlias = Mapping[str, Look]
"""By the label of a cell, and by method."""

METHOD_LOOKS: Looks = {
    "naive": Look("#595959", "x", _DASHED),
    "joint": Look(BLACK, "*"),
    "scratch": Look("#BDBDBD", "+", _DOTTED),
    "ewc": Look(BLUE, "o"),
    "ewc-separate": Look("#7FCDF9", "p", _DASHED),
    "si": Look("#332288", "s", _DASH_DOT),
    "lwf": Look("#CC79A7", "D"),
    "replay": Look(ORANGE, "^"),
    "der": Look("#E69F00", "v", _DASHED),
    "derpp": Look("#661360", "<", _DASH_DOT),
    "gem": Look("#009E73", "P"),
    "agem": Look("#979F59", "X", _DASHED),
    "pnn": Look("#D8CB69", "h"),
    "packnet": Look("#1C6B31", ">", _DASHED),
}
"""The shipped methods."""

# For methods of one's own, in the order in which a run names them.
_SPARE_COLOURS = ("#8C510A", "#0A9396", "#F4A582", "#4D4DFF", "#B2182B", "#A6CEE3")
_SPARE_MARKERS = ("d", "8", "H", "o", "s", "^", "D")
_DASHES = (_SOLID, _DASHED, _DASH_DOT, _DOTTED)
_MARKERS = ("o", "s", "^", "D", "v", "P", "<", "X", ">", "h", "p", "*")
_DARKEST, _LIGHTEST = -0.35, 0.55
"""How much black or white is in the colours of a grid's ends."""


def looks_of(cells: Iterable[CellSummary]) -> Looks:
    """The look of every cell, by its label, and of every method by its name.

    Give all cells of a run, so that a method looks the same in all of its pictures. The cells of a method
    with a grid have tints of its colour, from dark to light, and markers of their own.
    """
    labels: dict[str, dict[str, None]] = {}
    for cell in cells:
        labels.setdefault(cell.method, {})[cell.label] = None
    found = looks_of_methods(labels)
    for method, its in labels.items():
        found |= zip(its, _variants(found[method], len(its)), strict=True)
    return found


def looks_of_methods(methods: Iterable[str]) -> dict[str, Look]:
    """The look of every method; those that do not ship have the spare ones in turn."""
    methods = list(methods)
    others = [method for method in methods if method not in METHOD_LOOKS]
    spare = {method: _spare(place) for place, method in enumerate(others)}
    return {method: METHOD_LOOKS.get(method) or spare[method] for method in methods}


def _spare(place: int) -> Look:
    return Look(
        _SPARE_COLOURS[place % len(_SPARE_COLOURS)],
        _SPARE_MARKERS[place % len(_SPARE_MARKERS)],
        _DASHES[place // len(_SPARE_COLOURS) % len(_DASHES)],
    )


def _variants(look: Look, count: int) -> list[Look]:
    """The looks of *count* cells of one method, from dark to light."""
    if count == 1:
        return [look]
    markers = [look.marker, *(each for each in _MARKERS if each != look.marker)]
    return [
        replace(
            look,
            colour=_tinted(look.colour, _DARKEST + (_LIGHTEST - _DARKEST) * place / (count - 1)),
            marker=markers[place % len(markers)],
            dashes=_DASHES[place % len(_DASHES)],
        )
        for place in range(count)
    ]


def _tinted(colour: str, tint: float) -> str:
    return _mixed(colour, BLACK, -tint) if tint < 0 else _mixed(colour, WHITE, tint)


def _mixed(colour: str, other: str, share: float) -> str:
    """*colour* with that share of *other*."""
    parts = [(int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round((1 - share) * own + share * its):02X}" for own, its in parts)
