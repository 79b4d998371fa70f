"""Whole runs, made by hand trial by trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from made_rows import Rows

from results.schema import TRIALS, to_rows, to_table
from results.store import Store
from results.summary import summarise
from results.sweep import Sweep


def made_sweep(name: str, rows: Rows, **columns: object) -> Sweep:
    """The run ``runs/<name>`` with those rows, of which *columns* of the trials table are the same in all."""
    trials = to_table(TRIALS, [row | columns for row in to_rows(rows.trials)])
    cells = summarise(trials, rows.accuracy, reference="joint")
    return Sweep(Store(f"runs/{name}"), trials, rows.accuracy, cells)


def with_column(sweep: Sweep, name: str, values: Sequence[object]) -> Sweep:
    """The same run with that column of the trials table, a value for each row."""
    rows = [row | {name: value} for row, value in zip(to_rows(sweep.trials), values, strict=True)]
    return replace(sweep, trials=to_table(TRIALS, rows))


def with_acc(acc: float, *, learned: float = 0.9) -> list[list[float]]:
    """An accuracy matrix of two tasks: ACC is *acc*, BWT *acc* - *learned*, and FM what BWT is below zero."""
    return [[learned, acc], [0.5, acc]]


def seeds_of(rows: Rows, method: str, accs: Mapping[int, float], **settings: object) -> Rows:
    """The *rows*, and one more trial with that ACC for each seed."""
    for seed, acc in accs.items():
        rows.add(method, seed, with_acc(acc), **settings)
    return rows
