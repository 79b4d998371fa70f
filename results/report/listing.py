"""A table as a page shows it: what each place says, and what it is sorted by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from results.layout import NULL, fixed
from results.statistics import Difference, Interval

__all__ = ["Column", "Datum", "Listing", "of_interval", "of_number"]


@dataclass(frozen=True)
class Datum:
    """One place of a table.

    Attributes:
        text: what it says.
        key: what it is sorted by, if not by its text; None sorts last, whichever way.
        spread: what stands small behind the text.
        best: whether it is marked as the best, or as one that cannot be told from it.
        reason: why there is no value, for a pointer that rests on it and for a screen reader.
        link: the anchor that it leads to.
    """

    text: str
    key: float | Literal[""] | None = ""
    spread: str = ""
    best: bool = False
    reason: str = ""
    link: str = ""

    @property
    def attribute(self) -> str | None:
        """What a page says of the key; None where the text says it already."""
        if self.key == "" or self.key is None:
            return None if self.key == "" else ""
        text = f"{self.key:.8g}"
        return None if text == self.text else text


@dataclass(frozen=True)
class Column:
    """The head of a column.

    Attributes:
        head: its name.
        names: whether it has names, which stand to the left, and not numbers.
        falling: whether the first press on its head puts the largest first.
    """

    head: str
    names: bool = False
    falling: bool = True


@dataclass(frozen=True)
class Listing:
    """A titled table that a reader can sort by every column and filter.

    Attributes:
        name: the only one of that name in its page.
        title: what it shows.
        columns: the heads; the first column names the rows.
        rows: a datum per column.
        notes: what stands below it, a line each.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Datum, ...], ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        title: str,
        columns: Sequence[Column],
        rows: Iterable[Sequence[Datum]],
        notes: Iterable[str] = (),
    ) -> Listing:
        """The same from any sequences.

        Raises:
            ValueError: a row has more or fewer data than there are columns.
        """
        whole = tuple(map(tuple, rows))
        if any(len(row) != len(columns) for row in whole):
            raise ValueError(f"{name}: a row has not {len(columns)} columns")
        return cls(name, title, tuple(columns), whole, tuple(notes))


def of_interval(interval: Interval | Difference | None, *, best: bool = False, reason: str = "") -> Datum:
    """A mean with its half width; *reason* says why there is none.

    >>> of_interval(Interval(2, 0.5, 0.1, 0.25)).spread
    '± 0.250'
    """
    if interval is None:
        return Datum(NULL, None, reason=reason)
    spread = "" if interval.half_width is None else f"± {fixed(interval.half_width)}"
    return Datum(fixed(interval.mean), interval.mean, spread, best)


def of_number(value: float | None, text: str | None = None, *, decimals: int = 3) -> Datum:
    """A number, as *text* or with that many decimals.

    >>> of_number(0.25).text, of_number(None).text, of_number(3, "3/5").key
    ('0.250', '–', 3)
    """
    if value is None:
        return Datum(text or NULL, None)
    return Datum(fixed(value, decimals) if text is None else text, value)
