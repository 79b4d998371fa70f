"""Tables for people and for programs: every function returns one, none prints or writes."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from cl.metrics import METRICS
from cl.metrics import matrix_text as laid_out
from results.notes import footnotes, header, legend
from results.schema import STATUSES, SUMMARY, to_table
from results.statistics import Interval
from results.summary import CellSummary, mean_matrix

__all__ = ["HEADLINE", "matrix_text", "summary_tables", "to_arrow", "to_csv", "to_markdown"]

HEADLINE = ("acc", "bwt", "fm", "fwt", "intransigence")
"""The metrics of a table unless others are asked for."""

_NULL = "–"


@dataclass(frozen=True)
class _Style:
    """How wide a table is drawn."""

    plus_minus: str
    zero: str
    """What stands before the point of a half width."""
    gap: int
    """Blanks between columns."""
    intervals: bool = True


# From roomy to tight; a table takes the first that fits.
_STYLES = (
    _Style(" ± ", "0", 2),
    _Style("±", "0", 2),
    _Style("±", "", 2),
    _Style("±", "", 1),
    _Style("", "", 1, intervals=False),
)


def summary_tables(
    cells: Sequence[CellSummary], *, metrics: Sequence[str] = HEADLINE, width: int = 80
) -> list[Group]:
    """Per scenario its title, table and footnotes, a line per cell, as roomy as *width* columns allow.

    The column n counts complete seeds, as ``4/5`` where seeds failed, diverged or are still to come. A metric
    that is undefined is shown as – and explained in a footnote. The last scenario ends with the legend.
    """
    if not cells:
        return []
    scenarios = _by_scenario(cells)
    style, tables = _as_roomy_as_fits(list(scenarios.values()), metrics, width)
    no_room = "" if style.intervals else "too narrow for intervals; "
    endings = [*([""] * (len(scenarios) - 1)), no_room + legend(cells, metrics, intervals=style.intervals)]
    return [
        Group(
            Text(title, style="bold"),
            table,
            *(Text(note, style="dim") for note in [*footnotes(members, metrics), ending]),
        )
        for (title, members), table, ending in zip(scenarios.items(), tables, endings, strict=True)
    ]


def _as_roomy_as_fits(
    scenarios: Sequence[list[CellSummary]], metrics: Sequence[str], width: int
) -> tuple[_Style, list[Table]]:
    """One style for all tables, the first in which they fit, or else the last."""
    for style in _STYLES:
        tables = [_table(members, metrics, style) for members in scenarios]
        if all(_width(table) <= width for table in tables):
            break
    return style, tables


def _by_scenario(cells: Sequence[CellSummary]) -> dict[str, list[CellSummary]]:
    scenarios: dict[str, list[CellSummary]] = {}
    for cell in cells:
        scenarios.setdefault(cell.scenario_label, []).append(cell)
    return scenarios


def _width(table: Table) -> int:
    return Console(width=10_000).measure(table).maximum


def _table(cells: Sequence[CellSummary], metrics: Sequence[str], style: _Style) -> Table:
    table = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, style.gap - 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("method", overflow="fold", min_width=min(12, max(len(cell.label) for cell in cells)))
    table.add_column("n", justify="right", no_wrap=True)
    for name in metrics:
        table.add_column(Text(header(name), justify="right"), no_wrap=True)
    columns = [_numbers([cell.metrics.get(name) for cell in cells], style) for name in metrics]
    for cell, *numbers in zip(cells, *columns, strict=True):
        table.add_row(Text(cell.label), _seeds(cell), *numbers)
    return table


def _seeds(cell: CellSummary) -> Text:
    if cell.n == cell.planned:
        return Text(str(cell.n))
    return Text(f"{cell.n}/{cell.planned}", style="yellow")


def _numbers(intervals: Sequence[Interval | None], style: _Style) -> list[Text]:
    """One column: means under one another, whether they have an interval or not."""
    means = [_NULL if interval is None else _fixed(interval.mean) for interval in intervals]
    spreads = [_spread(interval, style) for interval in intervals]
    left, right = max(map(len, means)), max(map(len, spreads))
    return [
        Text.assemble(f"{mean:>{left}}", (f"{spread:<{right}}", "dim"))
        for mean, spread in zip(means, spreads, strict=True)
    ]


def _spread(interval: Interval | None, style: _Style) -> str:
    if interval is None or interval.half_width is None or not style.intervals:
        return ""
    half_width = _fixed(interval.half_width)
    return style.plus_minus + (style.zero + half_width[1:] if half_width.startswith("0") else half_width)


def _fixed(value: float) -> str:
    """Three decimals, and no minus sign before a rounded zero."""
    return f"{round(value, 3) + 0.0:.3f}"


def matrix_text(cell: CellSummary) -> str:
    """The seed-averaged accuracy matrix of a cell; — marks tasks not yet seen.

    Raises:
        ValueError: the cell has no complete seed.
    """
    R, n = mean_matrix(cell)
    title = f"{cell.scenario_label}  {cell.label}"
    seeds = f"accuracy after each task, mean of {n} seeds" if n > 1 else "accuracy after each task, 1 seed"
    return "\n".join([title, seeds, laid_out(R)])


def to_markdown(cells: Sequence[CellSummary], *, metrics: Sequence[str] = HEADLINE) -> str:
    """The tables of `summary_tables` as Markdown."""
    scenarios = _by_scenario(cells)
    sections = [_markdown(title, members, metrics) for title, members in scenarios.items()]
    return "\n\n".join([*sections, legend(cells, metrics)]) + "\n" if sections else ""


def _markdown(title: str, cells: Sequence[CellSummary], metrics: Sequence[str]) -> str:
    columns = [_numbers([cell.metrics.get(name) for cell in cells], _STYLES[0]) for name in metrics]
    heads = ["method", "n", *map(header, metrics)]
    lines = [
        [cell.label.replace("|", "\\|"), _seeds(cell).plain, *(number.plain.rstrip() for number in numbers)]
        for cell, *numbers in zip(cells, *columns, strict=True)
    ]
    # Two at least: a rule of one character has no room for its colon.
    widths = [max(2, *map(len, column)) for column in zip(heads, *lines, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    table = [_markdown_line(line, widths) for line in [heads, rule, *lines]]
    notes = [f"- {note}" for note in footnotes(cells, metrics)]
    return "\n".join([f"### {title}", "", *table, *([""] if notes else []), *notes])


def _markdown_line(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        text.rjust(width) if position else text.ljust(width)
        for position, (text, width) in enumerate(zip(line, widths, strict=True))
    )
    return "| " + " | ".join([first, *rest]) + " |"


def to_arrow(cells: Sequence[CellSummary], *, metrics: Sequence[str] = tuple(METRICS)) -> pa.Table:
    """The summary as a table of schema `SUMMARY`: one row per cell and metric."""
    return to_table(SUMMARY, [_summary_row(cell, name) for cell in cells for name in metrics])


def to_csv(cells: Sequence[CellSummary], *, metrics: Sequence[str] = tuple(METRICS)) -> str:
    """`to_arrow` as CSV with a header; an undefined value is an empty field."""
    sink = io.BytesIO()
    pa_csv.write_csv(to_arrow(cells, metrics=metrics), sink)
    return sink.getvalue().decode()


def _summary_row(cell: CellSummary, metric: str) -> dict[str, Any]:
    interval = cell.metrics.get(metric)
    statistics = {"n": 0} if interval is None else asdict(interval)
    settings = ("scenario_settings", "hyperparameters", "model", "train")
    names = ("scenario", "kind", "data_digest", "results_version", "method", "scenario_label", "label")
    return {
        **{name: getattr(cell, name) for name in names},
        **{name: json.dumps(getattr(cell, name), sort_keys=True) for name in settings},
        "metric": metric,
        **statistics,
        "reason": cell.reasons.get(metric),
        **{status: len(cell.with_status(status)) for status in STATUSES},
        "missing": len(cell.missing),
    }
