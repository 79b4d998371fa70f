"""What `clsweep show` can show of a run: the summary and the pages beside it, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
from rich.console import RenderableType

from cl.metrics import METRICS
from orchestrator.showing import Shown, printed, responses, transfer_of
from results import sheets, tables, tidy, transfer_tables
from results.comparison_tables import across_sheets, comparison_sheets, power_sheets, spread_sheets
from results.families import MARGIN, Family, by_scenario, contenders
from results.notes import grouped, marks_legend, unchosen_note
from results.selection import known_metrics, ordered, selected, selected_families
from results.sheets import Sheet


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


@dataclass(frozen=True)
class Page:
    """Something to show: in parts for a screen of a width, as Markdown, and as a table for programs."""

    parts: Callable[[int], Iterator[RenderableType]]
    markdown: Callable[[], str]
    arrow: Callable[[], pa.Table]


def needed(request: Request) -> tuple[str, ...]:
    """The metrics that are to be computed.

    Raises:
        NoSuchCell: a metric does not exist.
    """
    by = [request.by] if request.by and request.by in METRICS else []
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
    whole = replace(run.sweep, named=request.named, baseline=request.baseline, margin=request.margin)
    cells = selected(whole.cells, scenarios=request.scenarios, methods=request.methods)
    if request.by:
        cells = ordered(cells, request.by)
    return _PAGES[request.what](
        replace(run, sweep=whole), replace(run, sweep=replace(whole, cells=cells)), request
    )


def _summary(whole: Shown, run: Shown, request: Request) -> Page:
    metrics, cells = _metrics(request), run.sweep.cells
    best = whole.sweep.best(metrics)
    unchosen = {
        label: reason
        for members in by_scenario(cells).values()
        for label, reason in contenders(members, named=request.named)[1].items()
    }
    remarks = [*marks_legend(best), *unchosen_note(unchosen)]

    def parts(width: int) -> Iterator[RenderableType]:
        return printed(
            run,
            metrics=metrics,
            best=best,
            remarks=remarks,
            width=width,
            matrix=request.matrix,
            tasks=request.tasks,
        )

    return Page(
        parts,
        lambda: tables.to_markdown(cells, metrics=metrics, best=best, remarks=remarks),
        lambda: tidy.summary_table(cells, best, metrics=metrics),
    )


def _transfer(_: Shown, run: Shown, __: Request) -> Page:
    rows = transfer_of(run)
    return Page(
        lambda width: iter(transfer_tables.transfer_tables(rows, width=width)),
        lambda: transfer_tables.to_markdown(rows),
        lambda: transfer_tables.to_arrow(rows),
    )


def _response(_: Shown, run: Shown, __: Request) -> Page:
    return Page(lambda width: responses(run, width=width), _nothing, _nothing)


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
        lambda: draw(found), lambda: tidy.comparisons_table(found), "no two methods can be compared yet"
    )


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
        "no complete trial yet",
    )


def _of_sheets(draw: Callable[[], list[Sheet]], arrow: Callable[[], pa.Table], empty: str) -> Page:
    def parts(width: int) -> Iterator[RenderableType]:
        found = draw()
        return iter(sheets.drawn(found, width=width) if found else [empty])

    return Page(parts, lambda: sheets.to_markdown(draw()), arrow)


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
