"""Tables for people and for programs: every function returns one, none prints or writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cl.metrics import matrix_text as laid_out
from results.families import by_scenario
from results.layout import (
    NULL,
    STYLES,
    Style,
    markdown_table,
    numbers,
    plain_table,
    roomiest,
    seconds,
    seeds,
    width_of,
)
from results.notes import footnotes, header, legend
from results.summary import CellSummary, mean_matrix

__all__ = ["HEADLINE", "NOBODY", "Best", "matrix_text", "summary_tables", "to_markdown"]

HEADLINE = ("acc", "bwt", "fm", "fwt", "intransigence")
"""The metrics of a table unless others are asked for."""

Best: TypeAlias = Mapping[tuple[str, str], Collection[str]]
"""The labels to be marked, by scenario and metric."""
NOBODY: Best = MappingProxyType({})


def summary_tables(
    cells: Sequence[CellSummary],
    *,
    metrics: Sequence[str] = HEADLINE,
    best: Best = NOBODY,
    remarks: Sequence[str] = (),
    width: int = 80,
) -> list[Group]:
    """Per scenario its title, table and footnotes, a line per cell, as roomy as *width* columns allow.

    The column n counts complete seeds, as ``4/5`` where seeds failed, diverged or are still to come. A metric
    that is undefined is shown as – and explained in a footnote. A star marks the *best* of a scenario and
    metric, and those that cannot be told from it. The last scenario ends with the legend and *remarks*. The
    mean time of a trial's training has a column where there is room for it.
    """
    if not cells:
        return []
    scenarios = by_scenario(cells)

    def drawn(style: Style, *, timed: bool = False) -> list[Table]:
        return [_table(members, metrics, style, best, timed=timed) for members in scenarios.values()]

    style, tables = roomiest(drawn, width)
    if _timed(cells):
        timed_tables = drawn(style, timed=True)
        if max(map(width_of, timed_tables)) <= width:
            tables = timed_tables
    no_room = "" if style.intervals else "too narrow for intervals; "
    ending = "\n".join([no_room + legend(cells, metrics, intervals=style.intervals), *remarks])
    endings = [*([""] * (len(scenarios) - 1)), ending]
    return [
        Group(
            Text(title, style="bold"),
            table,
            *(Text(note, style="dim") for note in [*footnotes(members, metrics), ending]),
        )
        for (title, members), table, ending in zip(scenarios.items(), tables, endings, strict=True)
    ]


def _table(
    cells: Sequence[CellSummary], metrics: Sequence[str], style: Style, best: Best, *, timed: bool
) -> Table:
    table = plain_table(style.gap)
    table.add_column("method", overflow="fold", min_width=min(12, max(len(cell.label) for cell in cells)))
    table.add_column("n", justify="right", no_wrap=True)
    for name in metrics:
        table.add_column(Text(header(name), justify="right"), no_wrap=True)
    if timed:
        table.add_column("train s", justify="right", no_wrap=True)
    columns = _columns(cells, metrics, style, best)
    for cell, *values in zip(cells, *columns, strict=True):
        table.add_row(
            Text(cell.label), seeds(cell.n, cell.planned), *values, *([_seconds(cell)] if timed else [])
        )
    return table


def _columns(
    cells: Sequence[CellSummary], metrics: Sequence[str], style: Style, best: Best
) -> list[list[Text]]:
    return [
        numbers(
            [cell.metrics.get(name) for cell in cells],
            style,
            [cell.label in best.get((cell.scenario_label, name), ()) for cell in cells],
        )
        for name in metrics
    ]


def _timed(cells: Sequence[CellSummary]) -> bool:
    return any(cell.train_s is not None for cell in cells)


def _seconds(cell: CellSummary) -> str:
    return NULL if cell.train_s is None else seconds(cell.train_s)


def matrix_text(cell: CellSummary) -> str:
    """The seed-averaged accuracy matrix of a cell; — marks tasks not yet seen.

    Raises:
        ValueError: the cell has no complete seed.
    """
    R, n = mean_matrix(cell)
    title = f"{cell.scenario_label}  {cell.label}"
    over = f"accuracy after each task, mean of {n} seeds" if n > 1 else "accuracy after each task, 1 seed"
    return "\n".join([title, over, laid_out(R)])


def to_markdown(
    cells: Sequence[CellSummary],
    *,
    metrics: Sequence[str] = HEADLINE,
    best: Best = NOBODY,
    remarks: Sequence[str] = (),
) -> str:
    """The tables of `summary_tables` as Markdown."""
    scenarios = by_scenario(cells)
    sections = [_markdown(title, members, metrics, best) for title, members in scenarios.items()]
    endings = [legend(cells, metrics), *(remark.replace("*", "\\*") for remark in remarks)]
    return "\n\n".join([*sections, *endings]) + "\n" if sections else ""


def _markdown(title: str, cells: Sequence[CellSummary], metrics: Sequence[str], best: Best) -> str:
    columns = _columns(cells, metrics, STYLES[0], best)
    lines = [
        [
            cell.label,
            seeds(cell.n, cell.planned).plain,
            *(value.plain.rstrip().replace("*", "\\*") for value in values),
        ]
        for cell, *values in zip(cells, *columns, strict=True)
    ]
    heads = ["method", "n", *map(header, metrics)]
    if _timed(cells):
        heads.append("train s")
        lines = [[*line, _seconds(cell)] for line, cell in zip(lines, cells, strict=True)]
    table = markdown_table(heads, lines)
    notes = [f"- {note}" for note in footnotes(cells, metrics)]
    return "\n".join([f"### {title}", "", *table, *([""] if notes else []), *notes])
