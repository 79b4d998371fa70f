"""What a tracking tool is told of each trial: one record, from the rows of a run that may still go on."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from results.arrays import string, strings
from results.cells import CellNames, Row, cell_key, group
from results.matrices import Array, trial_matrices
from results.records import records
from results.schema import COMPLETE, RUNNING, TASKS, to_rows
from results.summary import summarise
from results.trackers.labels import as_text, flattened

__all__ = ["Exported", "LoggedStep", "LoggedTrial", "logged"]

Value: TypeAlias = str | int | float | bool

SPLITS = {"test": "", "val": "val_"}
"""What stands before the names of metrics on each split: validation is never taken for test."""

COSTS = ("wall_s", "train_s", "eval_s", "peak_memory_bytes")

_PARAMETERS = ("scenario", "method", "seed", "scenario_settings", "hyperparameters", "model", "train")
# A traceback is too long for a tag; `error_cause` is its last line.
_NO_TAGS = {*_PARAMETERS, *COSTS, "error"}
_MEASURED = [
    field.name for field in TASKS if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
]


class Exported(NamedTuple):
    """What an export did."""

    place: str
    """What the tool is to open."""
    new: int
    """Trials that were not there before."""
    changed: int
    """Trials of which there is more now, or something else."""
    unchanged: int


@dataclass(frozen=True)
class LoggedStep:
    """What was measured after a task (0-based), and when."""

    after_task: int
    at: datetime
    values: Mapping[str, float]


@dataclass(frozen=True)
class LoggedTrial:
    """One trial.

    Attributes:
        trial_id: the hash of all that can change its numbers.
        sweep: the name of the sweep that ran it.
        name: scenario, method with what varies, seed; other for every trial.
        group: the name without the seed: a line of a table.
        status: as in the trials table.
        start, end: of its work; no end while it runs.
        last_task: the task (0-based) at which final metrics are drawn.
        params: what was set: scenario, method, seed and every setting by a dotted name.
        tags: what else the trials table says, as text.
        steps: what was measured after each task.
        final: metrics and costs by name; metrics only of a complete trial, where they are defined.
    """

    trial_id: str
    sweep: str
    name: str
    group: str
    status: str
    start: datetime
    end: datetime | None
    last_task: int
    params: Mapping[str, Value]
    tags: Mapping[str, str]
    steps: Sequence[LoggedStep]
    final: Mapping[str, float]

    @property
    def plain(self) -> dict[str, Any]:
        """All of it in types that JSON has, times as seconds since 1970."""
        steps = [
            {"step": step.after_task, "at": step.at.timestamp(), "values": dict(step.values)}
            for step in self.steps
        ]
        return {
            **{name: getattr(self, name) for name in ("trial_id", "sweep", "name", "group", "status")},
            "start": self.start.timestamp(),
            "end": self.end.timestamp() if self.end else None,
            "last_task": self.last_task,
            "params": dict(self.params),
            "tags": dict(self.tags),
            "steps": steps,
            "final": dict(self.final),
        }

    @property
    def digest(self) -> str:
        """The same for the same record, and only then."""
        return hashlib.sha256(json.dumps(self.plain, sort_keys=True).encode()).hexdigest()


def logged(
    trials: pa.Table,
    accuracy: pa.Table,
    tasks: pa.Table,
    *,
    reference: str = "",
    fresh: Collection[str] = (),
) -> list[LoggedTrial]:
    """The record of each of *trials*, in the order in which they were started.

    Args:
        trials: rows of a run's table.
        accuracy: those of its table, of all splits; there may be more than those of *trials*.
        tasks: the same of its table of tasks.
        reference: the method that intransigence is measured against, as for `results.summary.summarise`.
        fresh: the methods that have nothing to forget, likewise.

    Raises:
        ValueError: an accuracy row names a task that its trial does not have.
    """
    rows = sorted(to_rows(trials), key=lambda row: (row["started_at"], row["trial_id"]))
    names = _names(rows)
    measured = _measured(rows, accuracy)
    learned: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in to_rows(tasks):
        learned[row["trial_id"]][row["task"]] = row
    final = _final_metrics(trials, accuracy, reference, fresh)
    found = []
    for row in rows:
        trial_id = row["trial_id"]
        record = _record(row, names[trial_id], measured[trial_id], learned.get(trial_id, {}))
        costs = {name: float(row[name]) for name in COSTS if row[name] is not None}
        found.append(replace(record, final={**final.get(trial_id, {}), **costs}))
    return found


def _record(
    row: Row, name: tuple[str, str], measured: Mapping[str, Array], learned: Mapping[int, Row]
) -> LoggedTrial:
    times = _times(row, learned)
    values = [_values(task, measured, learned.get(task)) for task in range(row["n_tasks"])]
    return LoggedTrial(
        trial_id=row["trial_id"],
        sweep=row["sweep"],
        group=name[0],
        name=name[1],
        status=row["status"],
        start=times[-1],
        end=None if row["status"] == RUNNING else row["ended_at"] or times[row["n_tasks"] - 1],
        last_task=row["n_tasks"] - 1,
        params=_params(row),
        tags={
            column: as_text(value)
            for column, value in row.items()
            if column not in _NO_TAGS and value is not None
        },
        steps=[LoggedStep(task, times[task], found) for task, found in enumerate(values) if found],
        final={},
    )


def _params(row: Row) -> dict[str, Value]:
    settings = {
        "scenario": row["scenario_settings"],
        row["method"]: row["hyperparameters"],
        "model": row["model"],
        "train": row["train"],
    }
    named = {name: row[name] for name in ("scenario", "method", "seed")}
    return named | {
        name: value for head, text in settings.items() for name, value in flattened(head, json.loads(text))
    }


def _times(row: Row, learned: Mapping[int, Row]) -> dict[int, datetime]:
    """When each task was over; at -1, when the work on the first began.

    The rows hold the seconds of each task and the start and end of the last attempt. An attempt that went on
    from an earlier one took less time than its tasks: then they are counted back from its end.
    """
    seconds = [_seconds(learned.get(task)) for task in range(row["n_tasks"])]
    start = row["started_at"]
    if row["ended_at"] is not None:
        start = min(start, row["ended_at"] - timedelta(seconds=sum(seconds)))
    return {
        task: start + timedelta(seconds=so_far)
        for task, so_far in enumerate(accumulate(seconds, initial=0.0), -1)
    }


def _seconds(task: Row | None) -> float:
    return 0.0 if task is None else task["train_s"] + task["eval_s"]


def _values(task: int, measured: Mapping[str, Array], learned: Row | None) -> dict[str, float]:
    """What was measured after *task*, by name; empty if it has not been learned."""
    values = {
        f"{SPLITS[split]}accuracy/{name}": value
        for split, R in measured.items()
        for name, value in _accuracies(task, R)
    }
    if learned is None:
        return values
    own = {name: learned[name] for name in _MEASURED if name not in ("task", "seed")}
    own |= dict(learned["other"] or {})
    return values | {f"task/{name}": float(value) for name, value in own.items() if value is not None}


def _accuracies(after: int, R: Array) -> Iterator[tuple[str, float]]:
    column = R[:, after]
    yield from ((f"task_{task}", float(value)) for task, value in enumerate(column) if not np.isnan(value))
    seen = column[: after + 1]
    if not np.isnan(seen).any():
        yield "seen", float(seen.mean())


def _measured(rows: Sequence[Row], accuracy: pa.Table) -> dict[str, dict[str, Array]]:
    """The matrices of every trial by split."""
    n_tasks = {row["trial_id"]: row["n_tasks"] for row in rows}
    ours = accuracy.filter(pc.is_in(accuracy["trial_id"], value_set=strings(list(n_tasks))))
    measured = ours["split"].unique().to_pylist()
    by_split = {split: trial_matrices(n_tasks, ours, split=split) for split in SPLITS if split in measured}
    return {trial: {split: matrices[trial].R for split, matrices in by_split.items()} for trial in n_tasks}


def _final_metrics(
    trials: pa.Table, accuracy: pa.Table, reference: str, fresh: Collection[str]
) -> dict[str, dict[str, float]]:
    """The metrics of every complete trial on each split, where they are defined."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for split, head in SPLITS.items():
        rows = accuracy.filter(pc.equal(accuracy["split"], string(split)))
        place = rows.schema.get_field_index("split")
        # A summary is one of test rows.
        rows = rows.set_column(place, rows.schema.field(place), strings(["test"] * len(rows)))
        for trial_id, metrics in _metrics(trials, rows, reference, fresh).items():
            found[trial_id] |= {f"{head}{name}": value for name, value in metrics.items()}
    return found


def _metrics(
    trials: pa.Table, accuracy: pa.Table, reference: str, fresh: Collection[str]
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    left = trials.filter(
        pc.and_(
            pc.equal(trials["status"], string(COMPLETE)),
            pc.is_in(trials["trial_id"], value_set=accuracy["trial_id"].unique()),
        )
    )
    while len(left):
        # One trial stands for each seed of a cell. Others, as on another device, have their turn after it.
        cells = summarise(left, accuracy, reference=reference, fresh=fresh)
        for each in records(cells, left, TASKS.empty_table()):
            for seed, trial_id in each.trials.items():
                values = each.cell.values.items()
                found[trial_id] = {name: by_seed[seed] for name, by_seed in values if seed in by_seed}
        left = left.filter(pc.invert(pc.is_in(left["trial_id"], value_set=strings(list(found)))))
    return found


def _names(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """The group and the name of every trial; those that search are named apart, as is what varies there."""
    found: dict[str, tuple[str, str]] = {}
    for searching in (False, True):
        own = [row for row in rows if (row["scored_on"] == "val") == searching]
        names = CellNames(group(own))
        for row in own:
            key = cell_key(row)
            line = f"{names.scenario(key)}/{names.line(key)}"
            found[row["trial_id"]] = (line, f"{line}/{'val ' if searching else ''}seed {row['seed']}")
    counts = Counter(name for _, name in found.values())
    return {
        trial_id: (line, name if counts[name] == 1 else f"{name} {trial_id}")
        for trial_id, (line, name) in found.items()
    }
