"""What a sweep would run, as a table: counts by scenario and method, exclusions, warnings, expected time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.estimate import Estimate
from orchestrator.identity import names_of
from orchestrator.progress import duration
from results.schema import COMPLETE
from sweeps.plan import Plan
from sweeps.trials import Trial


def plan_table(
    plan: Plan, statuses: Mapping[str, str], todo: Sequence[Trial], expected: Estimate
) -> RenderableType:
    """Draw *plan*: of each scenario and method the trials planned, complete and still to run."""
    planned, complete, new = (
        Counter[tuple[str, str]](),
        Counter[tuple[str, str]](),
        Counter[tuple[str, str]](),
    )
    names = names_of(plan.trials)
    rows = {trial.id: (names[trial.id][0], trial.method) for trial in plan.trials}
    for trial in plan.trials:
        planned[rows[trial.id]] += 1
        complete[rows[trial.id]] += statuses.get(trial.id) == COMPLETE
    new.update(rows[trial.id] for trial in todo)
    table = Table(box=None, padding=(0, 2, 0, 0), show_footer=True)
    table.add_column("scenario", footer="all")
    table.add_column("method")
    for name, counts in (("trials", planned), ("complete", complete), ("to run", new)):
        table.add_column(name, footer=str(counts.total()), justify="right")
    last = None
    for scenario, method in planned:
        row = scenario, method
        shown = "" if scenario == last else scenario
        table.add_row(shown, method, *(str(counts[row]) for counts in (planned, complete, new)))
        last = scenario
    return Group(table, Text("\n".join(["", *_notes(plan, todo, expected)])))


def _notes(plan: Plan, todo: Sequence[Trial], expected: Estimate) -> Iterator[str]:
    yield from (f"excluded: {each}" for each in plan.exclusions or ["nothing"])
    yield from (f"warning: {warning}" for warning in plan.warnings)
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


def _trials(count: int) -> str:
    return f"{count} trial{'s' if count != 1 else ''}"
