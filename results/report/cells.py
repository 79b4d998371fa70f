"""The page of a cell: its accuracy matrix, how its tasks are forgotten, its metrics and its single seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cl.metrics import METRICS
from results.cells import CellKey, cell_key, group
from results.layout import NULL, fixed
from results.notes import grouped, header
from results.report.anchors import anchor, cell_anchor
from results.report.curves import Curves, curves_of
from results.report.facts import words
from results.report.listing import Column, Datum, Listing, of_interval, of_number
from results.schema import to_rows
from results.statistics import mean_interval, spread
from results.summary import CellSummary, mean_matrix
from results.tables import HEADLINE

__all__ = ["SHADES", "CellPage", "Square", "cell_pages"]

SHADES = 10
"""Steps of the colour of a square."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Square:
    """One accuracy of a matrix.

    Attributes:
        text: its mean.
        spread: its half width, empty for one seed.
        shade: its colour, from 0, also where it was not measured, to `SHADES`.
        unseen: whether the task was still to come.
    """

    text: str
    spread: str
    shade: int
    unseen: bool


@dataclass(frozen=True)
class CellPage:
    """What the page of a cell shows."""

    anchor: str
    scenario: str
    label: str
    status: str
    settings: Sequence[tuple[str, str]]
    """What the cell is, as (place in a spec, value)."""
    matrix: Sequence[Sequence[Square]]
    """A row per task evaluated, a column per task trained; empty without a complete trial."""
    curves: Curves | None
    metrics: Listing
    seeds: Listing


def cell_pages(cells: Sequence[CellSummary], trials: pa.Table, *, level: float) -> list[CellPage]:
    """The pages of *cells*, which *trials* were summarised to, with intervals at *level*."""
    rows = group(to_rows(trials.drop_columns(["error"])))
    return [_page(cell, rows.get(_key(cell), {}), level) for cell in cells]


def _key(cell: CellSummary) -> CellKey:
    """The key of the rows that were summarised to *cell*."""
    names = ("scenario", "data_digest", "results_version", "method")
    settings = ("scenario_settings", "hyperparameters", "model", "train")
    row = {name: getattr(cell, name) for name in names}
    return cell_key(row | {name: json.dumps(getattr(cell, name)) for name in settings})


def _page(cell: CellSummary, rows: Mapping[int, Row], level: float) -> CellPage:
    place = cell_anchor(cell)
    return CellPage(
        anchor=place,
        scenario=cell.scenario_label,
        label=cell.label,
        status=f"{cell.n} of {cell.planned} seeds complete",
        settings=list(_settings(cell)),
        matrix=_matrix(cell, level),
        curves=curves_of(mean_matrix(cell)[0]) if cell.n else None,
        metrics=_metrics(cell, place),
        seeds=_seeds(cell, rows, place),
    )


def _settings(cell: CellSummary) -> list[tuple[str, str]]:
    sections = {
        "scenario": cell.scenario_settings,
        cell.method: cell.hyperparameters,
        "model": cell.model,
        "train": cell.train,
    }
    return [
        (f"{section}.{name}", value if isinstance(value, str) else json.dumps(value))
        for section, values in sections.items()
        for name, value in values.items()
    ]


def _matrix(cell: CellSummary, level: float) -> list[list[Square]]:
    if not cell.n:
        return []
    stack = np.stack(list(cell.matrices.values()), axis=-1)
    return [
        [_square(values, level, unseen=after < task) for after, values in enumerate(row)]
        for task, row in enumerate(stack)
    ]


def _square(values: Any, level: float, *, unseen: bool) -> Square:
    """Of the seeds' *values*; an accuracy that a seed lacks has no mean."""
    if np.isnan(values).any():
        return Square(NULL, "", 0, unseen)
    interval = mean_interval(values.tolist(), level)
    spread = "" if interval.half_width is None else f"±{fixed(interval.half_width)}"
    shade = round(min(1.0, max(0.0, interval.mean)) * SHADES)
    return Square(fixed(interval.mean), spread, shade, unseen)


def _metrics(cell: CellSummary, place: str) -> Listing:
    columns = [
        Column("metric", names=True, falling=False),
        *map(Column, ("mean", "n", "sd", "median", "IQM", "min", "max")),
    ]
    rows = [_metric(cell, name) for name in METRICS]
    notes = grouped({METRICS[name].label: reason for name, reason in cell.reasons.items()})
    return Listing.of(anchor("metrics", place), "Metrics", columns, rows, notes)


def _metric(cell: CellSummary, name: str) -> list[Datum]:
    values, interval = list(cell.values[name].values()), cell.metrics.get(name)
    first = [Datum(METRICS[name].label), of_interval(interval, reason=cell.reasons.get(name, ""))]
    if interval is None:
        return [*first, Datum("0", 0), *[Datum(NULL, None)] * 5]
    how = spread(values)
    numbers = (interval.sd, how.median, how.iqm, how.least, how.most)
    return [*first, Datum(str(interval.n), interval.n), *map(of_number, numbers)]


def _seeds(cell: CellSummary, rows: Mapping[int, Row], place: str) -> Listing:
    columns = [
        Column("seed", falling=False),
        Column("status", names=True, falling=False),
        *(Column(header(name), falling=METRICS[name].higher_is_better) for name in HEADLINE),
        *(Column(head, falling=False) for head in ("time", "attempts")),
        *(Column(head, names=True, falling=False) for head in ("host", "trial")),
    ]
    statuses = {**cell.seeds, **dict.fromkeys(cell.missing, "to come")}
    lines = [_seed(cell, seed, statuses[seed], rows.get(seed)) for seed in sorted(statuses)]
    return Listing.of(anchor("seeds", place), "Seeds", columns, lines)


def _seed(cell: CellSummary, seed: int, status: str, row: Row | None) -> list[Datum]:
    wall_s = row["wall_s"] if row else None
    return [
        Datum(str(seed), seed),
        Datum(status),
        *(of_number(cell.values[name].get(seed)) for name in HEADLINE),
        of_number(wall_s, None if wall_s is None else words(wall_s)),
        of_number(row["attempts"] if row else None, str(row["attempts"]) if row else None),
        Datum((row["host"] if row else None) or NULL),
        Datum(row["trial_id"] if row else NULL),
    ]
