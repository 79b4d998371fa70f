"""What `clsweep status` says of a run: how far it is, who drives it, what failed, how long it still takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.durations import duration
from orchestrator.identity import names_of_rows
from orchestrator.quiet import ray_log
from orchestrator.standing import Row, Standing
from results.arrays import string
from results.notes import causes
from results.schema import COMPLETE, DIVERGED, FAILED, RUNNING, STOPPED

MOST_RUNNING = 20
"""So many running trials are listed, and the others counted."""

_ALIKE = ("scenario", "scenario_settings", "method", "model", "train")
"""Trials that agree in these columns should take about the same time, as `clsweep plan` has it too."""
_TO_COME = "not started"
_INTERRUPTED = "interrupted"
_ENDED = (COMPLETE, DIVERGED, STOPPED, FAILED)


def status_view(run: Standing) -> Iterator[RenderableType]:
    """Everything that is printed, one after the other."""
    learned = _learned(run)
    names = names_of_rows([*run.rows, *(_as_row(columns) for columns in run.to_come)])
    yield Text("\n".join([*_headline(run), *_time_left(run, learned)]))
    if names:
        yield from ("", _counts(run, [scenario for scenario, _ in names]))
    if run.driver and run.running:
        yield from ("", _at_work(run, names, learned))
        if (more := len(run.running) - MOST_RUNNING) > 0:
            yield f"and {more} more"
    if failures := causes(run.current):
        yield Text("\n".join(["", *failures, *_logs(run)]))
    yield from (Text(f"\n{note}") for note in _notes(run))


def _as_row(columns: Mapping[str, Any]) -> Row:
    """A trial that has not started, after all that have."""
    return {**columns, "status": _TO_COME, "started_at": datetime.max.replace(tzinfo=UTC)}


def _headline(run: Standing) -> Iterator[str]:
    total, ended = len(run.rows) + len(run.to_come), sum(row["status"] in _ENDED for row in run.rows)
    of = f"all {total}" if ended == total else f"{ended} of {total}"
    yield f"{run.store.root}: {of} trials have ended" if total else f"{run.store.root}: no trials yet"
    if run.driver:
        seen = duration(run.driver.silent_s)
        yield f"driven by process {run.driver.process} on {run.driver.host}, last seen {seen} ago"
        return
    left = total - ended
    many = len(run.running)
    were = f"; {many} trial{'s were' if many != 1 else ' was'} interrupted" if many else ""
    yield f"no driver is running{were}"
    if left or any(row["status"] == FAILED for row in run.rows):
        yield f"to continue: {run.continuation}"


def _time_left(run: Standing, learned: Mapping[str, int]) -> Iterator[str]:
    """How long the rest should take, from ended trials of the same settings."""
    if not run.running and not run.to_come:
        return
    seconds, at_once = _seconds_left(run, learned), len(run.running)
    if run.driver and (seconds is None or not at_once):
        yield "time left: not known yet"
    elif run.driver and seconds is not None:
        together = f", {at_once} trials side by side" if at_once > 1 else ""
        yield f"time left: about {duration(seconds / at_once)}{together}"
    elif seconds is not None:
        yield f"left to do: about {duration(seconds)}, one trial after another"


def _seconds_left(run: Standing, learned: Mapping[str, int]) -> float | None:
    """Seconds of work, one trial after another; None where no trial of some settings has ended."""
    spent = _spent(run.rows, DIVERGED) | _spent(run.rows, COMPLETE)
    left = [(_alike(columns), 1.0) for columns in run.to_come]
    left += [(_alike(row), 1 - learned[row["trial_id"]] / row["n_tasks"]) for row in run.running]
    if any(key not in spent for key, _ in left):
        return None
    return sum(share * sum(spent[key]) / len(spent[key]) for key, share in left)


def _spent(rows: Iterable[Row], status: str) -> dict[tuple[str, ...], list[float]]:
    """What trials that ended with *status* took, by settings."""
    spent: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        if row["status"] == status:
            spent.setdefault(_alike(row), []).append(row["train_s"] + row["eval_s"])
    return spent


def _alike(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in _ALIKE)


def _learned(run: Standing) -> Counter[str]:
    """The tasks that each running trial has learned."""
    ids = {row["trial_id"] for row in run.running}
    if not ids:
        return Counter()
    return Counter(name for name in run.store.tasks()["trial_id"].to_pylist() if name in ids)


def _counts(run: Standing, scenarios: list[str]) -> Table:
    """Trials by scenario and status; a status that no trial has is left out."""
    order = run.spec.scenario_labels if run.spec else []
    counts: dict[str, Counter[str]] = {}
    for label in order:  # a scenario with several settings has several names, which begin alike
        counts |= {name: Counter() for name in sorted(set(scenarios)) if name.partition(" ")[0] == label}
    statuses = [*(_shown_as(row, run) for row in run.rows), *[_TO_COME] * len(run.to_come)]
    for name, status in zip(scenarios, statuses, strict=True):
        counts.setdefault(name, Counter())[status] += 1
    total = sum(counts.values(), Counter())
    columns = [
        each
        for each in (COMPLETE, RUNNING, _INTERRUPTED, FAILED, DIVERGED, STOPPED, _TO_COME)
        if total[each] or each == COMPLETE
    ]
    table = Table(box=None, padding=(0, 2, 0, 0), show_footer=True)
    table.add_column("scenario", "all", overflow="fold")
    table.add_column("trials", str(total.total()), justify="right")
    for column in columns:
        table.add_column(column, str(total[column]), justify="right")
    for name, count in counts.items():
        table.add_row(name, str(count.total()), *(str(count[column]) for column in columns))
    return table


def _shown_as(row: Row, run: Standing) -> str:
    return _INTERRUPTED if row["status"] == RUNNING and not run.driver else str(row["status"])


def _at_work(run: Standing, names: list[tuple[str, str]], learned: Mapping[str, int]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("running", "method"):
        table.add_column(column, overflow="fold")
    for column in ("seed", "task", "for"):
        table.add_column(column, justify="right")
    named = sorted(
        ((row["started_at"], name, row) for row, name in zip(run.rows, names, strict=False)),
        key=lambda each: each[0],
    )
    now = datetime.now(UTC)
    at_work = [each for each in named if each[2]["status"] == RUNNING]
    for started_at, (scenario, cell), row in at_work[:MOST_RUNNING]:
        task = min(learned[row["trial_id"]] + 1, row["n_tasks"])
        since = duration((now - started_at).total_seconds())
        table.add_row(scenario, cell, str(row["seed"]), f"{task} of {row['n_tasks']}", since)
    return table


def _logs(run: Standing) -> Iterator[str]:
    yield f"tracebacks: column error of {run.store.root}/trials"
    failed = run.current.filter(pc.equal(run.current["status"], string(FAILED)))
    if failed["ray_version"].null_count < len(failed):
        yield f"Ray's log: {ray_log(run.store.root)}"


def _notes(run: Standing) -> Iterator[str]:
    if run.trouble:
        yield f"How many trials are planned is not known: {run.trouble}"
    if stale := len(run.trials) - len(run.current):
        yield f"{stale} trial{'s' if stale > 1 else ''} of earlier settings are not counted."
    for path, reason in run.store.damaged.items():
        yield f"cannot read {path}: {reason}"
