"""Every picture of a run: which there are, what each is called, and why others cannot be drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from results.across import Scores
from results.families import Family, by_scenario, contenders
from results.notes import grouped
from results.plots.across import profile_figure
from results.plots.comparisons import difference_figure
from results.plots.curves import forgetting_figure
from results.plots.matrices import matrix_figure
from results.plots.metrics import metrics_figure
from results.plots.speed import speed_figure, timed
from results.plots.style import Looks, looks_of
from results.plots.tuned import response_figure, stability_figure
from results.summary import CellSummary
from results.tables import HEADLINE
from results.tuned import TunedStudy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from results.sweep import Sweep

__all__ = ["Picture", "pictures"]

_LONGEST = 120
"""Characters of a name, whatever a scenario is called."""
Draw: TypeAlias = Callable[[], "Figure"]


@dataclass(frozen=True)
class Picture:
    """A picture that a run has, or could have."""

    kind: str
    """Such as ``metrics``."""
    subject: str
    """The title of the scenario that it is about, with what was searched; empty if it is about all."""
    draw: Draw | None
    """What draws it; None where it cannot be drawn."""
    reason: str = ""
    """Why it cannot be drawn."""
    name: str = ""
    """Of its files, without the ending: letters, digits, points and hyphens, and no two alike."""


def pictures(sweep: Sweep, studies: Iterable[TunedStudy] = ()) -> list[Picture]:
    """The pictures of *sweep* scenario by scenario, of all scenarios at once, and of what was searched.

    Raises:
        NoSuchCell: as `Sweep.families`.
    """
    looks = looks_of(sweep.cells)
    families = {family.scenario: family for family in sweep.families(("acc",))}
    scenarios = by_scenario(sweep.cells)
    found: list[Picture] = []
    for title, cells in scenarios.items():
        found += _of_scenario(title, cells, families.get(title), looks, sweep.named)
    if scenarios:
        draw = partial(profile_figure, sweep.scores, looks=looks, level=sweep.level)
        found.append(_picture("profiles", "", draw, _no_profiles(sweep.scores, scenarios)))
    found += _of_studies(studies)
    return _with_names(found)


def _picture(kind: str, subject: str, draw: Draw, lacking: str = "") -> Picture:
    return Picture(kind, subject, None if lacking else draw, lacking)


def _of_scenario(
    title: str, cells: Sequence[CellSummary], family: Family | None, looks: Looks, named: Collection[str]
) -> Iterator[Picture]:
    if not any(cell.n for cell in cells):
        yield Picture("metrics", title, None, "no trial is complete")
        return
    undefined = "" if any(name in cell.metrics for cell in cells for name in HEADLINE) else "none is defined"
    yield _picture("metrics", title, partial(metrics_figure, cells, looks=looks), undefined)
    yield _picture("forgetting", title, partial(forgetting_figure, cells, looks=looks))
    yield _picture("matrix", title, partial(matrix_figure, cells))
    if family:
        yield _picture("differences", title, partial(difference_figure, family, looks=looks))
    else:
        yield Picture("differences", title, None, _why_not_compared(cells, named))
    untimed = "" if timed(cells) else "no cell has both ACC and a training time"
    yield _picture("speed", title, partial(speed_figure, cells, looks=looks), untimed)


def _why_not_compared(cells: Sequence[CellSummary], named: Collection[str]) -> str:
    _, left_out = contenders(cells, named=named)
    return "; ".join(["fewer than two methods can be compared", *grouped(left_out)])


def _no_profiles(scores: Scores, scenarios: Container[str]) -> str:
    """Why there are no performance profiles; empty if there are."""
    if len(scores.scenarios) < 2:
        lacking = {title: why for title, why in scores.left_out.items() if title in scenarios}
        return "; ".join(["two scenarios are needed", *grouped(lacking)])
    return "" if scores.methods else "; ".join(grouped(scores.left_out))


def _of_studies(studies: Iterable[TunedStudy]) -> Iterator[Picture]:
    for study in studies:
        if study.ranges and study.configurations:
            subject = f"{study.scenario}-{study.method}"
            for name in study.ranges:
                yield _picture("response", f"{subject}-{name}", partial(response_figure, study, name))
            known = any(each.interval("forgetting") for each in study.configurations)
            lacking = "" if known else "no configuration has forgetting"
            yield _picture("stability-plasticity", subject, partial(stability_figure, study), lacking)


def _with_names(found: Iterable[Picture]) -> list[Picture]:
    """The pictures with their names; of those that would be called the same, the later ones are numbered."""
    taken: set[str] = set()
    named = []
    for picture in found:
        words = f"{picture.kind}-{picture.subject}"
        stem = re.sub(r"[^A-Za-z0-9.]+", "-", words)[:_LONGEST].strip("-.")
        name, number = stem, 1
        while name.lower() in taken:  # since some file systems do not tell a from A
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        named.append(replace(picture, name=name))
    return named
