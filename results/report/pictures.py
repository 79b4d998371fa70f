"""The plots of a run as they stand in its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from results.families import Family, by_scenario
from results.plots import (
    Looks,
    difference_figure,
    forgetting_figure,
    looks_of,
    metrics_figure,
    profile_figure,
    response_figure,
    speed_figure,
    stability_figure,
)
from results.plots.curves import shown_tasks
from results.plots.speed import timed
from results.report.anchors import anchor
from results.report.svg import inline_svg
from results.summary import CellSummary
from results.tables import HEADLINE
from results.tuned import TunedStudy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from results.sweep import Sweep

__all__ = ["Picture", "Pictures", "drawn"]

Drawing = tuple[str, Callable[[], "Figure"]]
"""What a picture shows, and how it is drawn."""

_MOST_TASKS = 5
"""Panels of single tasks; the page of a cell shows all of its own."""


@dataclass(frozen=True)
class Picture:
    """A plot: its anchor, what it shows, and its ``svg`` element."""

    anchor: str
    title: str
    svg: str


@dataclass(frozen=True)
class Pictures:
    """All plots of a run."""

    scenarios: Mapping[str, Sequence[Picture]] = field(default_factory=dict)
    """By the scenario's title: final metrics, forgetting, differences, speed; those that can be drawn."""
    across: Sequence[Picture] = ()
    studies: Mapping[tuple[str, str], Sequence[Picture]] = field(default_factory=dict)
    """By scenario and method of a search: response curves, stability and plasticity."""


def drawn(sweep: Sweep, studies: Sequence[TunedStudy] = ()) -> Pictures:
    """The plots of *sweep*, and of the searches of a tuned run. It takes a second or two per scenario."""
    looks, numbers = looks_of(sweep.cells), count()
    families = {family.scenario: family for family in sweep.families(("acc",))}
    return Pictures(
        {
            title: list(_pictures(numbers, title, _of_scenario(cells, families.get(title), looks)))
            for title, cells in by_scenario(sweep.cells).items()
        },
        list(_pictures(numbers, "", _across(sweep, looks))),
        {
            (study.scenario, study.method): list(
                _pictures(numbers, f"{study.scenario} {study.method}", _of_study(study))
            )
            for study in studies
            if study.ranges and study.configurations
        },
    )


def _pictures(numbers: Iterator[int], of: str, drawings: Iterator[Drawing]) -> Iterator[Picture]:
    for what, draw in drawings:
        title = f"{of}: {what}" if of else what
        yield Picture(anchor("plot", of, what), title, inline_svg(draw(), f"p{next(numbers)}", title))


def _of_scenario(cells: Sequence[CellSummary], family: Family | None, looks: Looks) -> Iterator[Drawing]:
    if any(name in cell.metrics for cell in cells for name in HEADLINE):
        yield "final metrics", partial(metrics_figure, cells, looks=looks)
    if any(cell.n for cell in cells):
        T = max(len(R) for cell in cells for R in cell.matrices.values())
        tasks = shown_tasks(T, _MOST_TASKS)
        yield "forgetting curves", partial(forgetting_figure, cells, tasks=tasks, looks=looks)
    if family and family.pairs:
        yield "paired differences", partial(difference_figure, family, looks=looks)
    if timed(cells):
        yield "learning speed against accuracy", partial(speed_figure, cells, looks=looks)


def _across(sweep: Sweep, looks: Looks) -> Iterator[Drawing]:
    if sweep.scores.methods and len(sweep.scores.scenarios) > 1:
        yield "performance profiles", partial(profile_figure, sweep.scores, looks=looks, level=sweep.level)


def _of_study(study: TunedStudy) -> Iterator[Drawing]:
    for name in study.ranges:
        yield f"response to {name}", partial(response_figure, study, name)
    if any(each.interval("forgetting") for each in study.configurations):
        yield "stability and plasticity", partial(stability_figure, study)
