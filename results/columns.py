"""Columns that say what they hold: the words that every table of ours carries in its schema."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["SCHEMA_VERSION", "column", "table_schema"]

SCHEMA_VERSION = 1
"""Raised when a column changes its meaning or type, or disappears; kept in every part's metadata."""

_UNITS = {"_s": "s", "_bytes": "byte"}
"""Units by the end of a column's name."""


def column(
    name: str, kind: pa.DataType, description: str, *, null: bool = False, unit: str | None = None
) -> pa.Field:
    """A column with what it means and its unit in its metadata.

    Without *unit* it is that of the name's ending (``train_s`` is in s); a number of neither is a count, a
    name or a share, as its description says.
    """
    unit = unit or next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), None)
    metadata = {"description": description, **({"unit": unit} if unit else {})}
    return pa.field(name, kind, nullable=null, metadata=metadata)


def table_schema(table: str, *columns: pa.Field, **more: str) -> pa.Schema:
    """The schema of a *table*, with its name, version and *more* in its metadata."""
    version = {"clsweep.table": table, "clsweep.schema_version": str(SCHEMA_VERSION)}
    return pa.schema(columns, metadata={**version, **more})
