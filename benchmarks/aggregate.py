"""A million accuracy rows: how long it takes to make them a table of every metric with its interval.

9100 trials of ten tasks, an accuracy matrix of 110 rows each: in five scenarios joint training and six
methods with fifteen values of a hyperparameter, twenty seeds. `summarise` computes all metrics of all trials,
and their means over seeds with intervals, from tables in memory; the same again with reading them from
Parquet, through the snapshot of a run's 18,200 parts. In turn with it two programs that one would write
oneself compute ACC alone: trial by trial from a matrix each, with NumPy; and all at once, with pandas. Times
are medians, of the clock and, in brackets, of the processor, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from machine import machine

from cl.metrics import METRICS
from results.schema import ACCURACY, COMPLETE, TRIALS, to_rows, to_table
from results.snapshot import SETTLED_S
from results.store import Store
from results.summary import CellSummary, summarise

SCENARIOS = (
    "class-il/permuted-mnist",
    "class-il/split-cifar100",
    "domain-il/permuted-mnist",
    "domain-il/rotated-mnist",
    "task-il/split-cifar100",
)
METHODS = ("ewc", "si", "lwf", "replay", "gem", "derpp")
STRENGTHS, SEEDS, TASKS = 15, 20, 10
ROWS = TASKS * (TASKS + 1)
"""Of a trial: the untrained model, and the model after every task, on every task."""
TARGET_S = 2.0
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder with a random name is made in it
"""Where parts are written, if it is there: a disk takes minutes to say that it has each of so many."""

THE_SAME = {
    "sweep": "aggregate",
    "stream": "s",
    "scenario_settings": json.dumps({"tasks": TASKS}),
    "model": json.dumps({"hidden": [256, 256]}),
    "train": json.dumps({"lr": 0.01, "epochs": 5}),
    "n_tasks": TASKS,
    "status": COMPLETE,
    "attempts": 1,
    "train_s": 1.0,
    "device": "cpu",
    "threads": 1,
    "cpu": 1.0,
    "gpu": 0.0,
    "data_digest": "d1",
    "results_version": 1,
    **dict.fromkeys(("clsweep_version", "python_version", "torch_version"), "1"),
}


def trials_of(strengths: int, seeds: int) -> Iterator[Mapping[str, Any]]:
    """Rows of the trials table: every scenario, joint and every method with every strength, every seed."""
    cells = [("joint", {}), *((name, {"strength": 10.0**k}) for name in METHODS for k in range(strengths))]
    for number, (scenario, cell, seed) in enumerate(product(SCENARIOS, cells, range(seeds))):
        yield {
            **THE_SAME,
            "trial_id": f"{number:012x}",
            "scenario": scenario,
            "kind": scenario.partition("/")[0],
            "method": cell[0],
            "hyperparameters": json.dumps(cell[1]),
            "seed": seed,
            "started_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
        }


def accuracy_of(trials: pa.Table, random: np.random.Generator) -> pa.Table:
    """The accuracy rows of *trials*, uniform numbers."""
    n = len(trials)
    after, task = (column.ravel().astype(np.int32) for column in np.mgrid[-1:TASKS, :TASKS])
    of_trial = pa.array(np.repeat(np.arange(n), ROWS))
    columns = {
        **{name: trials[name].take(of_trial) for name in ("trial_id", "scenario", "method", "seed")},
        "after_task": pa.array(np.tile(after, n)),
        "eval_task": pa.array(np.tile(task, n)),
        "split": pa.array(["test"]).take(pa.array(np.zeros(n * ROWS, np.int64))),
        "accuracy": pa.array(random.random(n * ROWS)),
        "n_eval": pa.array(np.full(n * ROWS, 1000, np.int32)),
    }
    return pa.table([columns[name] for name in ACCURACY.names], schema=ACCURACY)


def trial_by_trial(accuracy: pa.Table) -> dict[str, float]:
    """ACC by trial, each from its own matrix; the rows of a trial stand together."""
    columns = (accuracy[name].to_numpy() for name in ("trial_id", "eval_task", "after_task", "accuracy"))
    trial, task, after, value = columns
    starts = np.flatnonzero(np.append(True, trial[1:] != trial[:-1]))
    found = {}
    for start, end in zip(starts, [*starts[1:], len(trial)], strict=True):
        R = np.full((TASKS, TASKS + 1), np.nan)
        R[task[start:end], after[start:end] + 1] = value[start:end]
        found[trial[start]] = float(R[:, -1].mean())
    return found


def all_at_once(accuracy: pa.Table) -> dict[str, float]:
    """ACC by trial, as one line of pandas computes it."""
    rows = accuracy.to_pandas()
    means = rows[rows["after_task"] == TASKS - 1].groupby("trial_id")["accuracy"].mean()
    return {str(trial_id): float(acc) for trial_id, acc in means.items()}


def accs(cells: list[CellSummary], trials: pa.Table) -> dict[str, float]:
    """ACC by trial, as `summarise` has it."""
    of = {(cell.scenario, cell.method, json.dumps(cell.hyperparameters)): cell for cell in cells}
    return {
        row["trial_id"]: of[row["scenario"], row["method"], row["hyperparameters"]].values["acc"][row["seed"]]
        for row in to_rows(trials)
    }


class Lap(NamedTuple):
    """How long something took, in seconds of the clock and of the processor, and what it gave."""

    wall: float
    processor: float
    found: Any

    @classmethod
    def of(cls, action: Callable[[], Any]) -> Lap:
        """Do it once."""
        start, spent = time.perf_counter(), time.process_time()
        found = action()
        return cls(time.perf_counter() - start, time.process_time() - spent, found)


def medians(laps: Sequence[Lap]) -> tuple[float, str]:
    """Seconds of the clock, and a text with those of the processor as well."""
    wall, processor = (statistics.median(lap[column] for lap in laps) for column in (0, 1))
    return wall, f"{wall:.3f} s ({processor:.3f} s)"


def through_the_store(trials: pa.Table, accuracy: pa.Table, folder: Path, rounds: int) -> str:
    """Times to read the tables from *folder* through its snapshot, and to aggregate them."""
    store = Store(folder)
    for position, row in enumerate(to_rows(trials)):
        store.write_trial(row)
        store.write_accuracy(row["trial_id"], to_rows(accuracy.slice(position * ROWS, ROWS)))
    time.sleep(SETTLED_S + 0.1)  # a snapshot leaves out parts that have just been written

    def read() -> list[CellSummary]:
        again = Store(folder)
        return summarise(again.trials(), again.accuracy())

    read()  # leaves the snapshot behind
    return medians([Lap.of(read) for _ in range(rounds)])[1]


def compare(trials: pa.Table, accuracy: pa.Table, rounds: int) -> None:
    """Time `summarise` and the two programs in turn, and print medians."""
    programs: dict[str, Callable[[], Any]] = {
        "all metrics, summarise": partial(summarise, trials, accuracy),
        "ACC alone, trial by trial": partial(trial_by_trial, accuracy),
        "ACC alone, pandas": partial(all_at_once, accuracy),
    }
    rounds_of = [{name: Lap.of(program) for name, program in programs.items()} for _ in range(rounds)]
    cells, *others = (lap.found for lap in rounds_of[0].values())
    for other in others:
        assert all(abs(acc - other[trial_id]) < 1e-12 for trial_id, acc in accs(cells, trials).items())
    (what, (ours, text)), *theirs = ((name, medians([laps[name] for laps in rounds_of])) for name in programs)
    missed = "; MISSED" if ours >= TARGET_S else ""
    print(f"{what}: {text}, target: less than {TARGET_S:g} s{missed}")
    for name, (seconds, text) in theirs:
        print(f"{name}: {text}, {seconds / ours:.2f} times as long", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a few trials: shows that the script runs")
    arguments = parser.parse_args()
    rounds, strengths, seeds = (1, 1, 3) if arguments.quick else (arguments.rounds, STRENGTHS, SEEDS)
    trials = to_table(TRIALS, list(trials_of(strengths, seeds)))
    accuracy = accuracy_of(trials, np.random.default_rng(0))
    print(f"{machine()}; {len(trials)} trials, {len(accuracy)} accuracy rows, {len(METRICS)} metrics")
    compare(trials, accuracy, rounds)
    memory = IN_MEMORY if IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="clsweep-", dir=memory) as folder:
        text = through_the_store(trials, accuracy, Path(folder), rounds)
    print(f"all metrics, with reading through the snapshot: {text}")


if __name__ == "__main__":
    main()
