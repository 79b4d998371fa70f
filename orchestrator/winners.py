"""What the searches of a run chose, as a spec of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.course import Course
from orchestrator.tuned import tuned
from results.store import Store
from sweeps.methods import MethodChoice
from sweeps.sections import ScenarioChoice
from sweeps.spec import Spec, dump_spec
from sweeps.tuning import ChosenSettings, key_of


class NoWinners(Exception):  # noqa: N818 - reads as what happened
    """The winners cannot be written as one spec; ``str(error)`` says why."""


def write_winners(spec: Spec, store: Store, path: Path) -> str:
    """Write the winners of the run in *store* to *path*, as a sweep that reports them; return what was done.

    Raises:
        NoWinners: a search is not over, or several winners cannot be told apart in one spec.
        StoreError: the run cannot be read.
        OSError: *path* cannot be written.
    """
    winners = winners_of(spec, tuned(store.trials(), store.accuracy(), spec).courses)
    path.write_text(dump_spec(winners), encoding="utf-8")
    return f"the winners are in {path}: clsweep run {path}"


def winners_of(spec: Spec, courses: Sequence[Course]) -> Spec:
    """The sweep that reports the winners of *courses* on the report seeds of *spec*.

    Raises:
        NoWinners: as `write_winners`.
    """
    tune = spec.tune
    assert tune is not None
    if any(not course.found.done for course in courses):
        raise NoWinners("the search is not over; run clsweep tune again, which goes on with it")
    searched = [course for course in courses if course.study.is_searched]
    choices = [choice for name in spec.method_names for choice in _choices(spec, name, courses)]
    how = {
        "protocol": tune.settings.protocol,
        "source": ", ".join(dict.fromkeys(course.study.searched[0].label for course in searched)),
        "seeds": list(tune.seeds),
        "search": f"{tune.settings.search}, {tune.settings.scheduler}",
        "configs": {course.study.reported.method: course.configs for course in searched},
    }
    return replace(
        spec,
        name=f"{spec.name[:95]}-best",
        scenarios=tuple(
            ScenarioChoice(tune.reported[key_of(each.scenario)], each.resources) for each in spec.scenarios
        ),
        methods=tuple(choices),
        tune=None,
        chosen=ChosenSettings.model_validate(how) if searched else None,
    )


def _choices(spec: Spec, method: str, courses: Sequence[Course]) -> Iterator[MethodChoice]:
    """The values of *method* that report: one set of them, or one for each scenario."""
    own = [course for course in courses if course.study.reported.method == method]
    given = [choice for choice in spec.methods if choice.method == method]
    if not any(course.study.is_searched for course in own):
        yield from given
        return
    by_scenario: dict[str, list[Course]] = {}
    for course in own:
        by_scenario.setdefault(course.study.reported.scenario.label, []).append(course)
    values = {
        label: {repr(_reported(course)): _reported(course) for course in some}
        for label, some in by_scenario.items()
    }
    for label, different in values.items():
        if len(different) > 1:
            raise NoWinners(
                f"{method} has several winners in {label}, for several models, ways of training or "
                "settings of the stream; tune them one at a time"
            )
    everywhere = {text: each for different in values.values() for text, each in different.items()}
    for text, each in everywhere.items():
        labels = tuple(label for label, different in values.items() if text in different)
        yield MethodChoice(
            method, each, given[0].resources, scenarios=labels if len(everywhere) > 1 else given[0].scenarios
        )


def _reported(course: Course) -> dict[str, object]:
    return course.chosen or course.study.default
