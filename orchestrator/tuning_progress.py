"""How far a sweep is that is tuned: each of its searches, and the best that it has found."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from orchestrator.course import Course
from orchestrator.durations import duration
from orchestrator.live_layout import Bar, Block, Column, Picture, Row
from orchestrator.live_trials import LiveTrials
from orchestrator.outcome import Outcome
from orchestrator.tuning import TunedSweep
from results.labels import label
from results.schema import FAILED, RUNNING
from sweeps.trials import Trial


class TuningProgress(LiveTrials):
    """Counts, time left at most and the best so far; a `View` that also tells the sweep what it hears.

    That trials diverge is no news: a search tries what may.

    Args:
        sweep: what is run.
        begun, tasks: as `LiveTrials` has them.
    """

    def __init__(
        self,
        sweep: TunedSweep,
        *,
        begun: Collection[str] = (),
        tasks: Callable[[Trial], int] | None = None,
    ) -> None:
        super().__init__(begun=begun, tasks=tasks, told=(FAILED,))
        self._sweep = sweep
        self._done_before = sweep.done
        self._course_of: dict[str, int] = {}
        self._stale = {(look, number): None for look in _LOOKS for number in range(len(sweep.courses))}
        """What to look at again, what waits the longest in front."""
        self._seen: dict[tuple[Look, int], Row] = {}

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """Count what *trial* has done, and let the searches go on by it."""
        with self._lock:
            super().reported(trial, outcome)
            self._sweep.heard(trial, outcome)
            if outcome.status == RUNNING and not self._sweep.is_out(trial):
                self.running.pop(trial.id, None)  # it pauses until it is known whether it goes on
            number = self._number_of(trial)
            self._stale |= {(look, number): None for look in _LOOKS if number is not None}

    def headline(self) -> str:
        """One line: trials done and at most to come, failures, time left."""
        with self._lock:
            done, most = self._sweep.done, self._sweep.at_most
            left = self._seconds_left(done, most)
            words = "time left: " + ("not known yet" if left is None else f"at most {duration(left)}")
            return ", ".join([self._trials(done, most), *self._counts, *self._troubles, words])

    def _trials(self, done: int, most: int) -> str:
        return f"{done} of {'' if done == most else 'at most '}{most} trials"

    def _seconds_left(self, done: int, most: int) -> float | None:
        if self._sweep.finished:
            return 0.0
        here = done - self._done_before
        if self._start is None or not here:
            return None
        return (time.monotonic() - self._start) * (most - done) / here

    def _number_of(self, trial: Trial) -> int | None:
        """The place of the study that *trial* searches or reports."""
        if trial.id not in self._course_of:
            for number, course in enumerate(self._sweep.courses):
                if _is_of(trial, course):
                    self._course_of[trial.id] = number
                    break
        return self._course_of.get(trial.id)

    def _named(self, trial: Trial) -> tuple[str, str]:
        number = self._number_of(trial)
        if number is None:
            return trial.scenario.label, trial.method
        course = self._sweep.courses[number]
        return course.scenario, label(course.method, trial.hyperparameters, course.study.names)

    def _look(self) -> None:
        """Look again, for a moment, at the studies of which something was heard."""
        end = time.perf_counter() + _LOOK_S
        everything = len(_LOOKS) * len(self._sweep.courses)
        while self._stale and (time.perf_counter() < end or len(self._seen) < everything):
            look, number = next(iter(self._stale))
            del self._stale[look, number]
            self._seen[look, number] = look(self._sweep, self._sweep.courses[number])

    def _picture(self, in_use: str) -> Picture:
        self._look()
        done, most = self._sweep.done, self._sweep.at_most
        left = self._seconds_left(done, most)
        words = "time left not known yet" if left is None else f"at most {duration(left)} left"
        blocks = [self._block_of_searches(), self._block_of_running(in_use), self._block_of_the_best()]
        facts = list(self._facts(self._trials(done, most), words))
        return Picture(done / most if most else 1.0, facts, self._troubles, blocks)

    def _block_of_searches(self) -> Block:
        columns = (Column(least=9), Column(least=9), Column(is_bar=True), Column(right=True), Column(goes=1))
        return Block(columns, len(self._sweep.courses), self._search_rows)

    def _search_rows(self, count: int) -> Sequence[Row]:
        """Those that are not done come first."""
        numbers = range(len(self._sweep.courses))
        ranked = sorted(numbers, key=lambda number: self._seen[_standing, number][-1] == "done")
        return self._rows_of(_standing, sorted(ranked[:count]))

    def _block_of_the_best(self) -> Block:
        numbers = [
            number for number in range(len(self._sweep.courses)) if any(self._seen[_best_so_far, number])
        ]
        columns = (Column(least=9, goes=1), Column(least=9), Column(least=9))
        return Block(
            columns, len(numbers), lambda count: self._rows_of(_best_so_far, numbers[:count]), "best so far"
        )

    def _rows_of(self, look: Look, numbers: Sequence[int]) -> Sequence[Row]:
        rows, last = [], None
        for number in numbers:
            course = self._sweep.courses[number]
            scenario = "" if course.scenario == last else course.scenario
            rows.append((scenario, course.method, *self._seen[look, number]))
            last = course.scenario
        return rows


Look: TypeAlias = Callable[[TunedSweep, Course], Row]


def _standing(sweep: TunedSweep, course: Course) -> Row:
    """How far a study is: trials of at most so many, and in words."""
    done, most = sweep.done_of(course), len(course.trials()) + course.to_come
    return Bar(done / most if most else 1.0), f"{done}/{most}", sweep.state(course).removesuffix(" left")


def _best_so_far(sweep: TunedSweep, course: Course) -> Row:
    best = sweep.best(course)
    if best is None:
        return ("",)
    hyperparameters, mean, n = best
    return (label(f"{course.tune.settings.metric} {mean:.3f} (n={n})", hyperparameters, course.study.names),)


_LOOKS: Sequence[Look] = (_standing, _best_so_far)
_LOOK_S = 0.005
"""So long at a time: in a large search a look takes the driver some milliseconds."""


def _is_of(trial: Trial, course: Course) -> bool:
    """Whether *trial* searches or reports the study of *course*."""
    study, reported = course.study, course.study.reported
    same = (trial.method, trial.model) == (reported.method, reported.model)
    where = trial.scenario in (reported.scenario, study.searched[0])
    how = trial.train | {"val_share": 0.0} == reported.train | {"val_share": 0.0}
    return same and where and how and (study.is_searched or trial.hyperparameters == study.default)
