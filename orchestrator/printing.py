"""What `clsweep run` and `clsweep show` print: the head of a sweep, and its pages in every format."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from rich.console import Console, RenderableType

from orchestrator.quiet import ray_log
from orchestrator.showing import shown
from orchestrator.views import Request, needed, page
from results.layout import csv_text
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


def print_tables(store: Store, request: Request) -> None:
    """Print a run, or write it to the request's file.

    Raises:
        NoTransfer, NoSearch: forward transfer or responses are asked for and there are none.
        NoSuchCell: a scenario, method, metric or order that is named does not exist.
        StoreError: the run cannot be read.
        OSError: the file cannot be written.
    """
    run = shown(store, everything=request.everything, metrics=needed(request), level=request.level)
    view = page(run, request)
    if request.form == "parquet" and request.output is not None:
        pq.write_table(view.arrow(), request.output)
    else:
        with _console(request.output) as console:
            if request.form == "markdown":
                console.out(view.markdown(), highlight=False)
            elif request.form == "csv":
                console.out(csv_text(view.arrow()), highlight=False, end="")
            else:
                _print_parts(console, view.parts(console.width))
    for note in run.notes:
        print(note, file=sys.stdout if request.form == "table" else sys.stderr)


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
