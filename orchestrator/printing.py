"""What `clsweep run` and `clsweep show` print: the head of a sweep, and its tables in every format."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from rich.console import Console, RenderableType

from cl.metrics import METRICS
from orchestrator.quiet import ray_log
from orchestrator.showing import printed, responses, shown, transfer_of
from results import tables, transfer_tables
from results.store import Store
from sweeps.tuning import how

if TYPE_CHECKING:  # a table is printed without torch
    from orchestrator.preparation import Prepared
    from orchestrator.tuning import TunedSweep


def head(prepared: Prepared, store: Store, *, todo: int, local: bool) -> Iterator[str]:
    """What is about to run, what of it is done, and what is excluded or warned of, a line each."""
    total = len(prepared.plan.trials)
    done = f", {total - todo} of them done before" if total > todo else ""
    trials = "1 trial" if total == 1 else f"{total} trials"
    yield f"{prepared.spec.name}: {trials}{done}; results in {store.root}"
    yield from (f"excluded: {each}" for each in prepared.plan.exclusions)
    yield from (f"warning: {each}" for each in prepared.plan.warnings)
    if todo and not local:
        yield f"Ray's own messages go to {ray_log(store.root)}"


def head_of_tuning(prepared: Prepared, sweep: TunedSweep, store: Store, *, local: bool) -> Iterator[str]:
    """As `head`, of a sweep that is tuned."""
    assert prepared.spec.tune is not None
    left = sweep.at_most - sweep.done
    done = f", {sweep.done} of them done before" if sweep.done else ""
    at_most = "" if all(course.found.done for course in sweep.courses) else "at most "
    yield f"{prepared.spec.name}: {at_most}{sweep.at_most} trials{done}; results in {store.root}"
    yield how(prepared.spec.tune)
    yield from (f"excluded: {each}" for each in prepared.plan.exclusions)
    yield from (f"warning: {each}" for each in prepared.plan.warnings)
    if left and not local:
        yield f"Ray's own messages go to {ray_log(store.root)}"


def print_tables(
    store: Store,
    form: str = "table",
    *,
    matrix: bool = False,
    tasks: bool = False,
    transfer: bool = False,
    response: bool = False,
    output: Path | None = None,
    everything: bool = False,
) -> None:
    """Print a run, or write it to the file *output*, as *form*: table, markdown, csv or parquet.

    Raises:
        NoTransfer, NoSearch: *transfer* or *response* alone is asked for and there is none.
        StoreError: the run cannot be read.
        OSError: *output* cannot be written.
    """
    metrics = tuple(METRICS) if form in {"csv", "parquet"} else tables.HEADLINE
    run = shown(store, everything=everything, metrics=metrics)
    rows: Sequence[Any] = transfer_of(run) if transfer else run.cells
    writer = transfer_tables if transfer else tables
    if form == "parquet" and output is not None:
        pq.write_table(writer.to_arrow(rows), output)
    else:
        with _console(output) as console:
            if form == "markdown":
                console.out(writer.to_markdown(rows), highlight=False)
            elif form == "csv":
                console.out(writer.to_csv(rows), highlight=False, end="")
            elif response:
                _print_parts(console, responses(run, width=console.width))
            elif transfer:
                _print_parts(console, transfer_tables.transfer_tables(rows, width=console.width))
            else:
                _print_parts(console, printed(run, width=console.width, matrix=matrix, tasks=tasks))
    for note in run.notes:
        print(note, file=sys.stdout if form == "table" else sys.stderr)


def _print_parts(console: Console, parts: Iterable[RenderableType]) -> None:
    for part in parts:
        if isinstance(part, str):  # as it is: a matrix wider than the screen is not to be folded
            console.out(part, highlight=False)
        else:
            console.print(part)


@contextmanager
def _console(output: Path | None) -> Iterator[Console]:
    """A console on the screen, or on the file *output*."""
    if output is None:
        yield Console()
        return
    with output.open("w", encoding="utf-8") as file:
        yield Console(file=file, width=120)
