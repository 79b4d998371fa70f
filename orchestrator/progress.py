"""How far a sweep is: counts, the time left of each scenario, and the means so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from cl.metrics import UndefinedMetric, acc
from orchestrator.durations import duration
from orchestrator.live_layout import Bar, Block, Column, Picture, Row
from orchestrator.live_trials import LiveTrials
from orchestrator.outcome import Outcome
from results.schema import COMPLETE, DIVERGED, FAILED, RUNNING
from results.statistics import mean_interval
from sweeps.trials import Trial

Cell = tuple[str, str]
"""A scenario and a line of its table."""


@dataclass
class _Scenario:
    """What is done of one scenario.

    Attributes:
        trials, done: how many there are, and how many ended, in earlier runs too.
        failed, diverged: how many of those that ended in this run.
        last: the place of its last trial among all that are to run, in their order; -1 without one.
        ahead: work of all trials up to there that have not ended, also those of other scenarios.
    """

    trials: int = 0
    done: int = 0
    failed: int = 0
    diverged: int = 0
    last: int = -1
    ahead: float = 0.0

    @property
    def rank(self) -> int:
        """By which the most telling ones come first: those at work, those to come, those done."""
        return 2 if self.done == self.trials else 0 if self.done else 1


class Progress(LiveTrials):
    """Counts, time left and the means so far; a `View`.

    Args:
        work: work of each trial that is to run, by trial id in the order of running, in any unit.
        cells: scenario and cell of every planned trial, by trial id, in the order to show them.
        before: final accuracy of the trials that earlier runs completed, None where it is undefined.
        begun, tasks: as `LiveTrials` has them.
    """

    def __init__(
        self,
        work: Mapping[str, float],
        cells: Mapping[str, Cell],
        before: Mapping[str, float | None],
        *,
        begun: Collection[str] = (),
        tasks: Callable[[Trial], int] | None = None,
    ) -> None:
        super().__init__(begun=begun, tasks=tasks)
        self._work = work
        self._work_in_all = sum(work.values())
        self._work_done = 0.0
        self._cells = cells
        self._places = {trial_id: place for place, trial_id in enumerate(work)}
        self._scenarios = self._counted()
        self._scores: dict[Cell, list[float]] = {cell: [] for cell in cells.values()}
        self._means: dict[Cell, str] = {}
        self._latest: dict[Cell, None] = {}
        """Those that have a score, the one that was given one last at the end."""
        for trial_id, accuracy in before.items():
            self._score(self._cells[trial_id], accuracy)

    def _counted(self) -> dict[str, _Scenario]:
        """What is done of each scenario before the first trial."""
        scenarios = {scenario: _Scenario() for scenario, _ in self._cells.values()}
        for trial_id, (scenario, _) in self._cells.items():
            scenarios[scenario].trials += 1
            scenarios[scenario].done += trial_id not in self._work
        ahead = 0.0
        for place, (trial_id, work) in enumerate(self._work.items()):
            ahead += work
            own = scenarios[self._cells[trial_id][0]]
            own.last, own.ahead = place, ahead
        return scenarios

    def _named(self, trial: Trial) -> tuple[str, str]:
        return self._cells[trial.id]

    def _score(self, cell: Cell, accuracy: float | None) -> None:
        if accuracy is not None:
            self._scores[cell].append(accuracy)
            self._means.pop(cell, None)
            self._latest.pop(cell, None)
            self._latest[cell] = None

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """Count what *trial* has done, and its final accuracy once it is complete."""
        with self._lock:
            super().reported(trial, outcome)
            if outcome.status == RUNNING:
                return
            self._work_done += self._work[trial.id]
            own = self._scenarios[self._cells[trial.id][0]]
            own.done += 1
            own.failed += outcome.status == FAILED
            own.diverged += outcome.status == DIVERGED
            for each in self._scenarios.values():
                if each.last >= self._places[trial.id]:
                    each.ahead -= self._work[trial.id]
            if outcome.status == COMPLETE:
                self._score(self._cells[trial.id], final_accuracy(outcome.matrix()))

    def seconds_left(self) -> float | None:
        """Expected seconds until the last trial ends; None before anything has been learned."""
        with self._lock:
            pace, learning = self._pace(), sum(self._learning().values())
        return None if pace is None else pace * (self._work_in_all - self._work_done - learning)

    def _learning(self) -> dict[str, float]:
        """Work that the running trials have done, by trial id."""
        return {trial_id: self._work[trial_id] * each.share for trial_id, each in self.running.items()}

    def _pace(self) -> float | None:
        """Seconds that a unit of work took so far."""
        done = self._work_done + sum(self._learning().values())
        return (time.monotonic() - self._start) / done if done and self._start is not None else None

    def headline(self) -> str:
        """One line: trials done and running, failures, time left."""
        with self._lock:
            left = 0.0 if self._is_over else self.seconds_left()
            words = "time left: " + ("not known yet" if left is None else duration(left))
            return ", ".join([self._trials, *self._counts, *self._troubles, words])

    @property
    def _done(self) -> int:
        return self.ended.total() + len(self._cells) - len(self._work)

    @property
    def _trials(self) -> str:
        return f"{self._done}/{len(self._cells)} trials"

    @property
    def _is_over(self) -> bool:
        return self.ended.total() == len(self._work)

    def means(self) -> Iterator[tuple[str, str, int, str]]:
        """Scenario, cell, seeds so far and mean accuracy with its 95 % interval."""
        for cell, values in self._scores.items():
            if values:
                yield *cell, len(values), self._mean(cell)

    def _mean(self, cell: Cell) -> str:
        if cell not in self._means:
            interval = mean_interval(self._scores[cell])
            half = "" if interval.half_width is None else f" ± {interval.half_width:.3f}"
            self._means[cell] = f"{interval.mean:.3f}{half}"
        return self._means[cell]

    def drawn(self, width: int, height: int, in_use: str = "", *, ascii_only: bool = False) -> list[Text]:
        """As in `LiveTrials`."""
        mean_interval((0.0, 1.0))  # the first one takes a moment to load, for which nobody is to wait
        return super().drawn(width, height, in_use, ascii_only=ascii_only)

    def _picture(self, in_use: str) -> Picture:
        left = 0.0 if self._is_over else self.seconds_left()
        words = "time left not known yet" if left is None else f"{duration(left)} left"
        blocks = [self._block_of_scenarios(), self._block_of_running(in_use), self._block_of_means()]
        share = self._done / len(self._cells)
        return Picture(share, list(self._facts(self._trials, words)), self._troubles, blocks)

    def _block_of_scenarios(self) -> Block:
        columns = (
            Column(least=9),
            Column(is_bar=True),
            Column(right=True),
            Column(right=True),
            Column(goes=1),
        )
        return Block(columns, len(self._scenarios), self._scenario_rows)

    def _scenario_rows(self, count: int) -> Sequence[Row]:
        ranked = sorted(self._scenarios, key=lambda scenario: self._scenarios[scenario].rank)[:count]
        pace, learning = self._pace(), self._learning()
        return [
            self._scenario_row(scenario, pace, learning) for scenario in self._scenarios if scenario in ranked
        ]

    def _scenario_row(self, name: str, pace: float | None, learning: Mapping[str, float]) -> Row:
        own = self._scenarios[name]
        if own.done == own.trials:
            left = "done"
        elif pace is None:
            left = ""
        else:
            begun = sum(work for trial_id, work in learning.items() if self._places[trial_id] <= own.last)
            left = f"{duration(pace * (own.ahead - begun))} left"
        failed = [("red", f"{own.failed} failed")] if own.failed else []
        failed += [("yellow", f"{own.diverged} diverged")] if own.diverged else []
        ended = Text(", ").join(Text(words, style=style) for style, words in failed)
        return name, Bar(own.done / own.trials), f"{own.done}/{own.trials}", left, ended

    def _block_of_means(self) -> Block:
        columns = (Column(least=9, goes=1), Column(least=10), Column(right=True), Column())
        return Block(columns, len(self._latest), self._mean_rows, "mean ACC so far, 95 % intervals")

    def _mean_rows(self, count: int) -> Sequence[Row]:
        """Those that were given a score last, in the order of the plan."""
        latest = set(list(self._latest)[len(self._latest) - count :])
        rows: list[Row] = []
        last = None
        for cell in self._scores:
            if cell in latest:
                scenario, name = cell
                seeds = f"n={len(self._scores[cell])}"
                rows.append(("" if scenario == last else scenario, name, seeds, self._mean(cell)))
                last = scenario
        return rows


def final_accuracy(R: NDArray[np.float64]) -> float | None:
    """ACC of an accuracy matrix, None where a cell of it is missing."""
    try:
        return acc(R)
    except UndefinedMetric:
        return None
