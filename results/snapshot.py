"""Many parts in one file: a cache for our own readers, which take the rest from the parts themselves.

A snapshot holds the rows of a table and, beside each, which version of which part it came from. Rows whose
part has changed since are not used, so a snapshot can be old, but not wrong; it may be deleted at any time.
It begins with a digest of the rest, since its rows stand for parts that nobody looks at any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from results.arrays import integers, strings
from results.storage import Entry, Folder, StoreError

__all__ = ["SETTLED_S", "keep", "recall", "written_ns"]

# A part that was written within this many seconds may change once more and carry the same time: object stores
# give seconds, some file systems every other one.
SETTLED_S = 2.0

_KEY = ["trial_id", "part_size", "part_modified_ns"]
_VERSION = (pa.field("part_size", pa.int64()), pa.field("part_modified_ns", pa.int64()))
_DIGEST_BYTES = 16


def written_ns(folder: Folder, schema: pa.Schema) -> int:
    """When the snapshot in *folder* was written, by the storage's clock; 0 if there is none."""
    entry = folder.entry(_name(schema))
    return entry.modified_ns if entry else 0


def recall(
    folder: Folder, schema: pa.Schema, entries: Mapping[str, Entry], columns: Sequence[str]
) -> tuple[pa.Table, set[str]]:
    """What the snapshot in *folder* holds of the parts *entries*, by trial id, as they are now.

    Returns:
        The *columns* of the rows, and the trials whose part need not be read.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(_whole(folder.read(_name(schema)))))
        ours = file.schema_arrow.equals(_versioned(schema))
        rows = file.read(columns=list(dict.fromkeys([*columns, *_KEY]))) if ours else None
    except (pa.ArrowException, OSError, ValueError):
        rows = None
    if rows is None:  # there is none, or another version wrote it
        return pa.Table.from_batches([], _only(schema, columns)), set()
    parts = list(entries.values())
    position = pc.index_in(rows["trial_id"], strings(list(entries)))
    now = [integers([part.size for part in parts]), integers([part.modified_ns for part in parts])]
    same = [
        pc.equal(rows[field.name], values.take(position)) for field, values in zip(_VERSION, now, strict=True)
    ]
    rows = rows.filter(pc.and_(*same))
    known = set(rows["trial_id"].unique().to_pylist())
    return rows.select(columns), known


def keep(
    folder: Folder, schema: pa.Schema, entries: Mapping[str, Entry], rows: pa.Table, since_ns: int
) -> None:
    """Write *rows* as the snapshot in *folder*, of those parts that had settled, if it can be written.

    Args:
        folder: the snapshots'.
        schema: the table's.
        entries: the parts as they were listed before they were read.
        rows: what was read.
        since_ns: a time by the storage's clock at which they were not listed yet, as `written_ns` gives one.
    """
    # The storage's clock and not ours, which may be ahead: the parts were listed after the last was written.
    listed_ns = max([since_ns, *(entry.modified_ns for entry in entries.values())])
    before = listed_ns - int(SETTLED_S * 1e9)
    settled = {trial_id: entry for trial_id, entry in entries.items() if entry.modified_ns < before}
    rows = rows.filter(pc.is_in(rows["trial_id"], strings(sorted(settled))))
    parts = [settled[trial_id] for trial_id in rows["trial_id"].to_pylist()]
    versions = [[part.size for part in parts], [part.modified_ns for part in parts]]
    for field, values in zip(_VERSION, versions, strict=True):
        rows = rows.append_column(field, integers(values))
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    with suppress(StoreError):
        folder.write(_name(schema), _digest(content) + content)


def _whole(content: pa.Buffer) -> pa.Buffer:
    """*content* without its digest.

    Raises:
        ValueError: it is damaged.
    """
    digest, rest = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if digest.to_pybytes() != _digest(rest):
        raise ValueError("not what was written")
    return rest


def _digest(content: bytes | pa.Buffer) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()


def _name(schema: pa.Schema) -> str:
    return f"{schema.metadata[b'clsweep.table'].decode()}.snapshot"


def _versioned(schema: pa.Schema) -> pa.Schema:
    return pa.schema([*schema, *_VERSION], metadata=schema.metadata)


def _only(schema: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    return pa.schema([schema.field(name) for name in columns], metadata=schema.metadata)
