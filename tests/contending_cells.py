"""Cells that are compared with each other, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gate_cells import cell

from results.statistics import mean_interval
from results.summary import CellSummary


def contender(
    label: str,
    acc: Sequence[float] | Mapping[int, float],
    *,
    fm: Mapping[int, float] | None = None,
    chance: float | None = None,
    searched: bool = False,
    drivers: Sequence[datetime | None] = (None,),
    **options: object,
) -> CellSummary:
    """A cell with the accuracies *acc* by seed (from 0 on), and *options* of `gate_cells.cell`."""
    by_seed = dict(acc) if isinstance(acc, Mapping) else dict(enumerate(acc))
    made = cell(label, acc=by_seed, fm=fm, **options)
    means = {name: mean_interval(values.values()) for name, values in made.values.items() if values}
    reasons = {name: "undefined here" for name, values in made.values.items() if not values}
    return replace(
        made,
        metrics=means,
        reasons=reasons,
        chance=chance,
        searched=searched,
        drivers=frozenset(drivers if by_seed else ()),
    )


def day(number: int) -> datetime:
    """When a command started."""
    return datetime(2026, 1, number, tzinfo=UTC)
