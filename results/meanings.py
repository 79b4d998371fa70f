"""What the columns of all tables mean, in words that go with a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from results.schema import ACCURACY, TASKS, TRIALS
from results.tidy import ACROSS, COMPARISONS, PROFILES, SUMMARY
from results.transfer_tables import TRANSFER

__all__ = ["SCHEMAS", "columns_json", "described"]

SCHEMAS: Mapping[str, pa.Schema] = {
    schema.metadata[b"clsweep.table"].decode(): schema
    for schema in (TRIALS, ACCURACY, TASKS, SUMMARY, COMPARISONS, ACROSS, PROFILES, TRANSFER)
}
"""What the columns of each of `results.sweep.TABLES` are."""


def described(table: pa.Table) -> pa.Table:
    """The *table* with what its columns mean also in the metadata of the table as a whole.

    What a column says of itself is kept in a part of a Parquet file that only Arrow reads. DuckDB and Polars
    read what the table says: ``description.<column>``, ``unit.<column>`` and ``definition.<metric>``. pandas
    finds the same in a frame's ``attrs``.
    """
    words = _words(table.schema)
    flat = {
        f"{kind}.{name}": text
        for kind, texts in (("description", words["descriptions"]), ("unit", words["units"]))
        for name, text in texts.items()
    }
    attrs = {"PANDAS_ATTRS": json.dumps(words, ensure_ascii=False)}
    return table.replace_schema_metadata({**table.schema.metadata, **flat, **attrs})


def columns_json() -> str:
    """What every column of every table is, as a JSON object by table.

    Each has ``columns``, by name their type, whether they may be null, description and unit, and the
    ``definitions`` of metrics and statistics.
    """
    return (
        json.dumps(
            {name: _of_schema(schema) for name, schema in SCHEMAS.items()}, indent=1, ensure_ascii=False
        )
        + "\n"
    )


def _of_schema(schema: pa.Schema) -> dict[str, Any]:
    words = _words(schema)
    return {
        "columns": {
            field.name: {
                "type": str(field.type),
                "null": field.nullable,
                "description": words["descriptions"][field.name],
                "unit": words["units"].get(field.name),
            }
            for field in schema
        },
        "definitions": words["definitions"],
    }


def _words(schema: pa.Schema) -> dict[str, dict[str, str]]:
    of_columns = {field.name: _text(field.metadata) for field in schema}
    of_table = _text(schema.metadata)
    return {
        "descriptions": {name: words["description"] for name, words in of_columns.items()},
        "units": {name: words["unit"] for name, words in of_columns.items() if "unit" in words},
        "definitions": {
            key.removeprefix("definition."): text
            for key, text in of_table.items()
            if key.startswith("definition.")
        },
    }


def _text(metadata: Mapping[bytes, bytes]) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in metadata.items()}
