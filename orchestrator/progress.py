"""What a person sees while a sweep runs: a live view in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cl.metrics import UndefinedMetric, acc
from orchestrator.durations import duration
from orchestrator.outcome import Outcome
from orchestrator.recording import Watcher
from results.schema import COMPLETE, RUNNING
from results.statistics import mean_interval
from sweeps.trials import Trial

LINE_EVERY_S = 10.0


@dataclass
class Progress:
    """Counts, time left and the means so far; a `Watcher`.

    Args:
        work: work of each trial that is to run, by trial id, in any unit.
        cells: scenario and cell of every planned trial, by trial id, in the order to show them.
        before: final accuracy of the trials that earlier runs completed, None where it is undefined.
    """

    work: Mapping[str, float]
    cells: Mapping[str, tuple[str, str]]
    before: Mapping[str, float | None]
    ended: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    trouble: str | None = None
    """What is wrong with the storage while writing is tried again."""
    unsaved: str | None = None
    """Why a trial's last checkpoint could not be written."""
    running: dict[str, tuple[Trial, Outcome | None]] = field(default_factory=dict)
    _scores: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _work_done: float = 0.0
    _start: float | None = None

    def __post_init__(self) -> None:
        """Begin with what earlier runs found."""
        self._scores = {cell: [] for cell in self.cells.values()}
        for trial_id, accuracy in self.before.items():
            if accuracy is not None:
                self._scores[self.cells[trial_id]].append(accuracy)

    def started(self, trial: Trial) -> None:
        """Count *trial* as running."""
        self._start = self._start or time.monotonic()
        self.running[trial.id] = (trial, None)

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """Count what *trial* has done, and its final accuracy once it is complete."""
        self.unsaved = outcome.trouble
        if outcome.status == RUNNING:
            self.running[trial.id] = (trial, outcome)
            return
        self.running.pop(trial.id, None)
        self.ended[outcome.status] += 1
        self._work_done += self.work[trial.id]
        if outcome.status == COMPLETE:
            accuracy = final_accuracy(outcome.matrix())
            if accuracy is not None:
                self._scores[self.cells[trial.id]].append(accuracy)

    def waiting(self, trial: Trial) -> None:
        """Count *trial* as one that waits for its start."""
        self.running.pop(trial.id, None)

    def storage_trouble(self, trouble: str | None) -> None:
        """Show what is wrong with the storage, None once it works again."""
        self.trouble = trouble

    def seconds_left(self) -> float | None:
        """Expected seconds until the last trial ends; None before anything has been learned."""
        learning = sum(
            self.work[trial.id] * (len(outcome.reports) - 1) / outcome.n_tasks
            for trial, outcome in self.running.values()
            if outcome is not None
        )
        done = self._work_done + learning
        if not done or self._start is None:
            return None
        return (time.monotonic() - self._start) * (sum(self.work.values()) - done) / done

    def headline(self) -> str:
        """One line: trials done and running, failures, time left."""
        ended = sum(self.ended.values())
        parts = [f"{ended + len(self.cells) - len(self.work)}/{len(self.cells)} trials"]
        parts.append(f"{len(self.running)} running")
        parts += [f"{self.ended[status]} {status}" for status in ("failed", "diverged") if self.ended[status]]
        parts += [self.trouble] if self.trouble else []
        parts += [f"no checkpoint: {self.unsaved}"] if self.unsaved else []
        left = 0.0 if ended == len(self.work) else self.seconds_left()
        parts.append("time left: " + ("not known yet" if left is None else duration(left)))
        return ", ".join(parts)

    def means(self) -> Iterator[tuple[str, str, int, str]]:
        """Scenario, cell, seeds so far and mean accuracy with its 95 % interval."""
        for (scenario, cell), values in self._scores.items():
            if values:
                interval = mean_interval(values)
                half = "" if interval.half_width is None else f" ± {interval.half_width:.3f}"
                yield scenario, cell, interval.n, f"{interval.mean:.3f}{half}"

    def __rich__(self) -> RenderableType:
        """The live view: a bar, the headline and one line per cell."""
        total = len(self.cells)
        done = sum(self.ended.values()) + total - len(self.work)
        bar = ProgressBar(total=total, completed=done, width=30)
        head = Table.grid(padding=(0, 2))
        head.add_row(bar, Text(self.headline() if self._start else "starting"))
        table = Table(box=None, padding=(0, 2, 0, 0))
        for column in ("scenario", "method"):
            table.add_column(column)
        for column in ("n", "ACC so far"):
            table.add_column(column, justify="right")
        last = None
        for scenario, cell, n, mean in self.means():
            table.add_row("" if scenario == last else scenario, cell, str(n), mean)
            last = scenario
        return Group(head, table if last else Text(""))


class View(Watcher, Protocol):
    """A watcher that can be shown."""

    def storage_trouble(self, trouble: str | None) -> None:
        """Show what is wrong with the storage, None once it works again."""

    def headline(self) -> str:
        """How it is getting on, in one line."""

    def __rich__(self) -> RenderableType:
        """How it is getting on, for a terminal."""


class Lines:
    """Prints the headline now and then, for logs: a `Watcher` around a view."""

    def __init__(self, progress: View, console: Console) -> None:
        self._progress = progress
        self._console = console
        self._last = time.monotonic()

    def started(self, trial: Trial) -> None:
        """Pass it on."""
        self._progress.started(trial)

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """Pass it on, and print a line if the last one is old."""
        self._progress.reported(trial, outcome)
        if time.monotonic() - self._last >= LINE_EVERY_S:
            self._console.print(self._progress.headline())
            self._last = time.monotonic()

    def waiting(self, trial: Trial) -> None:
        """Pass it on."""
        self._progress.waiting(trial)


@contextmanager
def shown(progress: View, console: Console) -> Iterator[Watcher]:
    """Show *progress* on *console* until the block ends: live in a terminal, else as plain lines."""
    if not console.is_terminal:
        yield Lines(progress, console)
        console.print(progress.headline())
        return
    with Live(progress, console=console, refresh_per_second=4, transient=True):
        yield progress


def final_accuracy(R: NDArray[np.float64]) -> float | None:
    """ACC of an accuracy matrix, None where a cell of it is missing."""
    try:
        return acc(R)
    except UndefinedMetric:
        return None
