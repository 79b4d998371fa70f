"""How far one study of a sweep that is tuned is: its search, what is to run for it, its reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeGuard

import pyarrow as pa

from orchestrator.identity import StreamFacts, names_of
from orchestrator.pieces import Piece
from orchestrator.search import Batch, Findings, Result, Search, Want, result_of, search
from results.matrices import trial_matrices
from results.schema import to_rows
from sweeps.spec import Spec
from sweeps.studies import Hyperparameters, Study
from sweeps.trials import Trial
from sweeps.tuning import Tuning

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
        scenario, method: what tables call it, with the settings that tell it from other studies.
    """

    study: Study
    tune: Tuning
    report_seeds: Sequence[int]
    facts: StreamFacts
    scenario: str = ""
    method: str = ""
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


def courses_of(found: Sequence[Study], spec: Spec, facts: Facts) -> list[Course]:
    """The studies of *spec* before their first trial, *facts* those of each searched or reported stream."""
    assert spec.tune is not None
    courses = []
    names = names_of([study.reported for study in found])
    for study in found:
        where = study.search_trial(study.default, spec.seeds[0]) if study.is_searched else study.reported
        courses.append(Course(study, spec.tune, spec.seeds, facts(where), *names[study.reported.id]))
    return courses


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
