"""What a run's tables show: the trials of its spec as it is now, started or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import RenderableType

from cl.metrics import METRICS
from cl.registry import METHODS
from orchestrator.course import Course
from orchestrator.identity import of_spec
from orchestrator.tuned import Tuned, tuned, tuned_studies
from results import tables
from results.arrays import string
from results.notes import causes
from results.records import records
from results.schema import COMPLETE
from results.store import SPEC, Store
from results.summary import CellSummary, summarise
from results.task_tables import cost_tables, task_tables
from results.transfer import REFERENCE, Transfer, forward_transfer, has_reference
from results.transfer_tables import transfer_tables
from results.tuned import TunedStudy
from results.tuned_tables import RESPONSES, configuration_tables, importance_lines, winner_tables
from sweeps.problems import SpecError
from sweeps.spec import Spec, recorded_spec

(_REFERENCE,) = (name for name, entry in METHODS.items() if entry.cumulative)
_FRESH = tuple(name for name, entry in METHODS.items() if entry.fresh)


class NoTransfer(Exception):  # noqa: N818 - reads as what happened
    """A run says nothing of forward transfer; ``str(error)`` says what to add."""


class NoSearch(Exception):  # noqa: N818 - reads as what happened
    """A run has no search to show; ``str(error)`` says so."""


@dataclass(frozen=True, eq=False)
class Shown:
    """The cells of a run, the rows behind them, and what else there is to say."""

    store: Store
    cells: list[CellSummary]
    trials: pa.Table
    """The rows of the trials table that are shown."""
    accuracy: pa.Table
    """Those of the accuracy table, shown or not."""
    remarks: tuple[str, ...]
    studies: tuple[TunedStudy, ...] = ()
    """What the searches of a tuned run came to."""
    courses: tuple[Course, ...] = ()
    """How far they are."""

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks, and the parts that could not be read so far."""
        return (*self.remarks, *damage(self.store))


def shown(store: Store, *, everything: bool = False, metrics: Sequence[str] = tuple(METRICS)) -> Shown:
    """Summarise *metrics* of the trials that the run's spec plans now.

    *everything* adds the trials of earlier settings.
    """
    accuracy = store.accuracy()
    trials = _with_rows(store.trials(), accuracy)
    spec, notes = _spec_of(store)
    current, to_come, searches = _own(trials, accuracy, spec)
    if everything:
        current = _reporting(trials)
    if hidden := len(_reporting(trials)) - len(current):
        notes.append(
            "1 trial of earlier settings is not shown; --all shows it."
            if hidden == 1
            else f"{hidden} trials of earlier settings are not shown; --all shows them."
        )
    cells = summarise(
        current,
        accuracy,
        metrics=metrics,
        scenarios=spec.scenario_labels if spec else (),
        methods=spec.method_names if spec else (),
        not_started=to_come,
        reference=_REFERENCE,
        fresh=_FRESH,
    )
    found = tuned_studies(searches) if searches else []
    courses = searches.courses if searches else ()
    return Shown(store, cells, current, accuracy, tuple(notes), tuple(found), tuple(courses))


def _reporting(trials: pa.Table) -> pa.Table:
    """Those that do not search, and so have test rows."""
    return trials.filter(pc.not_equal(pc.fill_null(trials["scored_on"], string("test")), string("val")))


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


def printed(run: Shown, *, width: int, matrix: bool = False, tasks: bool = False) -> Iterator[RenderableType]:
    """Everything that `clsweep show` prints of a run, one after the other; text is printed as it is."""
    yield from winner_tables(run.studies, width=width)
    yield from tables.summary_tables(run.cells, width=width)
    if not run.cells:
        yield "no trials yet"
    if failures := causes(run.trials):
        yield "\n".join([*failures, f"tracebacks: column error of {run.store.root}/trials"])
    if rows := _transfer(run):
        yield ""
        yield from transfer_tables(rows, width=width)
    if matrix:
        yield from ("\n" + tables.matrix_text(cell) for cell in run.cells if cell.n)
    if tasks:
        found = records(run.cells, run.trials, run.store.tasks())
        for table in (*cost_tables(found, width=width), *task_tables(found, width=width)):
            yield from ("", table)


def responses(run: Shown, *, width: int) -> Iterator[RenderableType]:
    """What a tuned run's searches found: every configuration, response curves, importances.

    Raises:
        NoSearch: nothing was searched.
    """
    studies = [study for study in run.studies if study.ranges and study.configurations]
    if not studies:
        raise NoSearch(f"{run.store.root}: nothing was searched; clsweep tune runs a spec that says how")
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


def transfer_of(run: Shown) -> list[Transfer]:
    """The forward transfer of a run.

    Raises:
        NoTransfer: there is nothing to measure it against.
    """
    rows = _transfer(run)
    if not rows:
        reason = (
            "needs at least two tasks"
            if has_reference(run.cells)
            else f"is measured against the method {REFERENCE}, of which no trial is complete; "
            f"add {REFERENCE} to the methods of the spec and run it again"
        )
        raise NoTransfer(f"{run.store.root}: forward transfer {reason}")
    return rows


def _transfer(run: Shown) -> list[Transfer]:
    if not has_reference(run.cells):  # the parts of the tasks need not be read
        return []
    return forward_transfer(run.cells, run.trials, run.accuracy, run.store.tasks())


def _with_rows(trials: pa.Table, accuracy: pa.Table) -> pa.Table:
    """Without the trials whose accuracy rows are gone though they are complete: the next run repeats them."""
    measured = pc.is_in(trials["trial_id"], value_set=accuracy["trial_id"].unique())
    return trials.filter(pc.or_(measured, pc.not_equal(trials["status"], string(COMPLETE))))


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
