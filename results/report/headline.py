"""The headline tables: per scenario a line per cell, the best marked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from cl.metrics import METRICS
from results.families import by_scenario, contenders
from results.layout import seconds
from results.notes import footnotes, grouped, header, legend
from results.report.anchors import anchor, cell_anchor
from results.report.listing import Column, Datum, Listing, of_interval, of_number
from results.report.rendering import rendered, text_of
from results.summary import CellSummary
from results.tables import HEADLINE

if TYPE_CHECKING:
    from results.sweep import Sweep

__all__ = ["definitions", "headline_html", "headline_listings", "headline_notes"]

Best = Mapping[tuple[str, str], frozenset[str]]


def headline_html(sweep: Sweep) -> str:
    """The headline tables of *sweep* alone, as an HTML fragment with a style of its own, for a notebook."""
    return rendered(
        "fragment.html",
        listings=headline_listings(sweep, linked=False),
        notes=headline_notes(sweep),
        title=repr(sweep),
        style=text_of("fragment.css"),
    )


def headline_listings(sweep: Sweep, *, linked: bool = True) -> list[Listing]:
    """A table per scenario, its cells *linked* with their pages."""
    best = sweep.best(HEADLINE)
    return [
        _listing(title, members, best, sweep.named, linked)
        for title, members in by_scenario(sweep.cells).items()
    ]


def headline_notes(sweep: Sweep) -> list[str]:
    """What the numbers of all headline tables are, and what is marked."""
    level = f"{100 * sweep.level:g} %"
    marked = (
        f"marked: the best of its scenario, and all that cannot be told from it at the {level} level (paired "
        "t tests, Holm); joint and scratch are references and do not compete"
    )
    return [legend(sweep.cells, HEADLINE), marked]


def definitions() -> list[tuple[str, str]]:
    """The metrics of the headline tables and what they are."""
    return [(header(name), METRICS[name].definition) for name in HEADLINE]


def _listing(
    title: str, cells: Sequence[CellSummary], best: Best, named: Collection[str], linked: bool
) -> Listing:
    columns = [
        Column("method", names=True, falling=False),
        Column("n"),
        *(Column(header(name), falling=METRICS[name].higher_is_better) for name in HEADLINE),
        Column("train s", falling=False),
    ]
    rows = [_row(cell, best, linked) for cell in cells]
    notes = [*footnotes(cells, HEADLINE), *_not_compared(cells, named)]
    return Listing.of(anchor("headline", title), title, columns, rows, notes)


def _not_compared(cells: Sequence[CellSummary], named: Collection[str]) -> list[str]:
    _, left_out = contenders(cells, named=named)
    return [f"not compared, and so not marked: {line}" for line in grouped(left_out)]


def _row(cell: CellSummary, best: Best, linked: bool) -> list[Datum]:
    n = f"{cell.n}" if cell.n == cell.planned else f"{cell.n}/{cell.planned}"
    return [
        Datum(cell.label, link=f"#{cell_anchor(cell)}" if linked else ""),
        Datum(n, cell.n),
        *(
            of_interval(
                cell.metrics.get(name),
                best=cell.label in best[cell.scenario_label, name],
                reason=cell.reasons.get(name, ""),
            )
            for name in HEADLINE
        ),
        of_number(cell.train_s, None if cell.train_s is None else seconds(cell.train_s)),
    ]
