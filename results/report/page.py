"""A run as one HTML file that needs nothing else: it opens offline, and loads nothing from a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from results.report.anchors import anchor
from results.report.cells import CellPage, cell_pages
from results.report.facts import cost_listing, facts_of, progress_of
from results.report.failures import causes_of
from results.report.headline import definitions, headline_listings, headline_notes
from results.report.listing import Listing
from results.report.pairs import across_listings, comparison_listings
from results.report.pictures import Picture, Pictures, drawn
from results.report.rendering import digest_for_policy, rendered, text_of
from results.report.searches import searches_of, searching, winner_listings
from results.schema import to_rows
from results.tables import HEADLINE
from results.tuned import TunedStudy

if TYPE_CHECKING:
    from results.sweep import Sweep

__all__ = ["report_html", "with_trouble"]

_TROUBLE = "<!-- trouble -->"
"""Where `with_trouble` puts its message."""


@dataclass(frozen=True)
class Scenario:
    """What the page has of one scenario."""

    anchor: str
    title: str
    headline: Listing
    comparisons: Sequence[Listing]
    pictures: Sequence[Picture]
    cells: Sequence[CellPage]


def report_html(
    sweep: Sweep,
    *,
    spec: str | None,
    command: str,
    notes: Sequence[str] = (),
    studies: Sequence[TunedStudy] = (),
    live: bool = False,
    all_trials: pa.Table | None = None,
    pictures: Pictures | None = None,
) -> str:
    """The report of *sweep* as a whole page.

    The same rows give the same page.

    Args:
        sweep: the run.
        spec: the text of its spec, if there is one.
        command: what runs that spec, for people to copy.
        notes: what else there is to say of the run, a line each.
        studies: what the searches of a tuned run came to.
        live: whether the page asks the server that it came from for changes and shows them.
        all_trials: the rows of all trials, of searches too, for cost and failures; else those of *sweep*.
        pictures: its plots, as `drawn` draws them; without them they are drawn here.
    """
    pictures = pictures if pictures is not None else drawn(sweep, studies)
    rows = to_rows(sweep.trials if all_trials is None else all_trials)
    style, script = text_of("style.css"), text_of("page.js")
    return rendered(
        "page.html",
        style=style,
        script=script,
        policy=_policy(style, script, live),
        live=live,
        name=sweep.name,
        place=str(sweep.store.root),
        progress=progress_of(sweep.cells),
        notes=notes,
        legend=headline_notes(sweep),
        definitions=definitions(),
        scenarios=_scenarios(sweep, pictures),
        across=across_listings(sweep),
        across_pictures=pictures.across,
        spec=spec,
        command=command,
        **_of_rows(rows),
        **_of_searches(studies, pictures),
    )


def _of_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"facts": facts_of(rows), "cost": cost_listing(rows), "causes": causes_of(rows)}


def _of_searches(studies: Sequence[TunedStudy], pictures: Pictures) -> dict[str, Any]:
    return {
        "winners": winner_listings(studies),
        "searches": searches_of(studies, pictures),
        "searching": searching(studies),
    }


def with_trouble(page: str, trouble: str) -> str:
    """The *page* of `report_html` with a message above it, such as why it is not the newest any more."""
    from markupsafe import escape  # noqa: PLC0415 - comes with Jinja2, which only pages need

    message = f'<p class="trouble" role="alert">{escape(trouble)}</p>'
    return page.replace(_TROUBLE, message, 1)


def _policy(style: str, script: str, live: bool) -> str:
    """What the page may load and run: its own style and script, and nothing else."""
    allowed = {
        "default-src": "'none'",
        "style-src": digest_for_policy(style),
        "script-src": digest_for_policy(script),
        "img-src": "data:",
        "connect-src": "'self'" if live else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{what} {where}" for what, where in allowed.items())


def _scenarios(sweep: Sweep, pictures: Pictures) -> list[Scenario]:
    comparisons = comparison_listings(sweep.families(HEADLINE))
    pages: dict[str, list[CellPage]] = {}
    for page in cell_pages(sweep.cells, sweep.trials, level=sweep.level):
        pages.setdefault(page.scenario, []).append(page)
    return [
        Scenario(
            anchor("scenario", listing.title),
            listing.title,
            listing,
            comparisons.get(listing.title, ()),
            pictures.scenarios.get(listing.title, ()),
            pages[listing.title],
        )
        for listing in headline_listings(sweep)
    ]
