"""What tasks cost and what methods say of themselves: a line per cell to compare, then a table per cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, zip_longest
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Group
from rich.table import Table
from rich.text import Text

from results.layout import NULL, Style, fixed, numbers, plain_table, roomiest, seeds, width_of
from results.records import Records
from results.schema import DIAGNOSTICS, TASKS

__all__ = ["cost_tables", "task_tables"]

_COST = ("train_s", "steps", "examples", "passes")
_COLUMNS = dict.fromkeys(
    ("learned", "fisher_nonzero_share", *_COST, "parameters", *(field.name for field in DIAGNOSTICS))
)
"""In the order in which they stand: what is left to learn with beside what was learned."""
_HEADS = {
    "fisher_nonzero_share": "Fisher\n> 0",
    "train_s": "seconds",
    "memory_by_task": "memory\nby task",
    "memory_bytes": "memory",
    "gem_violations": "projected\nsteps",
    "gem_projection_norm": "projection\nnorm",
    "trainable_parameters": "trainable",
    "frozen_parameters": "frozen",
}
_COST_LEGEND = (
    "training seconds, steps, examples and passes of gradients: sums over tasks; parameters: after the last "
    "task; memory: the most held for later tasks; means over n seeds"
)
_UNITS = ("B", "kB", "MB", "GB", "TB")


def cost_tables(found: Sequence[Records], *, width: int = 80) -> list[Group]:
    """Per scenario its title and a line per cell: what a trial of it costs, beside its ACC."""
    by_scenario = groupby(found, key=lambda record: record.cell.scenario_label)
    scenarios = {title: list(members) for title, members in by_scenario}
    _, tables = roomiest(lambda style: [_costs(members, style) for members in scenarios.values()], width)
    return [
        Group(Text(f"{title}: cost", style="bold"), table, Text(_COST_LEGEND, style="dim"))
        for title, table in zip(scenarios, tables, strict=True)
    ]


def task_tables(found: Sequence[Records], *, width: int = 80) -> list[Group]:
    """Per cell with a complete trial a line per task, mean over seeds.

    Columns without any value are left out. Those that do not fit beside the others stand below them.
    """
    return [
        Group(
            Text(f"{record.cell.scenario_label}  {record.cell.label}", style="bold"),
            Text("by task, " + ("1 seed" if record.cell.n == 1 else f"mean of {record.cell.n} seeds")),
            *_side_by_side(_columns(record), width),
        )
        for record in found
        if record.cell.n
    ]


def _costs(found: Sequence[Records], style: Style) -> Table:
    table = plain_table(style.gap)
    longest = max(len(record.cell.label) for record in found)
    table.add_column("method", overflow="fold", min_width=min(12, longest))
    for head in ("n", "ACC", "seconds", "steps", "examples", "passes", "parameters", "memory"):
        table.add_column(Text(head, justify="right"), justify="right", no_wrap=True)
    accs = numbers([record.cell.metrics.get("acc") for record in found], style)
    for record, acc in zip(found, accs, strict=True):
        cell, costs = record.cell, _cost(record)
        table.add_row(Text(cell.label), seeds(cell.n, cell.planned), acc, *costs)
    return table


def _cost(record: Records) -> list[str]:
    """What a trial costs, in the mean over seeds."""
    trials = [rows for rows in record.tasks.values() if rows]
    whole: dict[str, Callable[[Iterable[Any]], Any]] = {
        **dict.fromkeys(_COST, sum),
        "parameters": lambda values: list(values)[-1],
        "memory_bytes": max,
    }
    return [
        _text(name, _mean([_known(of, [row[name] for row in rows]) for rows in trials]))
        for name, of in whole.items()
    ]


def _known(of: Callable[[Iterable[Any]], Any], values: Sequence[Any]) -> Any:
    return None if None in values else of(values)


def _columns(record: Records) -> dict[str, list[str]]:
    """The columns that have a value, by their heads: a text per task."""
    by_task: dict[int, list[dict[str, Any]]] = {}
    names = dict(_COLUMNS)
    for seed, rows in record.tasks.items():
        for row in rows:
            task, other = row["task"], dict(row["other"] or ())
            learned = record.cell.matrices[seed][task, task]
            names.update(dict.fromkeys(other))
            by_task.setdefault(task, []).append({**row, **other, "learned": learned})
    columns = {"task": [str(task) for task in sorted(by_task)]}
    for name in names:
        means = [_mean([row.get(name) for row in by_task[task]]) for task in sorted(by_task)]
        if any(mean is not None for mean in means):
            columns[_HEADS.get(name, name.replace("_", "\n"))] = [_text(name, mean) for mean in means]
    return columns


def _mean(values: Sequence[Any]) -> Any:
    """The mean of those that are known, element by element if they are lists; None if none is."""
    known = [value for value in values if value is not None]
    if known and isinstance(known[0], list):
        return [_mean(elements) for elements in zip_longest(*known)]
    return float(np.mean(known)) if known else None


def _text(name: str, value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, list):
        return " ".join(f"{count:.0f}" for count in value)
    if name.endswith("_bytes"):
        return _size(value)
    if name == "train_s":
        return fixed(value, 2 if value < 10 else 1 if value < 100 else 0)
    if name in TASKS.names and pa.types.is_integer(TASKS.field(name).type):
        return f"{value:,.0f}"
    return fixed(value) if name in _COLUMNS else f"{value:.4g}"


def _size(bytes_: float) -> str:
    """Bytes with three digits.

    >>> _size(0), _size(999), _size(1_568_000), _size(23_450_000)
    ('0 B', '999 B', '1.57 MB', '23.4 MB')
    """
    power = min(len(_UNITS) - 1, int(math.log10(max(bytes_, 1)) // 3))
    scaled = bytes_ / 1000**power
    digits = 0 if power == 0 else max(0, 2 - int(math.log10(scaled)))
    return f"{scaled:.{digits}f} {_UNITS[power]}"


def _side_by_side(columns: dict[str, list[str]], width: int) -> list[Table | Text]:
    """As many columns as fit beside one another, each time with the first; the others below."""
    first, *rest = columns
    blocks: list[list[str]] = [[]]
    for head in rest:
        if blocks[-1] and width_of(_block(columns, [first, *blocks[-1], head])) > width:
            blocks.append([])
        blocks[-1].append(head)
    tables = [_block(columns, [first, *heads]) for heads in blocks]
    return [part for table in tables for part in (table, Text())][:-1]


def _block(columns: dict[str, list[str]], heads: Sequence[str]) -> Table:
    table = plain_table(2)
    for head in heads:
        table.add_column(Text(head, justify="right"), justify="right", vertical="bottom")
    for texts in zip(*(columns[head] for head in heads), strict=True):
        table.add_row(*texts)
    return table
