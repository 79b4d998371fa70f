"""The tables of a run, made by hand trial by trial."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from rich.console import Console, RenderableType

from results.schema import ACCURACY, COMPLETE, TASKS, TRIALS, to_table
from results.store import Store
from results.summary import CellSummary, summarise

START = datetime(2026, 1, 1, tzinfo=UTC)
NO_COST = {"train_s": 0.0, "eval_s": 0.0, "steps": 0, "parameters": 0}


class Rows:
    """Rows of a sweep, added in the order in which trials start."""

    def __init__(self) -> None:
        self._trials: list[dict[str, object]] = []
        self._accuracy: list[dict[str, object]] = []
        self._tasks: list[dict[str, object]] = []

    def add(
        self,
        method: str,
        seed: int,
        R: Sequence[Sequence[float | None]],
        *,
        untrained: Sequence[float | None] = (),
        tasks: Sequence[Mapping[str, object]] = (),
        kind: str = "domain-il",
        status: str = COMPLETE,
        hyperparameters: object = None,
        train: object = None,
        model: object = None,
        **columns: object,
    ) -> Rows:
        """A trial with its accuracy matrix, the untrained model's accuracies and its rows by task.

        *columns* are further ones of its row.
        """
        identity = {
            "trial_id": f"t{len(self._trials)}",
            "scenario": f"{kind}/split-digits",
            "method": method,
            "seed": seed,
        }
        self._trials.append(
            {
                **identity,
                **dict.fromkeys(("clsweep_version", "python_version", "torch_version"), "1"),
                "scenario_settings": json.dumps({"tasks": len(R)}),
                "hyperparameters": json.dumps(hyperparameters or {}),
                "model": json.dumps(model or {"name": "mlp"}),
                "train": json.dumps(train or {"lr": 0.01}),
                "sweep": "s",
                "kind": kind,
                "stream": "split-digits",
                "n_tasks": len(R),
                "status": status,
                "attempts": 1,
                "started_at": START + timedelta(seconds=len(self._trials)),
                "device": "cpu",
                "threads": 1,
                "cpu": 1.0,
                "gpu": 0.0,
                "data_digest": "d1",
                "results_version": 1,
                **columns,
            }
        )
        for task, row in enumerate(R):
            before = {-1: untrained[task]} if untrained else {}
            for after, accuracy in {**before, **dict(enumerate(row))}.items():
                cell = {"after_task": after, "eval_task": task, "accuracy": accuracy}
                self._accuracy.append({**identity, **cell, "split": "test", "n_eval": 10})
        self._tasks += [{**identity, **NO_COST, "task": task, **values} for task, values in enumerate(tasks)]
        return self

    @property
    def trials(self) -> pa.Table:
        """One row per trial."""
        return to_table(TRIALS, self._trials)

    @property
    def accuracy(self) -> pa.Table:
        """One row per accuracy."""
        return to_table(ACCURACY, self._accuracy)

    @property
    def tasks(self) -> pa.Table:
        """One row per task learned, the last task first: a reader must not rely on their order."""
        return to_table(TASKS, self._tasks[::-1])

    @property
    def cells(self) -> list[CellSummary]:
        """What the tables are made of."""
        return summarise(self.trials, self.accuracy)

    def written(self, root: Path) -> Store:
        """The rows as a run in the folder *root*."""
        store = Store(root)
        for row in self._trials:
            its = {
                name: [each for each in rows if each["trial_id"] == row["trial_id"]]
                for name, rows in (("accuracy", self._accuracy), ("tasks", self._tasks))
            }
            store.write_accuracy(row["trial_id"], its["accuracy"])
            store.write_tasks(row["trial_id"], its["tasks"])
            store.write_trial(row)
        return store


def screen(renderables: Iterable[RenderableType], width: int = 80) -> list[str]:
    """What a terminal of that width shows, a line each, without trailing blanks."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    for renderable in renderables:
        console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]
