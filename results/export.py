"""The tables of a sweep as files: for programs with the meaning of every column, for papers as text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from results import sheets, tables
from results.comparison_tables import across_sheets, comparison_sheets
from results.latex import sheets_latex, summary_latex
from results.layout import csv_text
from results.meanings import SCHEMAS, columns_json, described
from results.names import hint
from results.notes import marks_legend, unchosen_note
from results.schema import to_rows
from results.storage import Folder
from results.sweep import TABLES, NoSuchTable, Sweep

__all__ = ["COLUMNS", "FORMS", "NoRows", "export"]

COLUMNS = "columns.json"
"""The file beside CSV and JSON that says what their columns mean."""

_ORDER = (
    *("scenario", "method", "seed", "trial_id"),
    *("after_task", "eval_task", "split", "task"),
)
"""The order of rows that were written by trials, whose parts may be listed in any."""


class NoRows(Exception):  # noqa: N818 - reads as what happened
    """There is nothing to export; ``str(error)`` says of what."""


def export(
    sweep: Sweep,
    form: str,
    folder: Folder,
    names: Sequence[str] = (),
    *,
    metrics: Sequence[str] = tables.HEADLINE,
) -> Iterator[str]:
    """Write the tables of *sweep* into *folder*, a file each; yield the name of each file once it is there.

    A file appears whole or not at all, and the same rows give the same bytes.

    Args:
        sweep: the run.
        form: one of `FORMS`.
        folder: where the files go; it is made if need be.
        names: the tables to write; none is all that have rows. Of text for papers there are the summary,
            the comparisons and what is said across scenarios.
        metrics: those in text for papers; tables for programs have all that were computed.

    Raises:
        NoSuchTable: one of *names* does not exist in this form.
        NoRows: one of *names* has no rows, or no table has any.
        NoSuchCell: as `Sweep.families`.
        StoreError: a file cannot be written.
    """
    ending, available = FORMS[form]
    for name in names:
        _check(name, form, available)
    written = False
    for name in names or available:
        content = available[name](sweep, form, metrics)
        if content is None and names:
            raise NoRows(f"{sweep.store.root}: table {name} has no rows")
        if content is not None:
            yield _written(folder, f"{name}.{ending}", content)
            written = True
    if not written:
        raise NoRows(f"{sweep.store.root}: no trial is there yet, so there is nothing to export")
    if form in {"csv", "json"}:
        yield _written(folder, COLUMNS, columns_json().encode())


def _check(name: str, form: str, available: Mapping[str, object]) -> None:
    if name not in available:
        raise NoSuchTable(f"no table {name!r} as {form}; {hint(name, available)}")


def _written(folder: Folder, name: str, content: bytes | pa.Buffer) -> str:
    folder.write(name, content)
    return f"{folder}/{name}"


def _rows(name: str) -> Callable[[Sweep, str, Sequence[str]], bytes | pa.Buffer | None]:
    def content(sweep: Sweep, form: str, _: Sequence[str]) -> bytes | pa.Buffer | None:
        # Parts of another version of clsweep may say less of their columns.
        table = sweep.table(name).cast(SCHEMAS[name])
        if not len(table):
            return None
        if "trial_id" in table.column_names:
            table = table.sort_by(
                [(column, "ascending") for column in _ORDER if column in table.column_names]
            )
        return _CONTENT[form](_finite(table.combine_chunks()))

    return content


def _finite(table: pa.Table) -> pa.Table:
    """With null for what is not a number: `to_table` writes none, but parts can be of another's making."""
    for position, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            values = table.column(position)
            finite = pc.if_else(pc.is_finite(values), values, pa.nulls(1, field.type)[0])
            table = table.set_column(position, field, finite)
    return table


def _parquet(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    pq.write_table(described(table), sink, compression="zstd")
    return sink.getvalue()


def _csv(table: pa.Table) -> bytes:
    for name, is_map in _written_out(table).items():
        values = [_plain(row[name], is_map=is_map) for row in to_rows(table.select([name]))]
        texts = [value if value is None or isinstance(value, str) else _json(value) for value in values]
        table = table.set_column(table.column_names.index(name), name, pa.array(texts, pa.string()))
    return csv_text(table).encode()


def _json_records(table: pa.Table) -> bytes:
    columns, rows = _written_out(table), to_rows(table)
    for row in rows if columns else ():
        row |= {name: _plain(row[name], is_map=is_map) for name, is_map in columns.items()}
    return ("[\n" + ",\n".join(map(_json, rows)) + "\n]\n").encode()


def _written_out(table: pa.Table) -> dict[str, bool]:
    """The columns that CSV and JSON have no type for, and whether they hold maps."""
    return {
        field.name: pa.types.is_map(field.type)
        for field in table.schema
        if pa.types.is_nested(field.type) or pa.types.is_timestamp(field.type)
    }


_CONTENT: Mapping[str, Callable[[pa.Table], bytes | pa.Buffer]] = {
    "parquet": _parquet,
    "csv": _csv,
    "json": _json_records,
}


# Made once: json.dumps makes one for each of a million rows.
_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _plain(value: Any, *, is_map: bool = False) -> Any:
    """The value as JSON has it: times as ISO 8601, maps as objects, null for what is not a number."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case datetime():
            return value.isoformat(timespec="microseconds")
        case list() if is_map:
            return {key: _plain(each) for key, each in value}
        case list():
            return [_plain(each) for each in value]
    return value


def _summary(sweep: Sweep, form: str, metrics: Sequence[str]) -> bytes | None:
    if not sweep.cells:
        return None
    best = sweep.best(metrics)
    if form == "latex":
        text = summary_latex(sweep.cells, best, metrics=metrics, named=sweep.named, name=sweep.name)
    else:
        remarks = [*marks_legend(best), *unchosen_note(sweep.unchosen)]
        text = tables.to_markdown(sweep.cells, metrics=metrics, best=best, remarks=remarks)
    return text.encode()


def _comparisons(sweep: Sweep, form: str, metrics: Sequence[str]) -> bytes | None:
    return _of_sheets(comparison_sheets(sweep.families(metrics)), sweep.name, form)


def _across(sweep: Sweep, form: str, _: Sequence[str]) -> bytes | None:
    return _of_sheets(across_sheets(sweep.scores, sweep.table("across")), sweep.name, form)


def _of_sheets(found: Sequence[sheets.Sheet], name: str, form: str) -> bytes | None:
    if not found:
        return None
    return (sheets_latex(found, name=name) if form == "latex" else sheets.to_markdown(found)).encode()


_FOR_PROGRAMS = {name: _rows(name) for name in TABLES}
_FOR_PAPERS = {"summary": _summary, "comparisons": _comparisons, "across": _across}
FORMS: Mapping[
    str, tuple[str, Mapping[str, Callable[[Sweep, str, Sequence[str]], bytes | pa.Buffer | None]]]
] = {
    "parquet": ("parquet", _FOR_PROGRAMS),
    "csv": ("csv", _FOR_PROGRAMS),
    "json": ("json", _FOR_PROGRAMS),
    "markdown": ("md", _FOR_PAPERS),
    "latex": ("tex", _FOR_PAPERS),
}
"""By the name of a form the ending of its files, and the tables there are in it, each with its content."""
