"""Which cells of a run are shown, and in which order."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from cl.metrics import METRICS
from results.families import Family, check_known
from results.summary import CellSummary

__all__ = ["ORDERS", "known_metrics", "ordered", "selected", "selected_families"]

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


def known_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """The metrics of those names; case and hyphens do not matter.

    Raises:
        NoSuchCell: a name that no metric has.

    >>> known_metrics(["ACC", "learning-accuracy"])
    ('acc', 'learning_accuracy')
    """
    found = [name.lower().replace("-", "_").replace(" ", "_") for name in names]
    for name in found:
        check_known("metric", name, METRICS)
    return tuple(dict.fromkeys(found))


def ordered(cells: Sequence[CellSummary], by: str) -> list[CellSummary]:
    """The cells of every scenario by one of `ORDERS`: names ascending, metrics best first, undefined last.

    Raises:
        NoSuchCell: they cannot be ordered by that.
    """
    check_known("order", by, ORDERS)
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
