"""What a person sees while a sweep is tuned: how far each search is and the best it has found."""

from __future__ import annotations

import time
from collections import Counter

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.course import Course
from orchestrator.durations import duration
from orchestrator.outcome import Outcome
from orchestrator.tuning import TunedSweep
from results.labels import label
from results.schema import DIVERGED, FAILED, RUNNING
from sweeps.trials import Trial


class TuningProgress:
    """Counts, time left at most and the best so far; a `View` that also tells the sweep what it hears."""

    def __init__(self, sweep: TunedSweep) -> None:
        self._sweep = sweep
        self._running: set[str] = set()
        self._ended = Counter[str]()
        self._done_before = sweep.done
        self._start: float | None = None
        self._trouble: str | None = None
        self._unsaved: str | None = None

    def started(self, trial: Trial) -> None:
        """Count *trial* as running."""
        self._start = self._start or time.monotonic()
        self._running.add(trial.id)

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """Count what *trial* has done, and let the searches go on by it."""
        self._unsaved = outcome.trouble
        self._sweep.heard(trial, outcome)
        if outcome.status != RUNNING:
            self._running.discard(trial.id)
            self._ended[outcome.status] += 1
        elif not self._sweep.is_out(trial):
            self._running.discard(trial.id)  # it pauses until it is known whether it goes on

    def waiting(self, trial: Trial) -> None:
        """Count *trial* as one that waits for its start."""
        self._running.discard(trial.id)

    def storage_trouble(self, trouble: str | None) -> None:
        """Show what is wrong with the storage, None once it works again."""
        self._trouble = trouble

    def headline(self) -> str:
        """One line: trials done and at most to come, failures, time left."""
        done, most = self._sweep.done, self._sweep.at_most
        parts = [f"{done} of {'' if done == most else 'at most '}{most} trials"]
        parts.append(f"{len(self._running)} running")
        parts += [f"{self._ended[status]} {status}" for status in (FAILED, DIVERGED) if self._ended[status]]
        parts += [self._trouble] if self._trouble else []
        parts += [f"no checkpoint: {self._unsaved}"] if self._unsaved else []
        left = self._seconds_left(done, most)
        parts.append("time left: " + ("not known yet" if left is None else f"at most {duration(left)}"))
        return ", ".join(parts)

    def _seconds_left(self, done: int, most: int) -> float | None:
        if self._sweep.finished:
            return 0.0
        here = done - self._done_before
        if self._start is None or not here:
            return None
        return (time.monotonic() - self._start) * (most - done) / here

    def __rich__(self) -> RenderableType:
        """The live view: a bar, the headline and one line per study."""
        bar = ProgressBar(total=self._sweep.at_most, completed=self._sweep.done, width=30)
        head = Table.grid(padding=(0, 2))
        head.add_row(bar, Text(self.headline() if self._start else "starting"))
        table = Table(box=None, padding=(0, 2, 0, 0))
        for column in ("scenario", "method", "", "best so far"):
            table.add_column(column)
        last = None
        for course in self._sweep.courses:
            scenario = course.scenario
            state, best = self._sweep.state(course), _best_so_far(self._sweep, course)
            table.add_row("" if scenario == last else scenario, course.method, state, best)
            last = scenario
        return Group(head, table)


def _best_so_far(sweep: TunedSweep, course: Course) -> str:
    best = sweep.best(course)
    if best is None:
        return ""
    hyperparameters, mean, n = best
    return label(f"{course.tune.settings.metric} {mean:.3f} (n={n})", hyperparameters, course.study.names)
