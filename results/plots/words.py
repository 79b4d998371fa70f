"""What pictures say: names, numbers of seeds, levels, and text as matplotlib takes it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from results.summary import CellSummary

__all__ = ["LEVEL", "escaped", "lacking", "level_of", "lines_of", "named", "percent", "seeds_of", "wrapped"]

LEVEL = 0.95
"""Of the intervals, where the cells do not say another one."""
_MOST_LINES = 4


def level_of(cells: Iterable[CellSummary]) -> float:
    """The level of the cells' intervals."""
    return next((interval.level for cell in cells for interval in cell.metrics.values()), LEVEL)


def percent(level: float) -> str:
    """A level for people.

    >>> percent(0.95), percent(0.999)
    ('95 %', '99.9 %')
    """
    return f"{100 * level:g} %"


def seeds_of(cells: Iterable[CellSummary]) -> str:
    """What the means and intervals of these cells are: over how many seeds, and of which level."""
    cells = [cell for cell in cells if cell.n]
    if not cells:
        return "no complete trial"
    least, most = min(cell.n for cell in cells), max(cell.n for cell in cells)
    if most == 1:
        return "n = 1 seed: no interval"
    n = f"{most}" if least == most else f"{least} to {most}"
    return f"mean and {percent(level_of(cells))} interval (Student t), n = {n} seeds"


def named(cell: CellSummary) -> str:
    """The cell's label, with its seeds where some that are planned are not complete."""
    return cell.label if cell.n == cell.planned else f"{cell.label} ({cell.n}/{cell.planned} seeds)"


def lacking(cells: Iterable[CellSummary]) -> str:
    """The cells that are not drawn for want of a complete trial; empty if there are none."""
    labels = [cell.label for cell in cells if not cell.n]
    return f"no complete trial: {', '.join(labels)}" if labels else ""


def wrapped(text: str, width: int = 28) -> str:
    """*text* in lines of that width, a few at most, see `escaped`."""
    return escaped("\n".join(lines_of(text, width)[:_MOST_LINES]))


def lines_of(text: str, width: int) -> Sequence[str]:
    """The lines of *text*, none wider than *width* characters; a class too long goes below its module."""
    words = re.sub(r"\S+", lambda word: _parted(word[0]) if len(word[0]) > width else word[0], text)
    return [line for part in words.split("\n") for line in textwrap.wrap(part, width)]


def _parted(word: str) -> str:
    return word.replace(":", ": ")


def escaped(text: str) -> str:
    r"""*text* as matplotlib shows it: no dollar begins a formula, no first underscore hides it in a legend.

    >>> escaped("a$b$"), escaped("_mine:Method")
    ('a\\$b\\$', ' _mine:Method')
    """
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
