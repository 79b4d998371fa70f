"""What `clsweep compare` prints: two runs, held against one another."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from orchestrator.showing import Shown, shown
from results.layout import csv_text
from results.selection import known_metrics
from results.sheets import drawn
from results.store import Store, open_run
from results.tables import HEADLINE
from results.two_runs import NothingInCommon, TwoRuns, compare_runs
from results.two_runs_rows import to_arrow
from results.two_runs_tables import conclusion, heading, to_markdown, two_runs_sheets


@dataclass(frozen=True)
class Wanted:
    """What of two runs is to be compared, and how it is written.

    Attributes:
        form: table, markdown or csv.
        scenarios, methods: names of either run; none is all.
        metrics: those to compare; none is the headline ones.
        level: of intervals and, less from 1, of tests.
        everything: also the trials of earlier settings of the runs' specs.
        exact: whether other numbers are a difference although they cannot be told apart.
    """

    form: str = "table"
    scenarios: Sequence[str] = ()
    methods: Sequence[str] = ()
    metrics: Sequence[str] = ()
    level: float = 0.95
    everything: bool = False
    exact: bool = False


def print_comparison(run_a: str, run_b: str, wanted: Wanted) -> bool:
    """Print what changed between the runs in two folders or at two URIs, and say whether they differ.

    Raises:
        NoSuchCell: neither run has a scenario or method of that name, or there is no such metric.
        NothingInCommon: there is nothing to compare, since the two are one or share no cell.
        StoreError: a run is not there or cannot be read.
    """
    metrics = known_metrics(wanted.metrics) or HEADLINE
    a, b = (
        shown(store, everything=wanted.everything, metrics=metrics, level=wanted.level)
        for store in _two(run_a, run_b)
    )
    two = compare_runs(
        a.sweep,
        b.sweep,
        metrics=metrics,
        scenarios=wanted.scenarios,
        methods=wanted.methods,
        level=wanted.level,
    )
    _print(two, wanted.form)
    for note in _notes(a, b):
        print(note, file=sys.stdout if wanted.form == "table" else sys.stderr)
    return two.differ(exact=wanted.exact)


def _two(run_a: str, run_b: str) -> tuple[Store, Store]:
    a, b = open_run(run_a), open_run(run_b)
    if (a.root.files, a.root.path) == (b.root.files, b.root.path):
        raise NothingInCommon(f"{run_a} and {run_b} are the same run; compare it with another")
    return a, b


def _print(two: TwoRuns, form: str) -> None:
    console = Console()
    if form == "csv":
        console.out(csv_text(to_arrow(two)), highlight=False, end="")
    elif form == "markdown":
        console.out(to_markdown(two), highlight=False, end="")
    else:
        for line in heading(two):  # as they are: a path is not to be folded
            console.out(line, highlight=False)
        console.print(Text(conclusion(two)))
        console.print()
        for sheet in drawn(two_runs_sheets(two), width=console.width):
            console.print(sheet)


def _notes(a: Shown, b: Shown) -> Sequence[str]:
    return [f"{side}: {note}" for side, run in (("A", a), ("B", b)) for note in run.notes]
