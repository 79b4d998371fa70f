"""What `clsweep show` can show of a run: the summary and the pages beside it, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
from rich.console import RenderableType
from rich.text import Text

from cl.metrics import METRICS
from orchestrator.showing import NoSearch, Shown, printed, responses, transfer_of
from results import sheets, tables, tidy, transfer_tables
from results.comparison_tables import across_sheets, comparison_sheets, power_sheets, spread_sheets
from results.families import MARGIN, Family
from results.notes import bca_note, grouped, header, marks_legend, unchosen_note
from results.selection import (
    known_metrics,
    known_order,
    ordered,
    selected,
    selected_families,
    selected_transfer,
)
from results.sheets import Sheet
from results.summary import CellSummary


@dataclass(frozen=True)
class Request:
    """What of a run is to be shown, and how.

    Attributes:
        what: ``summary`` with everything that belongs to it, or one of `ALONE`.
        form: table, markdown, csv or parquet.
        output: the file to write; None for the screen.
        matrix, tasks: with the summary, each cell's accuracy matrix, and what its tasks cost.
        everything: also the trials of earlier settings of the run's spec.
        scenarios, methods: names to show; none is all.
        metrics: those to show; none is the headline ones, or all in a file for programs.
        by: what lines are ordered by; None is the order of the spec.
        baseline: label or method that all others are compared with.
        named: labels that stand for their methods in comparisons.
        level: of intervals and tests.
        margin: the difference that comparisons should be able to find.
    """

    what: str = "summary"
    form: str = "table"
    output: Path | None = None
    matrix: bool = False
    tasks: bool = False
    everything: bool = False
    scenarios: Sequence[str] = ()
    methods: Sequence[str] = ()
    metrics: Sequence[str] = ()
    by: str | None = None
    baseline: str | None = None
    named: Sequence[str] = ()
    level: float = 0.95
    margin: float = MARGIN


ALONE = ("transfer", "response", "compare", "power", "across", "spread", "plot")
"""What can be shown by itself instead of the summary."""
ON_SCREEN = frozenset({"response", "plot"})
"""Those that are no table for a program."""
UNUSED: Mapping[str, frozenset[str]] = {
    "transfer": frozenset({"metric", "cell"}),
    "response": frozenset({"metric", "by", "cell"}),
    "compare": frozenset({"by"}),
    "power": frozenset({"by"}),
    "across": frozenset({"scenario", "method", "metric", "by"}),
    "plot": frozenset({"cell"}),
}
"""The options that change nothing in one of `ALONE`."""


@dataclass(frozen=True)
class Page:
    """Something to show: in parts for a screen of a width, as Markdown, and as a table for programs."""

    parts: Callable[[int], Iterator[RenderableType]]
    markdown: Callable[[], str]
    arrow: Callable[[], pa.Table]


def needed(request: Request) -> tuple[str, ...]:
    """The metrics that are to be computed.

    Raises:
        NoSuchCell: a metric or an order does not exist.
    """
    order = known_order(request.by) if request.by else ""
    by = [order] if order in METRICS else []
    return tuple(dict.fromkeys((*_metrics(request), *by, "acc")))


def _metrics(request: Request) -> tuple[str, ...]:
    if request.metrics:
        return known_metrics(request.metrics)
    if request.form in {"csv", "parquet"}:
        return tuple(METRICS)
    return tables.HEADLINE if request.what == "summary" else ("acc",)


def page(run: Shown, request: Request) -> Page:
    """The page that is asked for, of the run with its lines selected and ordered.

    Raises:
        NoTransfer, NoSearch, NoSuchCell: as `print_tables`.
    """
    sweep = replace(run.sweep, named=request.named, baseline=request.baseline, margin=request.margin)
    whole = replace(run, sweep=sweep)
    cells = selected(sweep.cells, scenarios=request.scenarios, methods=request.methods)
    if request.by:
        cells = ordered(cells, request.by)
    return _PAGES[request.what](whole, _with_cells(whole, cells), request)


def _with_cells(run: Shown, cells: Sequence[CellSummary]) -> Shown:
    """The run with these of its *cells*, and without the searches for others."""
    if len(cells) == len(run.sweep.cells):
        return replace(run, sweep=replace(run.sweep, cells=cells))
    some = {(cell.scenario_label, cell.method) for cell in cells}
    return replace(
        run,
        sweep=replace(run.sweep, cells=cells),
        studies=tuple(study for study in run.studies if (study.scenario, study.method) in some),
        courses=tuple(course for course in run.courses if (course.scenario, course.method) in some),
    )


def _summary(whole: Shown, run: Shown, request: Request) -> Page:
    metrics, cells = _metrics(request), run.sweep.cells
    best = whole.sweep.best(metrics)
    unchosen = [cell for cell in whole.sweep.unchosen if cell in cells]
    remarks = [*bca_note(cells), *marks_legend(best), *unchosen_note(unchosen)]

    def parts(width: int) -> Iterator[RenderableType]:
        return printed(
            run,
            metrics=metrics,
            best=best,
            remarks=remarks,
            width=width,
            matrix=request.matrix,
            tasks=request.tasks,
            transfer=selected_transfer(whole.sweep.transfer, cells),
        )

    return Page(
        parts,
        lambda: tables.to_markdown(cells, metrics=metrics, best=best, remarks=remarks),
        lambda: tidy.summary_table(cells, best, metrics=metrics),
    )


def _transfer(whole: Shown, run: Shown, _: Request) -> Page:
    rows = selected_transfer(transfer_of(whole), run.sweep.cells)
    empty: list[RenderableType] = ["none of these lines has forward transfer"]
    return Page(
        lambda width: iter(transfer_tables.transfer_tables(rows, width=width) or empty),
        lambda: transfer_tables.to_markdown(rows),
        lambda: transfer_tables.to_arrow(rows),
    )


def _response(whole: Shown, run: Shown, _: Request) -> Page:
    if _is_searched(whole) and not _is_searched(run):
        raise NoSearch(f"{run.sweep.store.root}: none of these methods was searched there")
    return Page(lambda width: responses(run, width=width), _nothing, _nothing)


def _is_searched(run: Shown) -> bool:
    return any(study.ranges for study in run.studies)


def _plot(_: Shown, run: Shown, request: Request) -> Page:
    def parts(width: int) -> Iterator[RenderableType]:
        from results.terminal import curves_text, metrics_text  # noqa: PLC0415 - tables are shown without plotext

        for metric in _metrics(request):
            yield from (metrics_text(run.sweep.cells, metric, width=width), "")
        yield curves_text(run.sweep.cells, width=width)

    return Page(parts, _nothing, _nothing)


def _nothing() -> NoReturn:
    """What is only for the screen has no other form; the command line says so before it comes to this."""
    raise NotImplementedError


def _compare(whole: Shown, run: Shown, request: Request) -> Page:
    return _of_families(whole, run, request, comparison_sheets)


def _power(whole: Shown, run: Shown, request: Request) -> Page:
    return _of_families(whole, run, request, power_sheets)


def _of_families(
    whole: Shown, run: Shown, request: Request, draw: Callable[[Sequence[Family]], list[Sheet]]
) -> Page:
    found = selected_families(whole.sweep.families(_metrics(request)), run.sweep.cells)
    return _of_sheets(
        lambda: draw(found), lambda: tidy.comparisons_table(found), _why_no_pair(whole, run, request)
    )


def _why_no_pair(whole: Shown, run: Shown, request: Request) -> str:
    if len(whole.sweep.cells) > len(run.sweep.cells) and whole.sweep.families(_metrics(request)):
        return "no comparison is left: --scenario and --method show no two lines that are compared"
    unchosen = [cell for cell in whole.sweep.unchosen if cell in run.sweep.cells]
    return "\n".join(["no two methods can be compared yet", *unchosen_note(unchosen)])


def _across(whole: Shown, _: Shown, __: Request) -> Page:
    table = tidy.across_table(whole.sweep.scores, level=whole.sweep.level)
    return _of_sheets(
        lambda: across_sheets(whole.sweep.scores, table), lambda: table, _why_not(whole.sweep.scores.left_out)
    )


def _why_not(left_out: Mapping[str, str]) -> str:
    return "\n".join(["no scenario counts:", *(f"  {line}" for line in grouped(left_out))])


def _spread(whole: Shown, run: Shown, request: Request) -> Page:
    metrics = _metrics(request)
    best = whole.sweep.best(metrics)
    return _of_sheets(
        lambda: spread_sheets(run.sweep.cells, metrics),
        lambda: tidy.summary_table(run.sweep.cells, best, metrics=metrics),
        f"no complete trial has {', '.join(map(header, metrics))}",
    )


def _of_sheets(draw: Callable[[], list[Sheet]], arrow: Callable[[], pa.Table], empty: str) -> Page:
    def parts(width: int) -> Iterator[RenderableType]:
        found = draw()
        return iter(sheets.drawn(found, width=width) if found else [Text(empty)])

    return Page(parts, lambda: sheets.to_markdown(draw()) or empty, arrow)


_PAGES: Mapping[str, Callable[[Shown, Shown, Request], Page]] = {
    "summary": _summary,
    "transfer": _transfer,
    "response": _response,
    "plot": _plot,
    "compare": _compare,
    "power": _power,
    "across": _across,
    "spread": _spread,
}
