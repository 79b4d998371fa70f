"""Forward transfer for people and for programs: a line per task and cell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, Literal

import pyarrow as pa
from rich.console import Group
from rich.table import Table
from rich.text import Text

from results.columns import column, table_schema
from results.layout import STYLES, Style, markdown_table, numbers, plain_table, roomiest, seeds
from results.schema import to_table
from results.statistics import Interval
from results.tidy import SUMMARY
from results.transfer import MEASURES, REFERENCE, Measure, Transfer

__all__ = ["TRANSFER", "to_arrow", "to_markdown", "transfer_tables"]

_DOUBLE = pa.float64()
_IDENTITY = SUMMARY.names[: SUMMARY.names.index("metric")]


TRANSFER = table_schema(
    "transfer",
    *(SUMMARY.field(name) for name in _IDENTITY),
    column("task", pa.int32(), "the task k (0-based); null for the mean over tasks 1 to T - 1", null=True),
    column("measure", pa.string(), "zero_shot, first_epoch or end"),
    column("mean", _DOUBLE, "mean accuracy over seeds; null where undefined", null=True, unit="share"),
    column(
        "half_width", _DOUBLE, "half width of its Student t interval; null for n < 2", null=True, unit="share"
    ),
    column(
        "sd", _DOUBLE, "its standard deviation over seeds (ddof = 1); null for n < 2", null=True, unit="share"
    ),
    column("n", pa.int32(), "seeds in the mean", unit="seeds"),
    column(
        "gain",
        _DOUBLE,
        "mean difference from scratch, paired by seed; null where undefined",
        null=True,
        unit="share",
    ),
    column(
        "gain_half_width", _DOUBLE, "half width of its interval; null for gain_n < 2", null=True, unit="share"
    ),
    column(
        "gain_sd", _DOUBLE, "its standard deviation (ddof = 1); null for gain_n < 2", null=True, unit="share"
    ),
    column("gain_n", pa.int32(), "seeds in the difference", unit="seeds"),
    column("level", _DOUBLE, "level of both intervals; null where undefined", null=True),
    **{f"definition.{name}": definition for name, definition in MEASURES.items()},
)
"""One row per cell, task and measure: derived from the other tables, for export."""

_NUMBERS: tuple[tuple[str, Measure, Literal["accuracy", "gain"]], ...] = (
    ("zero-shot", "zero_shot", "accuracy"),
    ("after\n1 epoch", "first_epoch", "accuracy"),
    (f"−\n{REFERENCE}", "first_epoch", "gain"),
    ("end of\ntask", "end", "accuracy"),
    (f"−\n{REFERENCE}", "end", "gain"),
)


def transfer_tables(rows: Sequence[Transfer], *, width: int = 80) -> list[Group]:
    """Per scenario its title, table and notes, as roomy as *width* columns allow; the last has a legend."""
    if not rows:
        return []
    scenarios = _by_scenario(rows)
    style, tables = roomiest(lambda style: [_table(members, style) for members in scenarios], width)
    endings = [*([[""]] * (len(scenarios) - 1)), _legend(rows, style)]
    return [
        Group(
            Text(_title(members), style="bold"),
            table,
            *(Text(note, style="dim") for note in [*_notes(members), *ending]),
        )
        for members, table, ending in zip(scenarios, tables, endings, strict=True)
    ]


def to_markdown(rows: Sequence[Transfer]) -> str:
    """The tables of `transfer_tables` as Markdown."""
    sections = [line for members in _by_scenario(rows) for line in [*_markdown(members), ""]]
    return "\n".join([*sections, *(f"- {line}" for line in _legend(rows, STYLES[0])), ""]) if rows else ""


def to_arrow(rows: Sequence[Transfer]) -> pa.Table:
    """The rows as a table of schema `TRANSFER`."""
    return to_table(TRANSFER, [_row(row, measure) for row in rows for measure in MEASURES])


def _by_scenario(rows: Sequence[Transfer]) -> list[list[Transfer]]:
    return [list(members) for _, members in groupby(rows, key=lambda row: row.cell.scenario_label)]


def _title(rows: Sequence[Transfer]) -> str:
    return f"{rows[0].cell.scenario_label}: forward transfer"


def _table(rows: Sequence[Transfer], style: Style) -> Table:
    table = plain_table(style.gap)
    table.add_column("task", no_wrap=True)
    longest = max(len(row.cell.label) for row in rows)
    table.add_column("method", overflow="fold", min_width=min(12, longest))
    table.add_column("n", justify="right", no_wrap=True)
    for head in _heads(rows):
        table.add_column(Text(head, justify="right"), no_wrap=True)
    before = None
    for row, values in zip(rows, _values(rows, style), strict=True):
        task = _task(row)
        table.add_row("" if task == before else task, Text(row.cell.label), _seeds(row), *values)
        before = task
    return table


def _markdown(rows: Sequence[Transfer]) -> list[str]:
    heads = [head.replace("\n", " ") for head in ["task", "method", "n", *_heads(rows)]]
    lines = [
        [_task(row), row.cell.label, _seeds(row).plain, *(value.plain.rstrip() for value in values)]
        for row, values in zip(rows, _values(rows, STYLES[0]), strict=True)
    ]
    notes = [f"- {note}" for note in _notes(rows)]
    return [
        f"### {_title(rows)}",
        "",
        *markdown_table(heads, lines, left=2),
        *([""] if notes else []),
        *notes,
    ]


def _task(row: Transfer) -> str:
    return "mean" if row.task is None else str(row.task)


def _seeds(row: Transfer) -> Text:
    return seeds(row.cell.n, row.cell.planned)


def _values(rows: Sequence[Transfer], style: Style) -> list[tuple[Text, ...]]:
    """The numbers of each row."""
    columns = []
    for _, measure, kind in _NUMBERS:
        column = numbers([getattr(row, kind).get(measure) for row in rows], style)
        blank = [kind == "gain" and row.cell.method == REFERENCE for row in rows]
        columns.append([Text() if none else text for none, text in zip(blank, column, strict=True)])
    return list(zip(*columns, strict=True))


def _heads(rows: Sequence[Transfer]) -> list[str]:
    _, *others = (head for head, _, _ in _NUMBERS)
    return [f"zero-shot:\n{head}\nhead" if (head := _head(rows)) else "zero-shot", *others]


def _head(rows: Sequence[Transfer]) -> str:
    """What the zero-shot accuracies say of the head; nothing where there are none, or of several kinds."""
    heads = {_head_of(row) for row in rows if "zero_shot" in row.accuracy}
    return heads.pop() if len(heads) == 1 else ""


def _head_of(row: Transfer) -> str:
    kind, model = row.cell.kind, row.cell.model.get("name")
    return "shared" if kind == "domain-il" or (kind == "task-il" and model == "DomainMLP") else "untrained"


def _notes(rows: Sequence[Transfer]) -> list[str]:
    notes = []
    if not any("zero_shot" in row.accuracy for row in rows):
        notes.append("zero-shot: undefined, since there is no output for the task yet")
    if fewer := list(dict.fromkeys(row.cell.label for row in rows if _lacks_pairs(row))):
        notes.append(f"{', '.join(fewer)}: some seeds have no complete {REFERENCE} trial to be paired with")
    return notes


def _lacks_pairs(row: Transfer) -> bool:
    pairs = row.gain["end"].n if "end" in row.gain else 0
    return row.cell.method != REFERENCE and pairs < row.cell.n


def _legend(rows: Sequence[Transfer], style: Style) -> list[str]:
    """What the numbers of all tables are."""
    levels = {interval.level for row in rows for interval in row.accuracy.values()}
    percent = ", ".join(f"{100 * level:g} %" for level in sorted(levels))
    defined = any("zero_shot" in row.accuracy for row in rows)
    zero_shot = f"zero-shot: before any example of the task; of {REFERENCE}, the untrained model's"
    return [
        *([zero_shot] if defined else []),
        f"− {REFERENCE}: minus that of a fresh model trained on the task alone, paired by seed",
        f"mean ± {percent} half-width over n seeds (Student t)"
        if style.intervals
        else "too narrow for intervals; mean over n seeds",
    ]


def _row(row: Transfer, measure: Measure) -> dict[str, Any]:
    identity = {name: getattr(row.cell, name) for name in _IDENTITY}
    own, gain = _statistics(row.accuracy.get(measure)), _statistics(row.gain.get(measure))
    return {
        **{
            name: json.dumps(v, sort_keys=True) if isinstance(v, Mapping) else v
            for name, v in identity.items()
        },
        "task": row.task,
        "measure": measure,
        **own,
        "gain": gain["mean"],
        **{f"gain_{name}": gain[name] for name in ("half_width", "sd", "n")},
    }


def _statistics(interval: Interval | None) -> dict[str, Any]:
    return dict.fromkeys(("mean", "half_width", "sd", "level")) | (
        {"n": 0} if interval is None else asdict(interval)
    )
