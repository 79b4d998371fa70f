"""What a sweep that is tuned would run, for people: its searches, how many trials at most, how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.durations import duration
from orchestrator.estimate import Estimate, estimate
from orchestrator.preparation import Prepared
from orchestrator.tuning import TunedSweep
from results.comparison_tables import planned_power
from results.families import Family
from results.schema import to_rows
from results.store import Store
from sweeps.trials import Trial
from sweeps.tuning import how


def tuning_plan(
    prepared: Prepared, sweep: TunedSweep, store: Store, power: Sequence[Family] = ()
) -> RenderableType:
    """Draw what *sweep* would run: a line per study, then how it searches, and how long it takes at most.

    What the seeds that report can show is said by the families in *power*, of what was reported before.
    """
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("scenario", overflow="fold")
    table.add_column("method", overflow="fold")
    for column in ("configs", "search", "report", "done"):
        table.add_column(column, justify="right")
    last = None
    for course in sweep.courses:
        scenario = course.scenario
        search, report = course.most
        table.add_row(
            "" if scenario == last else scenario,
            course.method,
            str(course.configs or ""),
            str(search or ""),
            str(report),
            str(sweep.done_of(course)),
        )
        last = scenario
    return Group(table, Text("\n".join(["", *_notes(prepared, sweep, store, power)])))


def _notes(prepared: Prepared, sweep: TunedSweep, store: Store, power: Sequence[Family]) -> Iterator[str]:
    assert prepared.spec.tune is not None
    yield how(prepared.spec.tune)
    yield from planned_power(len(prepared.spec.seeds), power)
    yield from (f"excluded: {each}" for each in prepared.plan.exclusions or ["nothing"])
    yield from (f"warning: {warning}" for warning in prepared.plan.warnings)
    if sweep.finished:
        yield "nothing is left to run"
        return
    timings = to_rows(store.trials())
    expected = _expected(prepared, sweep, timings)
    at_most = "at most " if any(not course.found.done for course in sweep.courses) else ""
    trials, time = sweep.at_most - sweep.done, duration(expected.wall_s)
    yield f"expected: {at_most}{trials} trials, {at_most}about {time}, {expected.parallel} at a time"
    known = {trial.id for trial in sweep.known_trials()}
    if stale := sum(row["trial_id"] not in known for row in timings):
        many = f"{stale} trial{'s' if stale > 1 else ''}"
        yield f"stale: {many} of this run, for which this search has not asked"


def _expected(prepared: Prepared, sweep: TunedSweep, timings: list[dict[str, object]]) -> Estimate:
    """How long the rest takes if nobody leaves a search early and every configuration is like the default."""
    trials: list[Trial] = []
    for course in sweep.courses:
        study, (search, report), done = course.study, course.most, sweep.done_of(course)
        like = [study.search_trial(study.default, study.reported.seed)] * search + [study.reported] * report
        trials += like[done:]
    return estimate(trials, prepared.data, prepared.streams, timings)
