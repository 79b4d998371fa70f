"""Rows on disk: one Parquet part per trial and table, whole or not at all."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from results.schema import ACCURACY, COMPLETE, TASKS, TRIALS, to_table

__all__ = ["RunNotFound", "Store", "StoreError", "SweepPaths", "open_run"]

_ID = pa.schema([TRIALS.field("trial_id")])
_STATUS = pa.schema([TRIALS.field("trial_id"), TRIALS.field("status")])


class StoreError(Exception):
    """Results cannot be written, or are not there; ``str(error)`` is ready to print."""


class RunNotFound(StoreError):  # noqa: N818 - reads as what happened
    """There is no run in the folder named."""


@dataclass(frozen=True)
class SweepPaths:
    """Every path of one sweep's folder; nothing else joins them.

    >>> SweepPaths(Path("runs/quickstart")).part("trials", "0a1b2c").as_posix()
    'runs/quickstart/trials/0a1b2c.parquet'
    """

    root: Path

    @property
    def spec(self) -> Path:
        """The resolved spec, defaults filled in."""
        return self.root / "sweep.yaml"

    @property
    def trials(self) -> Path:
        """Folder of the table `TRIALS`."""
        return self.root / "trials"

    @property
    def accuracy(self) -> Path:
        """Folder of the table `ACCURACY`."""
        return self.root / "accuracy"

    @property
    def tasks(self) -> Path:
        """Folder of the table `TASKS`."""
        return self.root / "tasks"

    @property
    def ray_log(self) -> Path:
        """What Ray itself has to say."""
        return self.root / "ray.log"

    def part(self, table: str, trial_id: str) -> Path:
        """The part of *table* that holds the trial's rows."""
        return self.root / table / f"{trial_id}.parquet"


class Store:
    """The tables of one sweep. Writing a trial's part again replaces it, so rows are exactly-once.

    A part appears whole or not at all, whatever happens to the writer: readers of the folder (these methods,
    DuckDB, Polars, pandas, pyarrow.dataset) see the old part until the new one is complete.

    Methods raise `StoreError` naming the file that cannot be written.

    Attributes:
        damaged: parts that could not be read, each with the reason; tables are read without them.
    """

    def __init__(self, root: Path | str) -> None:
        self.paths = SweepPaths(Path(root))
        self.damaged: dict[Path, str] = {}
        self._made: set[Path] = set()

    def write_trial(self, row: Mapping[str, Any]) -> None:
        """Write the trial's one row; the trial is ``row["trial_id"]``."""
        self._write(self.paths.part("trials", row["trial_id"]), to_table(TRIALS, [row]))

    def write_accuracy(self, trial_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all accuracy rows that the trial has so far."""
        self._write(self.paths.part("accuracy", trial_id), _part(ACCURACY, trial_id, rows))

    def write_tasks(self, trial_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all task rows that the trial has so far."""
        self._write(self.paths.part("tasks", trial_id), _part(TASKS, trial_id, rows))

    def write_spec(self, text: str) -> None:
        """Write the resolved spec, unless it is there already."""
        content = text.encode()
        if not self.paths.spec.is_file() or self.paths.spec.read_bytes() != content:
            self._put(self.paths.spec, pa.py_buffer(content))

    def trials(self) -> pa.Table:
        """All trials; empty if there are none."""
        return self._read(self.paths.trials, TRIALS)

    def accuracy(self) -> pa.Table:
        """All accuracy rows; empty if there are none."""
        return self._read(self.paths.accuracy, ACCURACY)

    def tasks(self) -> pa.Table:
        """All task rows; empty if there are none."""
        return self._read(self.paths.tasks, TASKS)

    def statuses(self) -> dict[str, str]:
        """The status of every trial that was ever started, by trial id.

        A complete trial of which a part is gone or damaged has none: it must run again.
        """
        rows = self._read(self.paths.trials, _STATUS).to_pylist()
        whole = self._ids(self.paths.accuracy) & self._ids(self.paths.tasks)
        return {
            row["trial_id"]: row["status"]
            for row in rows
            if row["status"] != COMPLETE or row["trial_id"] in whole
        }

    def _ids(self, folder: Path) -> set[str]:
        return set(self._read(folder, _ID)["trial_id"].to_pylist())

    def _read(self, folder: Path, schema: pa.Schema) -> pa.Table:
        tables = [schema.empty_table()]
        for path in sorted(folder.glob("[!.]*.parquet")):
            try:
                tables.append(_read_part(path, schema))
            except (pa.ArrowException, OSError, ValueError) as error:
                self.damaged[path] = str(error).partition("\n")[0]
        return pa.concat_tables(tables).combine_chunks()

    def _write(self, target: Path, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        self._put(target, sink.getvalue())

    def _put(self, target: Path, content: pa.Buffer) -> None:
        try:
            if target.parent not in self._made:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._made.add(target.parent)
            _replace(target, content)
            self.damaged.pop(target, None)
        except OSError as error:
            raise StoreError(f"cannot write {target}: {error.strerror or error}") from error


def open_run(root: Path | str) -> Store:
    """The store of a run that exists.

    Raises:
        RunNotFound: there is none in *root*; the message gives the nearest name beside it.
    """
    root = Path(root)
    if _is_run(root):
        return Store(root)
    folder = root if _runs_in(root) else root.parent
    runs = _runs_in(folder)
    near = difflib.get_close_matches(root.name, runs, n=1)
    if near:
        hint = f"; did you mean {folder / near[0]}?"
    else:
        hint = f"; runs in {folder}: {', '.join(runs) or 'none'}"
    raise RunNotFound(f"no run at {root}{hint}")


def _runs_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if _is_run(path))
    except OSError:
        return []


def _is_run(root: Path) -> bool:
    paths = SweepPaths(root)
    return paths.spec.is_file() or paths.trials.is_dir()


def _part(schema: pa.Schema, trial_id: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return to_table(schema, [{**row, "trial_id": trial_id} for row in rows])


def _replace(target: Path, content: pa.Buffer) -> None:
    # The name is hidden and does not end in .parquet, so that no reader of the folder takes it for a part.
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _read_part(path: Path, schema: pa.Schema) -> pa.Table:
    # One open file at a time: for parts of a few rows this takes half the time of pyarrow.dataset and of a
    # pool of threads, and an error belongs to one part.
    content = pa.BufferReader(path.read_bytes())
    table = pq.ParquetFile(content).read(columns=schema.names, use_threads=False)
    return table if table.schema.equals(schema) else _conformed(table, schema)


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A part of another version in the columns of this one: absent ones are null, if null is allowed."""
    absent = [field for field in schema if field.name not in table.schema.names]
    if required := [field.name for field in absent if not field.nullable]:
        raise ValueError(f"no column {', '.join(required)}")
    for field in absent:
        table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(schema.names).cast(schema)
