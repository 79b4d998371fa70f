"""Which cells of a run are shown, and in which order."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from cl.metrics import METRICS
from results.families import Family, check_known
from results.notes import header
from results.summary import CellSummary
from results.transfer import Transfer

__all__ = [
    "ORDERS",
    "known_metrics",
    "known_order",
    "ordered",
    "selected",
    "selected_families",
    "selected_transfer",
]

ORDERS = ("method", "n", "train_s", *METRICS)
"""What lines can be ordered by."""


def selected(
    cells: Sequence[CellSummary], *, scenarios: Collection[str] = (), methods: Collection[str] = ()
) -> list[CellSummary]:
    """The cells in any of *scenarios* (names, or titles of tables) and of any of *methods* (names or labels).

    Nothing named is everything.

    Raises:
        NoSuchCell: a name that no cell has.
    """
    for name in scenarios:
        check_known(
            "scenario", name, (text for cell in cells for text in (cell.scenario_label, cell.scenario))
        )
    for name in methods:
        check_known("method or line", name, (text for cell in cells for text in (cell.label, cell.method)))
    return [
        cell
        for cell in cells
        if (not scenarios or {cell.scenario_label, cell.scenario} & set(scenarios))
        and (not methods or {cell.label, cell.method} & set(methods))
    ]


def selected_families(families: Iterable[Family], cells: Sequence[CellSummary]) -> list[Family]:
    """The *families* with the pairs of which both are among *cells*; p values stay those of the whole."""
    shown = {(cell.scenario_label, cell.label) for cell in cells}
    some = [
        replace(
            family,
            pairs=tuple(
                pair
                for pair in family.pairs
                if {(family.scenario, pair.first), (family.scenario, pair.second)} <= shown
            ),
        )
        for family in families
    ]
    return [family for family in some if family.pairs]


def selected_transfer(rows: Iterable[Transfer], cells: Sequence[CellSummary]) -> list[Transfer]:
    """The *rows* of *cells*, which were measured against the reference be it among them or not.

    Scenario by scenario and task by task as before, and within those in the order of *cells*.
    """
    places = {cell: place for place, cell in enumerate(cells)}
    return [
        row
        for _, some in groupby(rows, key=lambda row: (row.cell.scenario_label, row.task))
        for row in sorted((row for row in some if row.cell in places), key=lambda row: places[row.cell])
    ]


def known_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """The metrics of those names, or of those at the heads of tables; case and hyphens do not matter.

    Raises:
        NoSuchCell: a name that no metric has.

    >>> known_metrics(["ACC", "learning-accuracy", "INT"])
    ('acc', 'learning_accuracy', 'intransigence')
    """
    found = [_name_of(name) for name in names]
    for name in found:
        check_known("metric", name, METRICS)
    return tuple(dict.fromkeys(found))


def _name_of(text: str) -> str:
    """What may be a metric or an order, by its name or by what stands at the head of its column."""
    spelled = text.lower().replace("-", "_").replace(" ", "_")
    heads = {header(metric).lower().replace(" ", "_"): metric for metric in METRICS}
    return heads.get(spelled, spelled)


def known_order(name: str) -> str:
    """The one of `ORDERS` of that name, spelled as `known_metrics` allows.

    Raises:
        NoSuchCell: there is none.
    """
    found = _name_of(name)
    check_known("order", found, ORDERS)
    return found


def ordered(cells: Sequence[CellSummary], by: str) -> list[CellSummary]:
    """The cells of every scenario by one of `ORDERS`: names ascending, metrics best first, undefined last.

    Raises:
        NoSuchCell: they cannot be ordered by that.
    """
    by = known_order(by)
    titles = list(dict.fromkeys(cell.scenario_label for cell in cells))
    return sorted(cells, key=lambda cell: (titles.index(cell.scenario_label), _rank(cell, by)))


def _rank(cell: CellSummary, by: str) -> tuple[float, str]:
    if by == "method":
        return 0.0, cell.label
    if by == "n":
        return -cell.n, ""
    if by == "train_s":
        return math.inf if cell.train_s is None else cell.train_s, ""
    interval = cell.metrics.get(by)
    if interval is None:
        return math.inf, ""
    return -interval.mean if METRICS[by].higher_is_better else interval.mean, ""
