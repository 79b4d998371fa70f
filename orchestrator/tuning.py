"""A sweep that is tuned, as a source of trials: searches, and the reports of what they choose."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.course import Course, courses_of, results_in
from orchestrator.identity import scenario_key
from orchestrator.outcome import Outcome
from orchestrator.pieces import Piece
from orchestrator.search import Result, result_of
from results.schema import COMPLETE, DIVERGED, RUNNING, STOPPED
from sweeps.studies import Hyperparameters
from sweeps.trials import Trial

if TYPE_CHECKING:  # a run is shown without torch
    from orchestrator.preparation import Prepared
    from results.store import Store


class TunedSweep:
    """What of a sweep that is tuned is to run next; a `Source`.

    Args:
        courses: its studies, where they begin.
        known: what earlier runs found, by trial id.
        ended: the ids of trials that need not run again.
        stopped: the ids of those that are recorded as given up.
    """

    def __init__(
        self,
        courses: Sequence[Course],
        known: Mapping[str, Result],
        ended: frozenset[str] = frozenset(),
        stopped: frozenset[str] = frozenset(),
    ) -> None:
        self.courses = courses
        self._known = dict(known)
        self._ended = set(ended)
        self._left = set(stopped)
        self._queue: deque[Piece] = deque()
        self._out: dict[str, Piece] = {}
        self._asked: set[tuple[str, int | None]] = set()
        self._lacking: list[set[str]] = [set() for _ in courses]
        self._leaving: list[Trial] = []
        self._trials: list[Trial] | None = None
        for number in range(len(courses)):
            self._advance(number)

    @property
    def finished(self) -> bool:
        """Whether every study is searched and reported, and nobody is left to be given up."""
        return not self._queue and not self._out and not self._leaving

    @property
    def trials(self) -> Sequence[Trial]:
        """One trial of every kind that may come."""
        studies = [course.study for course in self.courses]
        reported = [study.reported for study in studies]
        return reported + [
            study.search_trial(study.default, study.reported.seed) for study in studies if study.is_searched
        ]

    @property
    def reported(self) -> list[Trial]:
        """The trials that report what was chosen so far."""
        return [trial for course in self.courses for trial in course.reports()]

    @property
    def done(self) -> int:
        """Trials that have ended, those of earlier runs too."""
        return sum(trial.id in self._ended for trial in self.known_trials())

    @property
    def at_most(self) -> int:
        """Trials in all, if nobody leaves a search from now on."""
        return len(self.known_trials()) + sum(course.to_come for course in self.courses)

    def done_of(self, course: Course) -> int:
        """Trials of *course* that have ended."""
        return sum(trial.id in self._ended for trial in course.trials())

    def known_trials(self) -> list[Trial]:
        """The trials that are known to belong to it so far, each once."""
        if self._trials is None:
            known = {trial.id: trial for course in self.courses for trial in course.trials()}
            self._trials = list(known.values())
        return self._trials

    def is_out(self, trial: Trial) -> bool:
        """Whether *trial* was handed out and has neither ended nor paused."""
        return trial.id in self._out

    def state(self, course: Course) -> str:
        """How far *course* is, in words."""
        if not course.found.done:
            left = len(course.found.candidates) - len(course.found.left)
            return f"searching, {left} configurations left"
        reports = course.reports()
        done = sum(trial.id in self._ended for trial in reports)
        return "done" if done == len(reports) else f"reporting, {done} of {len(reports)} trials"

    def best(self, course: Course) -> tuple[Hyperparameters, float, int] | None:
        """The leader of a search by what is known now: its mean score and its number of seeds.

        Only those are compared that have as many seeds as any other.
        """
        found, seeds = course.found, course.tune.seeds
        staying = [number for number in range(len(found.candidates)) if number not in found.left]
        known = {
            number: [self._known.get(course.trial_of(number, seed).id) for seed in seeds]
            for number in staying
        }
        scores = {
            number: [each.at(found.tasks) for each in results if each and len(each.values) == found.tasks]
            for number, results in known.items()
        }
        n = max(map(len, scores.values()), default=0)
        if not n:
            return None
        means = {number: sum(own) / n for number, own in scores.items() if len(own) == n}
        leader = max(means, key=lambda number: means[number])
        return found.candidates[leader], means[leader], n

    def next(self) -> Piece | None:
        """The next piece, None while the next ones depend on those that are out."""
        if not self._queue:
            return None
        piece = self._queue.popleft()
        self._out[piece.trial.id] = piece
        return piece

    def again(self) -> None:
        """Hand out once more what was handed out and has not ended."""
        self._queue.extendleft(reversed(self._out.values()))
        self._out.clear()

    def leaving(self) -> Sequence[Trial]:
        """The trials that the searches gave up since the last time."""
        leaving, self._leaving = self._leaving, []
        return leaving

    def heard(self, trial: Trial, outcome: Outcome) -> None:
        """Take note of what *trial* has learned; a search may go on by it."""
        piece = self._out.get(trial.id)
        ended = outcome.status != RUNNING
        if piece is None or not (ended or outcome.learned >= (piece.until or math.inf)):
            return
        del self._out[trial.id]
        if ended:
            self._ended.add(trial.id)
        if trial.scored_on == "test":
            return
        for number, course in enumerate(self.courses):
            if trial.id in self._lacking[number]:
                metric, chance = course.tune.settings.metric, course.facts.chance
                self._known[trial.id] = result_of(outcome.matrix("val"), outcome.status, metric, chance)
                self._lacking[number].discard(trial.id)
                if not self._lacking[number]:
                    self._advance(number)

    def _advance(self, number: int) -> None:
        self._trials = None
        course = self.courses[number]
        pieces = course.advance(lambda trial: self._known.get(trial.id))
        self._lacking[number] = {piece.trial.id for piece in pieces}
        for trial in course.given_up():
            if trial.id not in self._left and trial.id not in self._ended:
                self._left.add(trial.id)
                self._ended.add(trial.id)
                self._leaving.append(trial)
        pieces += [Piece(trial) for trial in course.reports() if trial.id not in self._ended]
        for piece in pieces:
            if (asked := (piece.trial.id, piece.until)) not in self._asked:
                self._asked.add(asked)
                self._ended.discard(piece.trial.id)  # an earlier search may have given it up
                self._left.discard(piece.trial.id)
                self._queue.append(piece)


def tuned_sweep(prepared: Prepared, store: Store) -> TunedSweep:
    """What of the sweep *prepared* is to run next, by what earlier runs left in *store*.

    A trial that failed runs again, and until then it has found nothing.

    Raises:
        StoreError: the run cannot be read.
    """
    spec, statuses = prepared.spec, store.statuses()
    assert spec.tune is not None
    found = results_in(store.trials(), store.accuracy(), spec.tune.settings.metric)
    return TunedSweep(
        courses_of(prepared.studies, spec, lambda trial: prepared.streams[scenario_key(trial)]),
        {each: result for each, result in found.items() if statuses.get(each) in {*_DONE, RUNNING}},
        ended=frozenset(each for each, status in statuses.items() if status in _DONE),
        stopped=frozenset(each for each, status in statuses.items() if status == STOPPED),
    )


_DONE = (COMPLETE, DIVERGED, STOPPED)
