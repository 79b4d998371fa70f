"""Whether the tables of a run are sound: of every complete trial every cell, once, with a possible value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from results.schema import COMPLETE, STATUSES

__all__ = ["Finding", "audit", "mend", "named"]

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Finding:
    """One kind of thing that is wrong with a run.

    Attributes:
        problem: what is wrong.
        places: where, a line each.
        mend: what to do about it.
    """

    problem: str
    places: tuple[str, ...]
    mend: str


def audit(trials: pa.Table, accuracy: pa.Table, tasks: pa.Table, *, growing: bool = False) -> list[Finding]:
    """Everything that is wrong with a run as far as its tables tell, each kind once.

    Only a complete trial must have all its rows. *growing* says that a driver is still at work and *trials*
    was read first: rows of trials that it lacks are then newer.
    """
    scores, learned = _joined(trials, accuracy), _joined(trials, tasks)
    found = [
        *_of_trials(trials),
        *_of_part("accuracy", trials, scores),
        *_cells("accuracy", "test cells", trials, _matrix(trials, scores, "test")),
        *_cells("accuracy", "val cells", trials, _matrix(trials, scores, "val")),
        _impossible(trials, scores),
        *_of_part("tasks", trials, learned),
        *_cells("tasks", "tasks", trials, _list(trials, learned)),
    ]
    if not growing:
        found += [_orphans("accuracy", trials, accuracy), _orphans("tasks", trials, tasks)]
    return [finding for finding in found if finding.places]


def named(trials: pa.Table, marked: Array, say: Callable[[int], str] = lambda _: "") -> tuple[str, ...]:
    """The marked rows of *trials*, a line each, with what there is to *say* of the row at a position."""
    positions = np.flatnonzero(marked)
    rows = trials.select(["trial_id", "scenario", "method", "seed"]).take(pa.array(positions, pa.int64()))
    return tuple(
        f"{row['trial_id']}  {row['scenario']}, {row['method']}, seed {row['seed']}{say(int(k))}"
        for k, row in zip(positions, rows.to_pylist(), strict=True)
    )


def mend(table: str) -> str:
    """How to mend a trial whose part of *table* is wrong."""
    return f"delete {table}/TRIAL.parquet; the next run repeats the trial"


class _Joined(NamedTuple):
    rows: pa.Table
    trial: Array
    """The position of each row's trial."""


def _joined(trials: pa.Table, rows: pa.Table) -> _Joined:
    """Those of *rows* whose trial is among *trials*."""
    position = pc.index_in(rows["trial_id"], value_set=trials["trial_id"])
    known = pc.is_valid(position)
    return _Joined(rows.filter(known), position.filter(known).to_numpy().astype(np.int64))


def _of_trials(trials: pa.Table) -> Iterator[Finding]:
    known = pc.is_in(trials["status"], value_set=pa.array(STATUSES)).to_numpy()
    yield Finding("a status that does not exist", named(trials, ~known), mend("trials"))
    yield Finding(
        "another number of tasks than most trials of the scenario",
        named(trials, _ragged(trials), lambda k: f": {trials['n_tasks'][k]} tasks"),
        mend("trials"),
    )


def _ragged(trials: pa.Table) -> Array:
    """Which trials have not the number of tasks that most trials of their scenario have."""
    columns = [trials[name].to_pylist() for name in ("scenario", "scenario_settings", "data_digest")]
    scenarios = list(zip(*columns, strict=True))
    tasks = trials["n_tasks"].to_pylist()
    counts = Counter(zip(scenarios, tasks, strict=True))
    # The most frequent comes last, and stays.
    usual = {scenario: n for (scenario, n), _ in reversed(counts.most_common())}
    return np.array([usual[scenario] != n for scenario, n in zip(scenarios, tasks, strict=True)], dtype=bool)


def _of_part(table: str, trials: pa.Table, own: _Joined) -> Iterator[Finding]:
    absent = _complete(trials) & ~_has_rows(trials, own)
    yield Finding(
        f"complete, but without rows in {table}", named(trials, absent), "the next run repeats these trials"
    )
    other = np.zeros(len(own.rows), dtype=bool)
    for name in ("scenario", "method", "seed"):
        theirs = trials[name].take(pa.array(own.trial))
        other |= pc.not_equal(own.rows[name], theirs).to_numpy()
    yield Finding(
        f"rows in {table} that name another scenario, method or seed than the trial's own row",
        named(trials, _count(trials, own.trial[other])),
        mend(table),
    )


def _orphans(table: str, trials: pa.Table, rows: pa.Table) -> Finding:
    ids = rows["trial_id"].unique()
    orphans = ids.filter(pc.invert(pc.is_in(ids, value_set=trials["trial_id"])))
    return Finding(
        f"rows in {table} of trials that have no row of their own",
        tuple(orphans.to_pylist()),
        f"the next run repeats those that it plans; delete {table}/TRIAL.parquet of the others",
    )


def _impossible(trials: pa.Table, own: _Joined) -> Finding:
    accuracy, examples, split = (own.rows[name] for name in ("accuracy", "n_eval", "split"))
    values = accuracy.to_numpy()  # null is NaN, and allowed
    wrong = (values < 0) | (values > 1) | pc.is_nan(accuracy).fill_null(False).to_numpy()
    wrong |= examples.to_numpy() <= 0
    wrong |= ~pc.is_in(split, value_set=pa.array(["test", "val"])).to_numpy()
    rows = _count(trials, own.trial[wrong])
    return Finding(
        "an accuracy outside 0 to 1, of no examples, or of no known split",
        named(trials, rows, lambda k: f": {rows[k]} rows"),
        mend("accuracy"),
    )


class _Grid(NamedTuple):
    """Rows by their place in what each trial should have."""

    trial: Array
    place: Array
    """Of each row; -1 where the trial has no such place."""
    size: Array
    """How many places each trial has."""
    whole: Array
    """Which trials must fill them all."""


def _matrix(trials: pa.Table, own: _Joined, split: str) -> _Grid:
    """The cells of one split: T scores of the untrained model, and T after each of T tasks."""
    mine = pc.equal(own.rows["split"], split).to_numpy()
    trial, tasks = own.trial[mine], _tasks(trials)
    after, task = (own.rows[name].to_numpy()[mine].astype(np.int64) for name in ("after_task", "eval_task"))
    T = tasks[trial]
    inside = (task >= 0) & (task < T) & (after >= -1) & (after < T)
    whole = _complete(trials) & _has_rows(trials, own)
    whole &= ~_searches(trials) if split == "test" else _validates(trials)
    return _Grid(trial, np.where(inside, (after + 1) * T + task, -1), tasks * (tasks + 1), whole)


def _list(trials: pa.Table, own: _Joined) -> _Grid:
    """One row per task."""
    tasks, task = _tasks(trials), own.rows["task"].to_numpy().astype(np.int64)
    inside = (task >= 0) & (task < tasks[own.trial])
    whole = _complete(trials) & _has_rows(trials, own)
    return _Grid(own.trial, np.where(inside, task, -1), tasks, whole)


def _cells(table: str, what: str, trials: pa.Table, grid: _Grid) -> Iterator[Finding]:
    """What is missing from *grid*, there more than once, or has no place in it."""
    inside = grid.place >= 0
    starts = np.cumsum(grid.size) - grid.size
    owner = np.repeat(np.arange(len(trials)), grid.size)
    filled = np.bincount(starts[grid.trial[inside]] + grid.place[inside], minlength=len(owner))
    missing = np.where(grid.whole, _count(trials, owner[filled == 0]), 0)
    twice = _count(trials, owner[filled > 1])
    outside = _count(trials, grid.trial[~inside])
    yield Finding(
        f"{what} are missing",
        named(trials, missing, lambda k: f": {missing[k]} of {grid.size[k]}"),
        mend(table),
    )
    yield Finding(
        f"{what} are there more than once", named(trials, twice, lambda k: f": {twice[k]}"), mend(table)
    )
    yield Finding(
        f"{what} that the trial cannot have", named(trials, outside, lambda k: f": {outside[k]}"), mend(table)
    )


def _count(trials: pa.Table, positions: Array) -> Array:
    """How often each trial is among *positions*."""
    counts: Array = np.bincount(positions, minlength=len(trials))
    return counts


def _complete(trials: pa.Table) -> Array:
    complete: Array = pc.equal(trials["status"], COMPLETE).to_numpy()
    return complete


def _has_rows(trials: pa.Table, own: _Joined) -> Array:
    return _count(trials, own.trial) > 0


def _tasks(trials: pa.Table) -> Array:
    tasks: Array = trials["n_tasks"].to_numpy().astype(np.int64)
    return np.maximum(tasks, 0)


def _validates(trials: pa.Table) -> Array:
    """Which trials hold out a part of their training data."""
    settings = trials["train"].combine_chunks().dictionary_encode()
    shares = [_val_share(text) for text in settings.dictionary.to_pylist()]
    held_out: Array = np.array(shares, dtype=float)[settings.indices.to_numpy()] > 0
    return held_out


def _searches(trials: pa.Table) -> Array:
    """Which trials search, and so hold no test example."""
    searching: Array = pc.equal(trials["scored_on"], "val").fill_null(False).to_numpy()
    return searching


def _val_share(train: str) -> float:
    try:
        return float(json.loads(train)["val_share"])
    except (ValueError, KeyError, TypeError):  # none, or altered, which the trial's id tells
        return 0.0
