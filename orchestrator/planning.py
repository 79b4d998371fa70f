"""What a sweep would run, as a table: counts by scenario and method, warnings, time, and what is not used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.durations import duration
from orchestrator.estimate import Estimate
from orchestrator.identity import names_of
from orchestrator.staleness import Stale
from sweeps.plan import Plan
from sweeps.trials import Trial


def plan_table(
    plan: Plan,
    statuses: Mapping[str, str],
    todo: Sequence[Trial],
    expected: Estimate,
    stale: Sequence[Stale] = (),
    power: Iterable[str] = (),
) -> RenderableType:
    """Draw *plan*: of each scenario and method the trials planned, done before, new, and to run again.

    Args:
        plan: what is planned.
        statuses: of every trial that was ever started, by trial id.
        todo: what is to run of the plan.
        expected: how long that should take.
        stale: the trials in the run's folder that are not planned.
        power: what differences the planned seeds can show.
    """
    names = names_of(plan.trials)
    rows = {trial.id: (names[trial.id][0], trial.method) for trial in plan.trials}
    new = {trial.id for trial in todo if trial.id not in statuses}
    again = {trial.id for trial in todo} - new
    counts = {
        "trials": Counter(rows.values()),
        "reused": Counter(row for trial_id, row in rows.items() if trial_id not in new | again),
        "new": Counter(rows[trial_id] for trial_id in new),
    }
    if again:
        counts["again"] = Counter(rows[trial_id] for trial_id in again)
    table = Table(box=None, padding=(0, 2, 0, 0), show_footer=True)
    table.add_column("scenario", footer="all")
    table.add_column("method")
    for name, count in counts.items():
        table.add_column(name, footer=str(count.total()), justify="right")
    last = None
    for scenario, method in counts["trials"]:
        shown = "" if scenario == last else scenario
        table.add_row(shown, method, *(str(count[scenario, method]) for count in counts.values()))
        last = scenario
    lines = [*_notes(plan, todo, expected, repeated=len(again)), *power, *_stale(stale)]
    return Group(table, Text("\n".join(["", *lines])))


def _notes(plan: Plan, todo: Sequence[Trial], expected: Estimate, *, repeated: int) -> Iterator[str]:
    yield from (f"excluded: {each}" for each in plan.exclusions or ["nothing"])
    yield from (f"warning: {warning}" for warning in plan.warnings)
    if repeated:
        yield f"again: {_trials(repeated)} that failed or {'was' if repeated == 1 else 'were'} interrupted"
    if not todo:
        yield "nothing is left to run"
        return
    if expected.measured == len(todo):
        source = "from the timings of earlier trials"
    elif expected.measured:
        source = f"{_trials(expected.measured)} from earlier timings, the others from a short calibration"
    else:
        source = "from a short calibration on this machine"
    yield (
        f"expected: about {duration(expected.wall_s)}, {_trials(expected.parallel)} at a time "
        f"({duration(expected.seconds)} of training; {source})"
    )


def _stale(stale: Sequence[Stale]) -> Iterator[str]:
    if stale:
        many = _trials(sum(each.count for each in stale))
        yield f"stale: {many} of this run, which the spec does not plan now"
        width = len(str(stale[0].count))
        yield from (f"  {each.count:>{width}}  {each.reason}" for each in stale)


def _trials(count: int) -> str:
    return f"{count} trial{'s' if count != 1 else ''}"
