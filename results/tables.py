"""Tables for people and for programs: every function returns one, none prints or writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cl.metrics import METRICS
from cl.metrics import matrix_text as laid_out
from results.layout import (
    NULL,
    STYLES,
    Style,
    csv_text,
    markdown_table,
    numbers,
    plain_table,
    roomiest,
    seeds,
    width_of,
)
from results.notes import footnotes, header, legend
from results.schema import STATUSES, SUMMARY, to_table
from results.summary import CellSummary, mean_matrix

__all__ = ["HEADLINE", "matrix_text", "summary_tables", "to_arrow", "to_csv", "to_markdown"]

HEADLINE = ("acc", "bwt", "fm", "fwt", "intransigence")
"""The metrics of a table unless others are asked for."""


def summary_tables(
    cells: Sequence[CellSummary], *, metrics: Sequence[str] = HEADLINE, width: int = 80
) -> list[Group]:
    """Per scenario its title, table and footnotes, a line per cell, as roomy as *width* columns allow.

    The column n counts complete seeds, as ``4/5`` where seeds failed, diverged or are still to come. A metric
    that is undefined is shown as – and explained in a footnote. The last scenario ends with the legend.
    The mean time of a trial's training has a column where there is room for it.
    """
    if not cells:
        return []
    scenarios = _by_scenario(cells)

    def drawn(style: Style, *, timed: bool = False) -> list[Table]:
        return [_table(members, metrics, style, timed=timed) for members in scenarios.values()]

    style, tables = roomiest(drawn, width)
    if _timed(cells):
        timed_tables = drawn(style, timed=True)
        if max(map(width_of, timed_tables)) <= width:
            tables = timed_tables
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


def _by_scenario(cells: Sequence[CellSummary]) -> dict[str, list[CellSummary]]:
    scenarios: dict[str, list[CellSummary]] = {}
    for cell in cells:
        scenarios.setdefault(cell.scenario_label, []).append(cell)
    return scenarios


def _table(cells: Sequence[CellSummary], metrics: Sequence[str], style: Style, *, timed: bool) -> Table:
    table = plain_table(style.gap)
    table.add_column("method", overflow="fold", min_width=min(12, max(len(cell.label) for cell in cells)))
    table.add_column("n", justify="right", no_wrap=True)
    for name in metrics:
        table.add_column(Text(header(name), justify="right"), no_wrap=True)
    if timed:
        table.add_column("train s", justify="right", no_wrap=True)
    columns = [numbers([cell.metrics.get(name) for cell in cells], style) for name in metrics]
    for cell, *values in zip(cells, *columns, strict=True):
        table.add_row(
            Text(cell.label), seeds(cell.n, cell.planned), *values, *([_seconds(cell)] if timed else [])
        )
    return table


def _timed(cells: Sequence[CellSummary]) -> bool:
    return any(cell.train_s is not None for cell in cells)


def _seconds(cell: CellSummary) -> str:
    return (
        NULL
        if cell.train_s is None
        else f"{cell.train_s:.3g}"
        if cell.train_s < 100
        else f"{cell.train_s:.0f}"
    )


def matrix_text(cell: CellSummary) -> str:
    """The seed-averaged accuracy matrix of a cell; — marks tasks not yet seen.

    Raises:
        ValueError: the cell has no complete seed.
    """
    R, n = mean_matrix(cell)
    title = f"{cell.scenario_label}  {cell.label}"
    over = f"accuracy after each task, mean of {n} seeds" if n > 1 else "accuracy after each task, 1 seed"
    return "\n".join([title, over, laid_out(R)])


def to_markdown(cells: Sequence[CellSummary], *, metrics: Sequence[str] = HEADLINE) -> str:
    """The tables of `summary_tables` as Markdown."""
    scenarios = _by_scenario(cells)
    sections = [_markdown(title, members, metrics) for title, members in scenarios.items()]
    return "\n\n".join([*sections, legend(cells, metrics)]) + "\n" if sections else ""


def _markdown(title: str, cells: Sequence[CellSummary], metrics: Sequence[str]) -> str:
    columns = [numbers([cell.metrics.get(name) for cell in cells], STYLES[0]) for name in metrics]
    lines = [
        [cell.label, seeds(cell.n, cell.planned).plain, *(value.plain.rstrip() for value in values)]
        for cell, *values in zip(cells, *columns, strict=True)
    ]
    heads = ["method", "n", *map(header, metrics)]
    if _timed(cells):
        heads.append("train s")
        lines = [[*line, _seconds(cell)] for line, cell in zip(lines, cells, strict=True)]
    table = markdown_table(heads, lines)
    notes = [f"- {note}" for note in footnotes(cells, metrics)]
    return "\n".join([f"### {title}", "", *table, *([""] if notes else []), *notes])


def to_arrow(cells: Sequence[CellSummary], *, metrics: Sequence[str] = tuple(METRICS)) -> pa.Table:
    """The summary as a table of schema `SUMMARY`: one row per cell and metric."""
    return to_table(SUMMARY, [_summary_row(cell, name) for cell in cells for name in metrics])


def to_csv(cells: Sequence[CellSummary], *, metrics: Sequence[str] = tuple(METRICS)) -> str:
    """`to_arrow` as CSV with a header; an undefined value is an empty field."""
    return csv_text(to_arrow(cells, metrics=metrics))


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
        "train_s": cell.train_s,
    }
