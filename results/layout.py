"""How a table looks on a screen, in Markdown and as CSV: numbers, columns, widths. It knows no metric."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as pa_csv
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table
from rich.text import Span, Text

from results.statistics import Difference, Interval

__all__ = [
    "NULL",
    "STYLES",
    "Style",
    "counted",
    "csv_text",
    "fixed",
    "markdown_table",
    "numbers",
    "p_value",
    "plain_table",
    "roomiest",
    "seconds",
    "seeds",
    "width_of",
]

NULL = "–"


@dataclass(frozen=True)
class Style:
    """How wide a table is drawn."""

    plus_minus: str
    zero: str
    """What stands before the point of a half width."""
    gap: int
    """Blanks between columns."""
    intervals: bool = True
    lead: str = "0"
    """What stands before the point of a mean."""


STYLES = (
    Style(" ± ", "0", 2),
    Style("±", "0", 2),
    Style("±", "", 2),
    Style("±", "", 1),
    Style("±", "", 1, lead=""),
    Style("", "", 1, intervals=False),
)
"""From roomy to tight; a table takes the first that fits."""


def roomiest(draw: Callable[[Style], list[Table]], width: int) -> tuple[Style, list[Table]]:
    """One style for all tables, the first in which *draw* makes them fit, or else the last."""
    for style in STYLES:
        tables = draw(style)
        if all(width_of(table) <= width for table in tables):
            return style, [_in_columns(table) for table in tables]
    return style, tables


def width_of(table: Table) -> int:
    """The columns of a screen that a `plain_table` takes without folding."""
    # Rich also looks for the narrowest, which takes a second for some hundred lines in all styles.
    widths = [
        max(cell_len(line) for text in (column.header, *column.cells) for line in str(text).split("\n"))
        for column in table.columns
    ]
    return sum(widths) + _gap(table) * (len(widths) - 1)


def _in_columns(table: Table) -> Table:
    """A `plain_table` that needs no folding, with one cell per column unless a text has several lines.

    Rich lays out every cell by itself, which takes half a second for some thousands of them.
    """
    columns = [
        [text if isinstance(text, Text) else Text(str(text)) for text in c.cells] for c in table.columns
    ]
    if not table.rows or any("\n" in text.plain for texts in columns for text in texts):
        return table
    whole = plain_table(_gap(table))
    for column in table.columns:
        whole.add_column(
            column.header,
            justify=column.justify,
            vertical=column.vertical,
            min_width=column.min_width,
            no_wrap=True,
        )
    whole.add_row(*(Text("\n").join(texts) for texts in columns))
    return whole


def plain_table(gap: int) -> Table:
    """A table without a frame, *gap* blanks between its columns."""
    return Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, gap - 1, 0, 0), pad_edge=False)


def _gap(table: Table) -> int:
    _, right, _, _ = Padding.unpack(table.padding)
    return right + 1


def numbers(
    intervals: Sequence[Interval | Difference | None], style: Style, marks: Sequence[bool] = ()
) -> list[Text]:
    """One column: means under one another, whether they have an interval or not; a star for *marks*."""
    starred = marks if any(marks) else [False] * len(intervals)
    stars = ["*" if mark else " " if any(marks) else "" for mark in starred]
    means = [NULL if interval is None else _led(fixed(interval.mean), style.lead) for interval in intervals]
    spreads = [star + _spread(interval, style) for star, interval in zip(stars, intervals, strict=True)]
    left, right = max(map(len, means)), max(map(len, spreads))
    dim, bold = Span(left + any(marks), left + right, "dim"), Span(0, left + 1, "bold")
    return [
        Text(f"{mean:>{left}}{spread:<{right}}", spans=[dim, bold] if mark else [dim])
        for mean, spread, mark in zip(means, spreads, starred, strict=True)
    ]


def _spread(interval: Interval | Difference | None, style: Style) -> str:
    if interval is None or interval.half_width is None or not style.intervals:
        return ""
    return style.plus_minus + _led(fixed(interval.half_width), style.zero)


def _led(number: str, zero: str) -> str:
    """The number with *zero* before its point, where a 0 is."""
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    return sign + (zero + digits[1:] if digits.startswith("0.") else digits)


def fixed(value: float, decimals: int = 3) -> str:
    """A number with that many decimals, and no minus sign before a rounded zero; – for NaN.

    >>> fixed(0.25), fixed(-0.0001), fixed(float("nan"))
    ('0.250', '0.000', '–')
    """
    return NULL if math.isnan(value) else f"{round(value, decimals) + 0.0:.{decimals}f}"


def p_value(value: float | None) -> str:
    """A p value with four decimals.

    >>> p_value(0.03125), p_value(1e-9), p_value(None)
    ('0.0312', '<0.0001', '–')
    """
    if value is None:
        return NULL
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def seconds(value: float) -> str:
    """Seconds with three digits.

    >>> seconds(0.01234), seconds(1234.5)
    ('0.0123', '1234')
    """
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def counted(count: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "seed"), counted(3, "more seed")
    ('1 seed', '3 more seeds')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def seeds(complete: int, planned: int) -> Text:
    """The column n: complete seeds, as ``4/5`` where others are planned."""
    return Text(str(complete)) if complete == planned else Text(f"{complete}/{planned}", style="yellow")


def csv_text(table: pa.Table) -> str:
    """The table as CSV with a header; null is an empty field."""
    sink = io.BytesIO()
    pa_csv.write_csv(table, sink)
    return sink.getvalue().decode()


def markdown_table(heads: Sequence[str], lines: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    r"""The lines of a Markdown table whose first *left* columns are text and whose others are numbers.

    >>> print(*markdown_table(["method", "n"], [["a|b", "5"]]), sep="\n")
    | method |  n |
    | ------ | -: |
    | a\|b   |  5 |
    """
    rows = [heads, *([text.replace("|", "\\|") for text in line] for line in lines)]
    # Two at least: a rule of one character has no room for its colon.
    widths = [max(2, *map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * width if i < left else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    return [_markdown_line(row, widths, left) for row in [rows[0], rule, *rows[1:]]]


def _markdown_line(texts: Sequence[str], widths: Sequence[int], left: int) -> str:
    padded = (
        text.ljust(width) if i < left else text.rjust(width)
        for i, (text, width) in enumerate(zip(texts, widths, strict=True))
    )
    return "| " + " | ".join(padded) + " |"
