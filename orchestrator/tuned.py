"""A tuned run as its rows tell it: which trials are its own, and what its searches came to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from cl.metrics import METRICS
from cl.registry import METHODS, plugins
from orchestrator.course import Course, courses_of, results_in
from orchestrator.identity import Key, StreamFacts, columns_of, key_of_row, latest_origin, scenario_of
from orchestrator.search import Findings
from results.arrays import booleans
from results.matrices import TrialMatrix, trial_matrices
from results.schema import COMPLETE, DIVERGED, to_rows
from results.tuned import Configuration, Range, TunedStudy
from sweeps.plan import plan
from sweeps.spaces import Space
from sweeps.spec import Spec
from sweeps.studies import Study, studies
from sweeps.trials import Trial

_OF_A_TRIAL = ("acc", "bwt", "fm", "forgetting", "learning_accuracy")


@dataclass(frozen=True, eq=False)
class Tuned:
    """A tuned run.

    Attributes:
        courses: how far each study is.
        trials: the rows of its own trials, those of searches too.
        to_come: the columns that identify the trials that are known to come.
        accuracy: all accuracy rows of the run.
    """

    courses: Sequence[Course]
    trials: pa.Table
    to_come: Sequence[Mapping[str, Any]]
    accuracy: pa.Table

    @property
    def reports(self) -> pa.Table:
        """The rows of the trials that report."""
        return self.trials.filter(booleans([each != "val" for each in self.trials["scored_on"].to_pylist()]))

    @property
    def reports_to_come(self) -> list[Mapping[str, Any]]:
        """What of `to_come` reports."""
        return [columns for columns in self.to_come if columns["scored_on"] == "test"]


def tuned(trials: pa.Table, accuracy: pa.Table, spec: Spec) -> Tuned:
    """The run of *spec*, which has a section ``tune``, in the tables of its folder."""
    assert spec.tune is not None
    rows = to_rows(trials)
    last = latest_origin(rows)
    mine = [latest_origin([row]).items() <= last.items() for row in rows]
    trials = trials.filter(booleans(mine))
    rows = [row for row, is_mine in zip(rows, mine, strict=True) if is_mine]
    by_key = {key_of_row(row): row for row in rows}
    facts = {scenario_of(row): StreamFacts(row["n_tasks"], row["chance"] or 0.0) for row in rows}
    found = results_in(trials, accuracy, spec.tune.settings.metric)

    def row_of(trial: Trial) -> dict[str, Any] | None:
        return by_key.get(key_of_row(columns_of(trial)))

    def known(trial: Trial) -> Any:
        row = row_of(trial)
        return found[row["trial_id"]] if row else None

    no_digests: defaultdict[tuple[str, ...], str] = defaultdict(str)
    planned = plan(replace(spec, seeds=spec.seeds[:1]), no_digests)
    courses = courses_of(
        studies(spec, spec.tune, planned, no_digests),
        spec,
        lambda trial: facts.get(scenario_of(columns_of(trial)), StreamFacts(1, 0.0)),
    )
    own: dict[Key, Trial] = {}
    for course in courses:
        pieces = course.advance(known)
        searching = [*course.begun(), *(piece.trial for piece in pieces)]
        own |= {key_of_row(columns_of(trial)): trial for trial in [*searching, *course.reports()]}
    current = trials.filter(booleans([key_of_row(row) in own for row in rows]))
    to_come = [columns_of(trial) | _origin(last, trial) for key, trial in own.items() if key not in by_key]
    return Tuned(courses, current, to_come, accuracy)


def _origin(last: Mapping[Any, tuple[Any, ...]], trial: Trial) -> dict[str, Any]:
    digest, version = last.get(scenario_of(columns_of(trial)), ("", 0))
    return {"data_digest": digest, "results_version": version}


def tuned_studies(run: Tuned, *, level: float = 0.95) -> list[TunedStudy]:
    """What each study of *run* came to, with intervals at *level*."""
    rows = to_rows(run.trials.drop_columns(["error"]))
    by_key = {key_of_row(row): row for row in rows}
    complete = {row["trial_id"]: row["n_tasks"] for row in rows if row["status"] == COMPLETE}
    matrices = {
        "val": trial_matrices(complete, run.accuracy, split="val"),
        "test": trial_matrices(complete, run.accuracy, split="test"),
    }

    def row_of(trial: Trial) -> Mapping[str, Any]:
        return by_key.get(key_of_row(columns_of(trial)), {"status": "", "trial_id": ""})

    return [_study(course, row_of, matrices, level) for course in run.courses]


def _study(
    course: Course, row_of: Any, matrices: Mapping[str, Mapping[str, TrialMatrix]], level: float
) -> TunedStudy:
    study, settings, found = course.study, course.tune.settings, course.found

    def test(hyperparameters: Mapping[str, Any] | None) -> dict[int, float]:
        if hyperparameters is None:
            return {}
        rows = {seed: row_of(study.report_trial(dict(hyperparameters), seed)) for seed in course.report_seeds}
        return {
            seed: METRICS["acc"].compute(matrices["test"][row["trial_id"]].R)
            for seed, row in rows.items()
            if row["status"] == COMPLETE
        }

    numbers = range(len(found.candidates))
    tried = [_configuration(course, number, row_of, matrices["val"], level) for number in numbers]
    return TunedStudy(
        scenario=course.scenario,
        method=course.method,
        searched_on=study.searched[0].label,
        protocol=settings.protocol,
        search=settings.search,
        scheduler=settings.scheduler,
        metric=settings.metric,
        selection_seeds=len(course.tune.seeds),
        ranges={name: _range(study, name, space) for name, space in study.tried.items()},
        configurations=tried,
        winner=None if found.winner is None else tried[found.winner],
        trials=sum(map(len, found.results.values())),
        done=found.done,
        test=test(course.chosen),
        default=study.default,
        default_test=test(study.default),
        level=level,
    )


def _configuration(
    course: Course, number: int, row_of: Any, matrices: Mapping[str, TrialMatrix], level: float
) -> Configuration:
    found: Findings = course.found
    results = found.results.get(number, {})
    rows = {seed: row_of(course.trial_of(number, seed)) for seed in results}
    whole = {seed: matrices[rows[seed]["trial_id"]].R for seed, result in results.items() if result.complete}
    scores = found.scores(number)
    metrics = [name for name in _OF_A_TRIAL if found.tasks > 1 or name in {"acc", "learning_accuracy"}]
    return Configuration(
        number=number + 1,
        hyperparameters=found.candidates[number],
        seeds=len(scores),
        score=sum(scores.values()) / len(scores) if scores else None,
        values={name: {seed: METRICS[name].compute(R) for seed, R in whole.items()} for name in metrics},
        diverged=sum(row["status"] == DIVERGED for row in rows.values()),
        left=found.left.get(number, ""),
        level=level,
    )


def _range(study: Study, name: str, space: Space) -> Range:
    least, most = _bounds(study.reported.method, name)
    continuous = space.kind in {"uniform", "loguniform"}
    return Range(space.ends, continuous, space.logarithmic, space.is_numeric, least, most)


def _bounds(method: str, name: str) -> tuple[float | None, float | None]:
    """The values that a hyperparameter can have at all, of a plug-in unknown."""
    if plugins.is_plug_in(method):
        return None, None
    schema = METHODS[method].settings.model_json_schema(by_alias=True)["properties"][name]
    lows = (schema.get("minimum"), schema.get("exclusiveMinimum"))
    highs = (schema.get("maximum"), schema.get("exclusiveMaximum"))
    return next((x for x in lows if x is not None), None), next((x for x in highs if x is not None), None)
