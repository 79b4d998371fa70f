"""The tables of a run: one Parquet part per trial and table, whole or not at all."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from results import snapshot
from results.schema import ACCURACY, COMPLETE, TASKS, TRIALS, to_table
from results.storage import Folder, StoreError, reason

__all__ = ["SPEC", "RunNotFound", "Store", "StoreError", "open_run"]

SPEC = "sweep.yaml"
"""The resolved spec, defaults filled in."""

# Reading so many parts takes a noticeable moment, so a snapshot of them is kept.
SNAPSHOT_AFTER = 100
# Requests to an object store, which answers one after tens of milliseconds.
PARALLEL_READS = 16

_SCHEMAS = {"trials": TRIALS, "accuracy": ACCURACY, "tasks": TASKS}


class RunNotFound(StoreError):  # noqa: N818 - reads as what happened
    """There is no run in the folder named."""


class Store:
    """The tables of one sweep. Writing a trial's part again replaces it, so rows are exactly-once.

    A part appears whole or not at all, whatever happens to the writer: readers of the folder (these methods,
    DuckDB, Polars, pandas, pyarrow.dataset) see the old part until the new one is complete.

    Methods raise `StoreError` naming the file that cannot be written or the folder that cannot be read.

    Attributes:
        root: the run's folder.
        damaged: parts that could not be read, each with the reason; tables are read without them.
    """

    def __init__(self, root: Folder | Path | str) -> None:
        self.root = root if isinstance(root, Folder) else Folder.at(root)
        self.damaged: dict[str, str] = {}

    def write_trial(self, row: Mapping[str, Any]) -> None:
        """Write the trial's one row; the trial is ``row["trial_id"]``."""
        self._write("trials", row["trial_id"], [row])

    def write_accuracy(self, trial_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all accuracy rows that the trial has so far."""
        self._write("accuracy", trial_id, rows)

    def write_tasks(self, trial_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all task rows that the trial has so far."""
        self._write("tasks", trial_id, rows)

    def write_spec(self, text: str) -> None:
        """Write the resolved spec, unless it is there already."""
        if self.spec() != text:
            self.root.write(SPEC, text.encode())

    def spec(self) -> str | None:
        """The resolved spec as it was written; None if there is none."""
        try:
            content: bytes = self.root.read(SPEC).to_pybytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {self.root}/{SPEC}: {reason(error)}") from error
        return content.decode(errors="replace")  # whoever reads it says what is wrong with it

    def trials(self) -> pa.Table:
        """All trials; empty if there are none."""
        return self._read("trials")

    def accuracy(self) -> pa.Table:
        """All accuracy rows; empty if there are none."""
        return self._read("accuracy")

    def tasks(self) -> pa.Table:
        """All task rows; empty if there are none."""
        return self._read("tasks")

    def statuses(self) -> dict[str, str]:
        """The status of every trial that was ever started, by trial id.

        A complete trial of which a part is gone or damaged has none: it must run again.
        """
        trials = self._read("trials", ["trial_id", "status"])
        whole = self._ids("accuracy") & self._ids("tasks")
        statuses = zip(*(trials[name].to_pylist() for name in ("trial_id", "status")), strict=True)
        return {trial_id: status for trial_id, status in statuses if status != COMPLETE or trial_id in whole}

    def _write(self, table: str, trial_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        sink = pa.BufferOutputStream()
        part = to_table(_SCHEMAS[table], [{**row, "trial_id": trial_id} for row in rows])
        # Of one row, a dictionary and statistics only say each value again: a fourth of the part.
        several = len(rows) > 1
        pq.write_table(part, sink, use_dictionary=several, write_statistics=several)
        folder = self.root / table
        folder.write(f"{trial_id}.parquet", sink.getvalue())
        self.damaged.pop(f"{folder}/{trial_id}.parquet", None)

    def _ids(self, table: str) -> set[str]:
        return set(self._read(table, ["trial_id"])["trial_id"].unique().to_pylist())

    def _read(self, table: str, columns: Sequence[str] = ()) -> pa.Table:
        """The rows by trial id; of *columns*, or of all."""
        schema, folder, cache = _SCHEMAS[table], self.root / table, self.root / "snapshot"
        since_ns = snapshot.written_ns(cache, schema)
        parts = {
            entry.name.removesuffix(".parquet"): entry
            for entry in folder.entries()
            if entry.name.endswith(".parquet")
        }
        rows, known = snapshot.recall(cache, schema, parts, columns or schema.names)
        new = sorted(parts.keys() - known)
        if not new:
            return rows
        if columns and len(new) >= SNAPSHOT_AFTER:
            return self._read(table).select(columns)
        rows = pa.concat_tables([rows, *(part.select(rows.schema.names) for part in self._parts(table, new))])
        rows = rows.take(pc.sort_indices(rows, [("trial_id", "ascending")])).combine_chunks()
        if len(new) >= SNAPSHOT_AFTER:
            snapshot.keep(cache, schema, parts, rows, since_ns)
        return rows

    def _parts(self, table: str, trial_ids: Sequence[str]) -> Iterator[pa.Table]:
        folder = self.root / table
        names = [f"{trial_id}.parquet" for trial_id in trial_ids]
        read = partial(_part, folder, _SCHEMAS[table])
        with ThreadPoolExecutor(PARALLEL_READS) as pool:  # which starts no thread until it is asked to
            for name, part in zip(names, (map if folder.is_local else pool.map)(read, names), strict=True):
                if isinstance(part, pa.Table):
                    yield part
                else:
                    self.damaged[f"{folder}/{name}"] = part


def open_run(root: Path | str) -> Store:
    """The store of a run that exists, in a folder or at a URI.

    Raises:
        RunNotFound: there is none in *root*; the message gives the nearest name beside it.
        StoreError: *root* cannot be read.
    """
    folder = Folder.at(root)
    if _is_run(folder):
        return Store(folder)
    beside = folder if _runs_in(folder) else folder.parent
    runs = _runs_in(beside)
    near = difflib.get_close_matches(folder.path.rpartition("/")[2], runs, n=1)
    if near:
        hint = f"; did you mean {beside / near[0]}?"
    else:
        hint = f"; runs in {beside}: {', '.join(runs) or 'none'}"
    raise RunNotFound(f"no run at {folder}{hint}")


def _runs_in(folder: Folder) -> list[str]:
    try:
        return [name for name in folder.folders() if _is_run(folder / name)]
    except StoreError:
        return []


def _is_run(folder: Folder) -> bool:
    return folder.has(SPEC) or folder.has("trials")


def _part(folder: Folder, schema: pa.Schema, name: str) -> pa.Table | str:
    """The part's rows, or why it cannot be read."""
    part = _attempt(folder, schema, name)
    if isinstance(part, str) and not folder.is_local:
        # pyarrow asks an object store for the size and then for so much: that is half a part if it has been
        # replaced by a longer one in between.
        part = _attempt(folder, schema, name)
    return part


def _attempt(folder: Folder, schema: pa.Schema, name: str) -> pa.Table | str:
    # One open file at a time: for parts of a few rows this takes half the time of pyarrow.dataset, and an
    # error belongs to one part.
    try:
        table = pq.ParquetFile(pa.BufferReader(folder.read(name))).read(use_threads=False)
        table = table if table.schema.equals(schema) else _conformed(table, schema)
    except (pa.ArrowException, OSError, ValueError) as error:
        return reason(error)
    # A copy under another name would count its trial's rows twice.
    others = set(table["trial_id"].unique().to_pylist()) - {name.removesuffix(".parquet")}
    return f"has rows of trial {min(others)}, not of the one it is named after" if others else table


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A part of another version in the columns of this one: absent ones are null, if null is allowed."""
    absent = [field for field in schema if field.name not in table.schema.names]
    if required := [field.name for field in absent if not field.nullable]:
        raise ValueError(f"no column {', '.join(required)}")
    for field in absent:
        table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(schema.names).cast(schema)
