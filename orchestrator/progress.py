"""What a person sees while a sweep runs: a live view in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cl.metrics import UndefinedMetric, acc
from orchestrator.matrix import matrix_of
from orchestrator.outcome import Outcome
from results.schema import COMPLETE, RUNNING
from results.statistics import mean_interval
from sweeps.trials import Trial

LINE_EVERY_S = 10.0


@dataclass
class Progress:
    """Counts, time left and the means so far; a `Watcher`.

    Args:
        work: work of each trial that is to run, by trial id, in any unit.
        labels: what to call each trial's cell.
        done_before: trials that earlier runs completed.
    """

    work: Mapping[str, float]
    labels: Mapping[str, str]
    done_before: int = 0
    ended: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    running: dict[str, tuple[Trial, Outcome | None]] = field(default_factory=dict)
    _scores: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    _work_done: float = 0.0
    _start: float | None = None

    def started(self, trial: Trial) -> None:
        """Count *trial* as running."""
        self._start = self._start or time.monotonic()
        self.running[trial.id] = (trial, None)

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """Count what *trial* has done, and its final accuracy once it is complete."""
        if outcome.status == RUNNING:
            self.running[trial.id] = (trial, outcome)
            return
        self.running.pop(trial.id, None)
        self.ended[outcome.status] += 1
        self._work_done += self.work[trial.id]
        if outcome.status == COMPLETE:
            try:
                value = acc(matrix_of(outcome))
            except UndefinedMetric:
                return
            self._scores[trial.scenario.label][self.labels[trial.id]].append(value)

    def seconds_left(self) -> float | None:
        """Expected seconds until the last trial ends; None before anything has been learned."""
        learning = sum(
            self.work[trial.id] * (len(outcome.reports) - 1) / max(1, len(matrix_of(outcome)))
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
        parts = [f"{ended + self.done_before}/{len(self.work) + self.done_before} trials"]
        parts.append(f"{len(self.running)} running")
        parts += [f"{self.ended[status]} {status}" for status in ("failed", "diverged") if self.ended[status]]
        left = self.seconds_left()
        parts.append("time left: " + ("not known yet" if left is None else duration(left)))
        return ", ".join(parts)

    def means(self) -> Iterator[tuple[str, str, int, str]]:
        """Scenario, cell, seeds so far and mean accuracy with its 95 % interval, of this run's trials."""
        for scenario, cells in list(self._scores.items()):
            for cell, values in list(cells.items()):
                interval = mean_interval(values)
                half = "" if interval.half_width is None else f" ± {interval.half_width:.3f}"
                yield scenario, cell, interval.n, f"{interval.mean:.3f}{half}"

    def __rich__(self) -> RenderableType:
        """The live view: a bar, the headline and one line per cell."""
        total = len(self.work) + self.done_before
        bar = ProgressBar(total=total, completed=sum(self.ended.values()) + self.done_before, width=40)
        table = Table(box=None, padding=(0, 2, 0, 0))
        for column in ("scenario", "method"):
            table.add_column(column)
        for column in ("n", "ACC so far"):
            table.add_column(column, justify="right")
        last = None
        for scenario, cell, n, mean in self.means():
            table.add_row("" if scenario == last else scenario, cell, str(n), mean)
            last = scenario
        return Group(bar, Text(self.headline()), table if last else Text(""))


class Lines:
    """Prints the headline now and then, for logs: a `Watcher` around a `Progress`."""

    def __init__(self, progress: Progress, console: Console) -> None:
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


@contextmanager
def shown(progress: Progress, console: Console) -> Iterator[Progress | Lines]:
    """Show *progress* on *console* until the block ends: live in a terminal, else as plain lines."""
    if not console.is_terminal:
        yield Lines(progress, console)
        console.print(progress.headline())
        return
    with Live(progress, console=console, refresh_per_second=4, transient=True):
        yield progress


def duration(seconds: float) -> str:
    """Seconds in words a person reads at a glance.

    >>> duration(42), duration(150), duration(7300)
    ('42 s', '2 min 30 s', '2 h 1 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
