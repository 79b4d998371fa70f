"""The three tables on disk: every column with its type, whether it may be null, and what it means.

One trial writes one part of each table. Nothing derived is stored: metrics are recomputed from `ACCURACY`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from results.columns import column, table_schema

__all__ = [
    "ACCURACY",
    "COMPLETE",
    "DIAGNOSTICS",
    "DIVERGED",
    "FAILED",
    "RUNNING",
    "STATUSES",
    "STOPPED",
    "TASKS",
    "TRIALS",
    "Status",
    "diagnostic_columns",
    "to_rows",
    "to_table",
]

Status = Literal["running", "complete", "failed", "diverged", "stopped"]
RUNNING: Status = "running"
COMPLETE: Status = "complete"
FAILED: Status = "failed"
"""An exception, or a process lost more often than retries allow."""
DIVERGED: Status = "diverged"
"""A loss that is not finite: a result, not an error."""
STOPPED: Status = "stopped"
"""Ended early by a search."""
STATUSES: tuple[Status, ...] = (RUNNING, COMPLETE, FAILED, DIVERGED, STOPPED)

_TEXT, _INT32, _INT64, _DOUBLE = pa.string(), pa.int32(), pa.int64(), pa.float64()
_BOOL, _VERSIONS = pa.bool_(), pa.map_(pa.string(), pa.string())
_TIME = pa.timestamp("us", tz="UTC")
_EPOCH = datetime.fromtimestamp(0, UTC)

_IDENTITY = (
    column("trial_id", _TEXT, "hash of everything that can change the numbers; the name of the part"),
    column("scenario", _TEXT, "increment kind and stream, e.g. class-il/split-digits"),
    column("method", _TEXT, "how forgetting is fought, e.g. naive, joint, ewc, replay"),
    column("seed", _INT32, "trial seed: the unit of replication"),
)

TRIALS = table_schema(
    "trials",
    *_IDENTITY,
    column("sweep", _TEXT, "name of the sweep that ran the trial"),
    column("kind", _TEXT, "increment kind: task-il, domain-il or class-il"),
    column("stream", _TEXT, "sequence of tasks over a data set, e.g. split-digits"),
    column("scenario_settings", _TEXT, "the stream's settings, defaults filled in, as a JSON object"),
    column("hyperparameters", _TEXT, "the method's hyperparameters, defaults filled in, as a JSON object"),
    column("model", _TEXT, "the model's settings, defaults filled in, as a JSON object"),
    column("train", _TEXT, "the training loop's settings, defaults filled in, as a JSON object"),
    column("n_tasks", _INT32, "number of tasks T", unit="tasks"),
    column("status", _TEXT, "running, complete, failed, diverged or stopped; only complete enters means"),
    column("attempts", _INT32, "how often the trial was started, this time included", unit="starts"),
    column("error", _TEXT, "full traceback; null unless failed", null=True),
    column("error_cause", _TEXT, "why it failed or diverged, in one line; null otherwise", null=True),
    column("started_at", _TIME, "start of the last attempt, UTC"),
    column("ended_at", _TIME, "end of the last attempt, UTC; null while running", null=True),
    column("wall_s", _DOUBLE, "seconds from start to end; null while running", null=True),
    column("train_s", _DOUBLE, "seconds of training, all tasks; null while running", null=True),
    column("eval_s", _DOUBLE, "seconds of evaluation, all tasks; null while running", null=True),
    column("peak_memory_bytes", _INT64, "largest resident memory of the process, in bytes", null=True),
    column("device", _TEXT, "device type: cpu or cuda"),
    column("threads", _INT32, "torch threads", unit="threads"),
    column("cpu", _DOUBLE, "CPUs requested", unit="CPUs"),
    column("gpu", _DOUBLE, "GPUs requested; may be a fraction", unit="GPUs"),
    column("host", _TEXT, "name of the machine; null until known", null=True),
    column("cpu_model", _TEXT, "processor of the machine; null until known", null=True),
    column("data_digest", _TEXT, "digest of the data sets' contents"),
    column("results_version", _INT32, "raised when a change of the code changes the numbers"),
    column("clsweep_version", _TEXT, "version of clsweep"),
    column("python_version", _TEXT, "version of Python"),
    column("torch_version", _TEXT, "version of PyTorch"),
    column("ray_version", _TEXT, "version of Ray; null for a trial run in-process", null=True),
    column(
        "scored_on",
        _TEXT,
        "test, or val for a trial of a search, which holds no test example; null in parts of version 0.1",
        null=True,
    ),
    column(
        "chance",
        _DOUBLE,
        "accuracy of guessing in the end, mean over tasks; null as above",
        null=True,
        unit="share",
    ),
    column(
        "protocol",
        _TEXT,
        "how its hyperparameters were chosen: fixed, val-stream, first-k or transfer; null as above",
        null=True,
    ),
    column("chosen_on", _TEXT, "scenario that the search saw; null if fixed", null=True),
    column("chosen_by", _TEXT, "search and scheduler, e.g. random, race; null if fixed", null=True),
    column("selection_seeds", pa.list_(_INT32), "seeds of the search; null if fixed", null=True),
    column(
        "configs",
        _INT32,
        "configurations that the search tries; null if fixed",
        null=True,
        unit="configurations",
    ),
    column("driver_started_at", _TIME, "start of the command that ran the trial, UTC", null=True),
    column("git_commit", _TEXT, "commit checked out where it was started; null without git", null=True),
    column("git_dirty", _BOOL, "whether files differed from it, untracked ones too", null=True),
    column("gpu_model", _TEXT, "GPU that the trial computed on; null on a CPU", null=True),
    column("packages", _VERSIONS, "versions of required packages; null until known", null=True),
)
"""One row per trial, written when it starts and again when it ends."""

ACCURACY = table_schema(
    "accuracy",
    *_IDENTITY,
    column("after_task", _INT32, "the task trained last (0-based); -1 before any training"),
    column("eval_task", _INT32, "the task evaluated (0-based)"),
    column("split", _TEXT, "test or val (held-out training data)"),
    column(
        "accuracy",
        _DOUBLE,
        "share of correct predictions, 0 to 1; null where the model has no output for the task",
        null=True,
        unit="share",
    ),
    column("n_eval", _INT32, "number of examples evaluated", unit="examples"),
)
"""One row per (after_task, eval_task, split): the accuracy matrix, R[eval_task, after_task]."""

DIAGNOSTICS = (
    column(
        "fisher_nonzero_share",
        _DOUBLE,
        "share of Fisher entries above zero; null without Fisher",
        null=True,
        unit="share",
    ),
    column(
        "memory_examples", _INT64, "examples held in memory; null without memory", null=True, unit="examples"
    ),
    column(
        "memory_by_task",
        pa.list_(_INT32),
        "of these, the examples of each task so far",
        null=True,
        unit="examples",
    ),
    column("memory_bytes", _INT64, "bytes held for the sake of earlier tasks, the model aside", null=True),
    column("gem_violations", _INT64, "steps whose gradient was projected", null=True, unit="steps"),
    column(
        "gem_projection_norm",
        _DOUBLE,
        "mean of |projected - own| / |own gradient| over these steps; null without any",
        null=True,
        unit="ratio",
    ),
    column(
        "trainable_parameters",
        _INT64,
        "parameters that later tasks may still change",
        null=True,
        unit="parameters",
    ),
    column(
        "frozen_parameters", _INT64, "parameters that no later task will change", null=True, unit="parameters"
    ),
)
"""What a method may say of itself after a task."""

TASKS = table_schema(
    "tasks",
    *_IDENTITY,
    column("task", _INT32, "the task (0-based)"),
    column("train_s", _DOUBLE, "seconds of training"),
    column("eval_s", _DOUBLE, "seconds of evaluating all tasks afterwards"),
    column("steps", _INT64, "optimiser steps", unit="steps"),
    column(
        "loss",
        _DOUBLE,
        "mean training loss of the last epoch, in nats; null if not a number",
        null=True,
        unit="nats",
    ),
    column("parameters", _INT64, "parameters of the model after the task", unit="parameters"),
    column(
        "first_epoch_accuracy",
        _DOUBLE,
        "test accuracy (in a search, val accuracy) on the task after one pass over its data, or all steps",
        null=True,
        unit="share",
    ),
    column(
        "examples",
        _INT64,
        "examples that gradients were computed of, remembered ones too",
        null=True,
        unit="examples",
    ),
    column("passes", _INT64, "passes in which these gradients were computed", null=True, unit="passes"),
    *DIAGNOSTICS,
    column("other", pa.map_(_TEXT, _DOUBLE), "diagnostics of a plug-in under names of its own", null=True),
)
"""One row per task learned: what it cost, and the method's diagnostics."""


def diagnostic_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """A method's diagnostics as columns of `TASKS`: those it knows, and the others in a map.

    >>> diagnostic_columns({"memory_examples": 500, "drift": 0.25})
    {'memory_examples': 500, 'other': {'drift': 0.25}}

    Raises:
        TypeError: a value is not a number (for ``memory_by_task``, a list of whole numbers).
    """
    columns: dict[str, Any] = {}
    other: dict[str, float] = {}
    kinds = {field.name: field.type for field in DIAGNOSTICS}
    for name, value in values.items():
        try:
            pa.scalar(value, kinds.get(name, _DOUBLE))
        except (pa.ArrowException, TypeError, ValueError):
            wanted = kinds.get(name, _DOUBLE)
            raise TypeError(f"diagnostics: {name} must be {wanted}, got {value!r}") from None
        (columns if name in kinds else other)[name] = value
    return columns | ({"other": other} if other else {})


def to_table(schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The rows as a typed table; NaN becomes null.

    Raises:
        ValueError: a column is unknown, or null where the schema does not allow it.
    """
    if unknown := set().union(*rows).difference(schema.names):
        raise ValueError(f"no such column: {', '.join(sorted(unknown))}; columns: {', '.join(schema.names)}")
    arrays = [_array(column, rows) for column in _columns(schema)]
    return pa.Table.from_arrays(arrays, schema=schema)


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """As pyarrow's ``to_pylist``, for which a column of times takes as long as sixty others."""
    names, columns = table.column_names, [_values(column) for column in table.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    if column.type != _TIME:
        values: list[Any] = column.to_pylist()
        return values
    times = column.cast(pa.int64()).to_pylist()
    return [None if time is None else _EPOCH + timedelta(microseconds=time) for time in times]


class _Column(NamedTuple):
    name: str
    kind: pa.DataType
    nullable: bool
    floating: bool


@lru_cache
def _columns(schema: pa.Schema) -> tuple[_Column, ...]:
    # Asking pyarrow for them each time would take as long as writing the part.
    return tuple(_Column(f.name, f.type, f.nullable, pa.types.is_floating(f.type)) for f in schema)


def _array(column: _Column, rows: Sequence[Mapping[str, Any]]) -> pa.Array:
    values = [row.get(column.name) for row in rows]
    if column.floating:
        # NaN, of NumPy's types as well, becomes null: it would poison every mean that a reader takes.
        values = [None if value is None or math.isnan(value) else float(value) for value in values]
    if pa.types.is_map(column.kind):
        # As a mapping, or as `to_rows` gives it back.
        values = [None if value is None else list(dict(value).items()) for value in values]
    if not column.nullable and None in values:
        raise ValueError(f"column {column.name} must not be null")
    return pa.array(values, column.kind)
