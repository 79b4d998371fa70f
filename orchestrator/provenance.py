"""How the hyperparameters of a trial were chosen: the columns of the trials table that say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.course import Course
from results.schema import to_rows
from results.store import Store
from sweeps.spec import Spec
from sweeps.trials import Trial
from sweeps.tuning import key_of

Provenance = Callable[[Trial], Mapping[str, Any]]

_FIXED = {"protocol": "fixed"}


def by_the_spec(spec: Spec) -> Provenance:
    """As its section ``chosen`` says of what an earlier search chose; everything else is fixed."""
    chosen = spec.chosen
    if chosen is None:
        return lambda _: _FIXED
    columns = {
        "protocol": chosen.protocol,
        "chosen_on": chosen.source,
        "chosen_by": chosen.search,
        "selection_seeds": chosen.seeds,
    }
    return lambda trial: (
        columns | {"configs": chosen.configs[trial.method]} if trial.method in chosen.configs else _FIXED
    )


def by_a_search(courses: Sequence[Course]) -> Provenance:
    """As the searches of *courses* have chosen by the time that somebody asks."""
    reports = {_study_of(course.study.reported): course for course in courses}
    searches = {
        _study_of(course.study.search_trial(course.study.default, 0)): course
        for course in courses
        if course.study.is_searched
    }

    def columns(trial: Trial) -> Mapping[str, Any]:
        if trial.scored_on == "val":
            return columns_of_search(searches[_study_of(trial)])
        course = reports[_study_of(trial)]
        return columns_of_search(course) if trial.hyperparameters == course.chosen else _FIXED

    return columns


def columns_of_search(course: Course) -> dict[str, Any]:
    """How the search of *course* chooses."""
    settings = course.tune.settings
    return {
        "protocol": settings.protocol,
        "chosen_on": course.study.searched[0].label,
        "chosen_by": f"{settings.search}, {settings.scheduler}",
        "selection_seeds": list(course.tune.seeds),
        "configs": course.configs,
    }


def _study_of(trial: Trial) -> str:
    return repr((key_of(trial.scenario), trial.method, trial.model, trial.train))


def say_so(store: Store, trials: Sequence[Trial], provenance: Provenance) -> None:
    """Write it to the rows of *trials* that say something else, as those that an earlier search chose do.

    Raises:
        StoreError: a row cannot be read or written.
    """
    columns = {trial.id: dict(provenance(trial)) for trial in trials}
    nothing = dict.fromkeys(("protocol", "chosen_on", "chosen_by", "selection_seeds", "configs"))
    for row in to_rows(store.trials()):
        wanted = nothing | columns.get(row["trial_id"], row)
        if any(row[name] != wanted[name] for name in nothing):
            store.write_trial(row | {name: wanted[name] for name in nothing})
