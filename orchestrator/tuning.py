"""A sweep that is tuned, as a source of trials: searches, and the reports of what they choose."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeGuard

import pyarrow as pa

from orchestrator.identity import StreamFacts, scenario_key
from orchestrator.outcome import Outcome
from orchestrator.pieces import Piece
from orchestrator.search import Batch, Findings, Result, Search, Want, result_of, search
from results.matrices import trial_matrices
from results.schema import COMPLETE, DIVERGED, RUNNING, STOPPED, to_rows
from sweeps.spec import Spec
from sweeps.studies import Hyperparameters, Study
from sweeps.trials import Trial
from sweeps.tuning import Tuning

if TYPE_CHECKING:  # a run is shown without torch
    from orchestrator.preparation import Prepared
    from results.store import Store

Facts = Callable[[Trial], StreamFacts]
"""What is known of the stream of a trial."""

Known = Callable[[Trial], Result | None]
"""What a trial of a search has found so far; None if it has not learned anything."""


@dataclass
class Course:
    """How far one study is.

    Args:
        study: what is searched or measured.
        tune: how.
        report_seeds: the seeds on which the choice is reported.
        facts: of the stream that is searched.
    """

    study: Study
    tune: Tuning
    report_seeds: Sequence[int]
    facts: StreamFacts
    found: Findings = field(init=False)
    _search: Search = field(init=False, repr=False)
    _wanted: Batch = ()

    def __post_init__(self) -> None:
        """Begin the search, or be done if there is none."""
        self.found = Findings(self.facts.n_tasks, done=not self.study.is_searched)
        if self.study.is_searched:
            self._search = search(self.study, self.tune.settings, self.tune.seeds, self.found)
            self._wanted = next(self._search)

    def advance(self, known: Known) -> list[Piece]:
        """Go on as far as what is *known* allows; return what is still to be found out for the next step."""
        while not self.found.done:
            results = {want: known(self.trial(want)) for want in self._wanted}
            told = {want: result for want, result in results.items() if _suffices(result, want)}
            if len(told) < len(results):
                return [Piece(self.trial(want), want.tasks) for want in results if want not in told]
            try:
                self._wanted = self._search.send(told)
            except StopIteration:
                break
        return []

    def trial(self, want: Want) -> Trial:
        """The trial that a search means."""
        key = want.candidate, want.seed
        if key not in self._trials:
            self._trials[key] = self.study.search_trial(self.found.candidates[want.candidate], want.seed)
        return self._trials[key]

    @cached_property
    def _trials(self) -> dict[tuple[int, int], Trial]:
        return {}  # since every one is asked for its id again and again

    def trial_of(self, candidate: int, seed: int) -> Trial:
        """The search's trial of a configuration on a seed."""
        return self.trial(Want(candidate, seed, self.found.tasks))

    def begun(self) -> Iterator[Trial]:
        """The trials of the search that were of any use so far."""
        for candidate, results in self.found.results.items():
            yield from (self.trial_of(candidate, seed) for seed in results)

    def wanted(self) -> list[Trial]:
        """The trials that the next step of the search waits for and that were of no use before."""
        wanted = [] if self.found.done else self._wanted
        known = self.found.results
        return [self.trial(want) for want in wanted if want.seed not in known.get(want.candidate, {})]

    def trials(self) -> list[Trial]:
        """All that are known so far, each once: configurations that came up twice share theirs."""
        known = [*self.begun(), *self.wanted(), *self.reports()]
        return list({trial.id: trial for trial in known}.values())

    def given_up(self) -> Iterator[Trial]:
        """The trials of configurations that were left before their last task, and that nothing waits for."""
        # A configuration may have come up twice.
        awaited = set() if self.found.done else {self.trial(want).id for want in self._wanted}
        for candidate in self.found.left:
            for seed, result in self.found.results[candidate].items():
                trial = self.trial_of(candidate, seed)
                if len(result.values) < self.found.tasks and trial.id not in awaited:
                    yield trial

    @property
    def chosen(self) -> Hyperparameters | None:
        """The winner of the search; None before its end, or if no trial of it was complete."""
        number = self.found.winner
        return None if number is None else self.found.candidates[number]

    def reports(self) -> list[Trial]:
        """The trials that report: of the winner, once there is one, and of the default."""
        if not self.found.done:
            return []
        reported = [self.chosen, self.study.default] if self.chosen else [self.study.default]
        trials = [self.study.report_trial(each, seed) for seed in self.report_seeds for each in reported]
        return list({trial.id: trial for trial in trials}.values())

    @property
    def configs(self) -> int:
        """How many configurations the search tries."""
        if not self.study.is_searched:
            return 0
        drawn = [] if self.tune.settings.search == "tpe" else self.found.candidates
        return len(drawn) or self.tune.settings.configs or 0

    @property
    def most(self) -> tuple[int, int]:
        """Trials that search and that report, if nobody leaves early."""
        reports = self.reports()
        if not self.study.is_searched:
            return 0, len(reports)
        return self.configs * len(self.tune.seeds), len(reports) or 2 * len(self.report_seeds)

    @property
    def to_come(self) -> int:
        """Trials beyond those that are asked for now, if nobody leaves from now on."""
        if self.found.done:
            return 0
        known = self.found.results
        asked = sum(len(results) for each, results in known.items() if each not in self.found.left)
        asked += sum(want.seed not in known.get(want.candidate, {}) for want in self._wanted)
        staying = self.configs - len(self.found.left)
        return staying * len(self.tune.seeds) - asked + 2 * len(self.report_seeds)


def _suffices(result: Result | None, want: Want) -> TypeGuard[Result]:
    return result is not None and len(result.values) >= want.tasks


def courses_of(prepared_studies: Sequence[Study], spec: Spec, facts: Facts) -> list[Course]:
    """The studies of *spec* before their first trial, *facts* those of each searched or reported stream."""
    assert spec.tune is not None
    return [
        Course(study, spec.tune, spec.seeds, facts(study.search_trial(study.default, spec.seeds[0])))
        if study.is_searched
        else Course(study, spec.tune, spec.seeds, facts(study.reported))
        for study in prepared_studies
    ]


def results_in(trials: pa.Table, accuracy: pa.Table, metric: str) -> dict[str, Result]:
    """What the trials of searches in the tables of a run have found, by trial id."""
    rows = to_rows(trials.select(["trial_id", "n_tasks", "status", "chance", "scored_on"]))
    searching = {row["trial_id"]: row for row in rows if row["scored_on"] == "val"}
    tasks = {trial_id: row["n_tasks"] for trial_id, row in searching.items()}
    matrices = trial_matrices(tasks, accuracy, split="val")
    return {
        trial_id: result_of(matrices[trial_id].R, row["status"], metric, row["chance"])
        for trial_id, row in searching.items()
    }


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
        for number in range(len(courses)):
            self._advance(number)

    @property
    def finished(self) -> bool:
        """Whether every study is searched and reported."""
        return not self._queue and not self._out

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
        known = {trial.id: trial for course in self.courses for trial in course.trials()}
        return list(known.values())

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
