"""What a run's tables show: the trials of its spec as it is now, started or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from rich.console import RenderableType

from cl.metrics import METRICS
from orchestrator.course import Course
from orchestrator.identity import of_spec
from orchestrator.tuned import Tuned, tuned, tuned_studies
from results import tables
from results.notes import causes
from results.records import records
from results.store import SPEC, Store
from results.summary import summarise
from results.sweep import FRESH, JOINT, Sweep, reporting, with_rows
from results.task_tables import cost_tables, task_tables
from results.transfer import REFERENCE, Transfer, has_reference
from results.transfer_tables import transfer_tables
from results.tuned import TunedStudy
from results.tuned_tables import RESPONSES, configuration_tables, importance_lines, winner_tables
from sweeps.problems import SpecError
from sweeps.spec import Spec, recorded_spec


class NoTransfer(Exception):  # noqa: N818 - reads as what happened
    """A run says nothing of forward transfer; ``str(error)`` says what to add."""


class NoSearch(Exception):  # noqa: N818 - reads as what happened
    """A run has no search to show; ``str(error)`` says so."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a run shows, and what else there is to say."""

    sweep: Sweep
    remarks: tuple[str, ...]
    studies: tuple[TunedStudy, ...] = ()
    """What the searches of a tuned run came to."""
    courses: tuple[Course, ...] = ()
    """How far they are."""

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks, and the parts that could not be read so far."""
        return (*self.remarks, *damage(self.sweep.store))


def shown(
    store: Store,
    *,
    everything: bool = False,
    metrics: Sequence[str] = tuple(METRICS),
    level: float = 0.95,
) -> Shown:
    """Summarise *metrics* of the trials that the run's spec plans now, with intervals at *level*.

    *everything* adds the trials of earlier settings.

    Raises:
        StoreError: the run cannot be read.
    """
    accuracy = store.accuracy()
    trials = with_rows(store.trials(), accuracy)
    spec, notes = _spec_of(store)
    current, to_come, searches = _own(trials, accuracy, spec)
    if everything:
        current = reporting(trials)
    if hidden := len(reporting(trials)) - len(current):
        notes.append(
            "1 trial of earlier settings is not shown; --all shows it."
            if hidden == 1
            else f"{hidden} trials of earlier settings are not shown; --all shows them."
        )
    cells = summarise(
        current,
        accuracy,
        level=level,
        metrics=metrics,
        scenarios=spec.scenario_labels if spec else (),
        methods=spec.method_names if spec else (),
        not_started=to_come,
        reference=JOINT,
        fresh=FRESH,
    )
    found = tuned_studies(searches, level=level) if searches else []
    courses = searches.courses if searches else ()
    sweep = Sweep(store, current, accuracy, cells, level=level)
    return Shown(sweep, tuple(notes), tuple(found), tuple(courses))


def _own(
    trials: pa.Table, accuracy: pa.Table, spec: Spec | None
) -> tuple[pa.Table, Sequence[Mapping[str, Any]], Tuned | None]:
    """The rows that report what *spec* plans now, what is still to come of it, and what was searched."""
    if spec is None:
        return trials, [], None
    if spec.tune is None:
        return *of_spec(trials, spec), None
    run = tuned(trials, accuracy, spec)
    return run.reports, run.reports_to_come, run


def printed(
    run: Shown,
    *,
    width: int,
    metrics: Sequence[str] = tables.HEADLINE,
    best: tables.Best = tables.NOBODY,
    remarks: Sequence[str] = (),
    matrix: bool = False,
    tasks: bool = False,
    transfer: Sequence[Transfer] = (),
) -> Iterator[RenderableType]:
    """Everything that `clsweep show` prints of a run, one after the other; text is printed as it is."""
    yield from winner_tables(run.studies, width=width)
    yield from tables.summary_tables(
        run.sweep.cells, metrics=metrics, best=best, remarks=remarks, width=width
    )
    if not run.sweep.cells:
        yield "no trials yet"
    if failures := causes(run.sweep.trials):
        yield "\n".join([*failures, f"tracebacks: column error of {run.sweep.store.root}/trials"])
    if transfer:
        yield ""
        yield from transfer_tables(transfer, width=width)
    if matrix:
        yield from ("\n" + tables.matrix_text(cell) for cell in run.sweep.cells if cell.n)
    if tasks:
        found = records(run.sweep.cells, run.sweep.trials, run.sweep.tasks)
        for table in (*cost_tables(found, width=width), *task_tables(found, width=width)):
            yield from ("", table)


def responses(run: Shown, *, width: int) -> Iterator[RenderableType]:
    """What a tuned run's searches found: every configuration, response curves, importances.

    Raises:
        NoSearch: nothing was searched.
    """
    studies = [study for study in run.studies if study.ranges and study.configurations]
    if not studies:
        raise NoSearch(
            f"{run.sweep.store.root}: nothing was searched; clsweep tune runs a spec that says how"
        )
    from orchestrator.importance import importance  # noqa: PLC0415 - tables are shown without Optuna
    from results.terminal import response_text  # noqa: PLC0415 - tables are shown without plotext

    yield from configuration_tables(studies, width=width)
    for study in studies:
        for name, searched in study.ranges.items():
            for metric in RESPONSES if searched.numeric else ():
                if any(each.interval(metric) for each in study.configurations):
                    yield from (response_text(study, name, metric, width=min(width, 100)), "")
    yield from importance_lines(
        {
            (course.scenario, course.method): shares
            for course in run.courses
            if course.study.is_searched and (shares := importance(course))
        }
    )


def transfer_of(run: Shown) -> Sequence[Transfer]:
    """The forward transfer of a run.

    Raises:
        NoTransfer: there is nothing to measure it against.
    """
    if not run.sweep.transfer:
        reason = (
            "needs at least two tasks"
            if has_reference(run.sweep.cells)
            else f"is measured against the method {REFERENCE}, of which no trial is complete; "
            f"add {REFERENCE} to the methods of the spec and run it again"
        )
        raise NoTransfer(f"{run.sweep.store.root}: forward transfer {reason}")
    return run.sweep.transfer


def _spec_of(store: Store) -> tuple[Spec | None, list[str]]:
    """The run's spec, or None and what to say of it."""
    text = store.spec()
    if text is None:
        return None, []
    try:
        return recorded_spec(text, f"{store.root}/{SPEC}"), []
    except SpecError as error:  # such as data that is no longer where it was; the rows are still there
        return None, [f"Trials of all settings are shown, since the spec does not load: {error}"]


def damage(store: Store) -> Iterator[str]:
    """The parts that *store* could not read, and what becomes of them."""
    for path, reason in store.damaged.items():
        yield f"cannot read {path}: {reason}"
    if store.damaged:
        yield "The next run repeats the trials whose parts cannot be read."
