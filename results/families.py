"""Which methods of a scenario compete, how all of them compare, and which are the best.

All tests of one scenario and metric are one family, whose p values are corrected by Holm's procedure. A
method takes part with one cell: its only one, the one that was chosen on validation data, or one that the
reader names. The best of a grid by test results would win by luck.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from cl.metrics import METRICS
from results.comparisons import Pair, compared
from results.names import hint
from results.summary import CellSummary

__all__ = [
    "MARGIN",
    "REFERENCES",
    "Family",
    "NoSuchCell",
    "by_scenario",
    "check_known",
    "contenders",
    "families",
    "is_whole",
    "marked",
]

REFERENCES = frozenset({"joint", "scratch"})
"""What methods are measured against; they do not compete."""
MARGIN = 0.02
"""The difference that a comparison should be able to find, unless another is asked for."""


class NoSuchCell(Exception):  # noqa: N818 - reads as what happened
    """A cell or method that is named is not among those there are; ``str(error)`` says which are."""


@dataclass(frozen=True)
class Family:
    """The comparisons of one scenario in one metric."""

    scenario: str
    metric: str
    baseline: str | None
    """The label that all others are compared with; None where all are compared with all."""
    pairs: tuple[Pair, ...]
    size: int
    """How many tests their p values are corrected for; `pairs` may be some of them."""
    left_out: Mapping[str, str]
    """Why cells take no part, by label."""
    looks: int
    """How many commands brought the seeds; in between somebody could have looked at the results and have gone
    on for that reason, for which p values are not corrected."""
    level: float
    margin: float

    @property
    def underpowered(self) -> tuple[Pair, ...]:
        """Pairs not told apart, of which a difference as large as the margin may well have been missed."""
        return tuple(
            pair
            for pair in self.pairs
            if not pair.rejected(self.level) and (pair.detectable is None or pair.detectable > self.margin)
        )

    def pair(self, one: str, other: str) -> Pair | None:
        """The comparison of two labels, in either order."""
        return next((pair for pair in self.pairs if {pair.first, pair.second} == {one, other}), None)


def contenders(
    cells: Sequence[CellSummary], *, named: Collection[str] = (), references: Collection[str] = REFERENCES
) -> tuple[list[CellSummary], dict[str, str]]:
    """The cells of one scenario that take part, and why others do not, by label.

    Of a method those of *named* (labels; several of one method, and references, too), or else one.
    """
    by_method: dict[str, list[CellSummary]] = {}
    for cell in cells:
        by_method.setdefault(cell.method, []).append(cell)
    taking: list[CellSummary] = []
    left_out: dict[str, str] = {}
    for method, its in by_method.items():
        chosen = [cell for cell in its if cell.label in named]
        if not chosen and method not in references:
            chosen = _representative(its)
            if not chosen:
                left_out |= dict.fromkeys((cell.label for cell in its), _UNCHOSEN)
        taking += chosen
    return taking, left_out


_UNCHOSEN = "one of several of its method, and none was chosen on validation data"


def _representative(cells: Sequence[CellSummary]) -> list[CellSummary]:
    """The one that was chosen on validation data, or else the only one; nothing where there are several."""
    some = [cell for cell in cells if cell.searched] or list(cells)
    return some if len(some) == 1 else []


def families(
    cells: Sequence[CellSummary],
    *,
    metrics: Sequence[str] = ("acc",),
    baseline: str | None = None,
    named: Collection[str] = (),
    level: float = 0.95,
    margin: float = MARGIN,
) -> list[Family]:
    """The comparisons in every scenario of *cells* and every one of *metrics*.

    All contenders with all, or with the *baseline* alone (a label or a method), which then takes part even if
    it is a reference. Scenarios without a baseline, and metrics that fewer than two contenders have, have no
    family.

    Raises:
        NoSuchCell: nothing is called *baseline* or as one of *named*, or several lines are the baseline.
    """
    labels = [cell.label for cell in cells]
    for name in named:
        check_known("line", name, labels)
    if baseline:
        check_known("method or line", baseline, [*labels, *(cell.method for cell in cells)])
    return [
        family
        for members in by_scenario(cells).values()
        for family in _of_scenario(members, metrics, baseline, named, level, margin)
    ]


def _of_scenario(
    cells: Sequence[CellSummary],
    metrics: Sequence[str],
    baseline: str | None,
    named: Collection[str],
    level: float,
    margin: float,
) -> Iterator[Family]:
    base = _baseline(cells, baseline, named) if baseline else None
    if baseline and base is None:
        return
    taking, unchosen = contenders(cells, named=named)
    if base and base not in taking:  # as well as the line that stands for its method, if there is one
        taking.append(base)
        unchosen.pop(base.label, None)
    for metric in metrics:
        able = [cell for cell in taking if cell.values[metric]]
        undefined = {cell.label: cell.reasons[metric] for cell in taking if not cell.values[metric]}
        if pairs := compared(_couples(able, base), metric, level=level):
            yield Family(
                scenario=cells[0].scenario_label,
                metric=metric,
                baseline=base.label if base else None,
                pairs=pairs,
                size=len(pairs),
                left_out=unchosen | undefined,
                looks=len(frozenset().union(*(cell.drivers for cell in able))),
                level=level,
                margin=margin,
            )


def by_scenario(cells: Iterable[CellSummary]) -> dict[str, list[CellSummary]]:
    """The cells by the title of their table."""
    scenarios: dict[str, list[CellSummary]] = {}
    for cell in cells:
        scenarios.setdefault(cell.scenario_label, []).append(cell)
    return scenarios


def _couples(cells: Sequence[CellSummary], base: CellSummary | None) -> list[tuple[CellSummary, CellSummary]]:
    if base is None:  # a method minus those that come before it, of which naive is often the first
        return [(later, earlier) for earlier, later in combinations(cells, 2)]
    return [(cell, base) for cell in cells if cell is not base] if base in cells else []


def _baseline(cells: Sequence[CellSummary], name: str, named: Collection[str]) -> CellSummary | None:
    """The cell of that label, or the one that stands for that method; None where the scenario has neither."""
    its = [cell for cell in cells if cell.label == name] or [cell for cell in cells if cell.method == name]
    chosen = _representative([cell for cell in its if cell.label in named] or its)
    if its and not chosen:
        lines = ", ".join(cell.label for cell in its)
        raise NoSuchCell(
            f"{name} has several lines in {its[0].scenario_label}; name one as baseline: {lines}"
        )
    return chosen[0] if chosen else None


def check_known(what: str, name: str, names: Iterable[str]) -> None:
    """Raise `NoSuchCell`, with the nearest name there is, unless *name* is among *names*."""
    known = list(names)
    if name not in known:
        raise NoSuchCell(f"no {what} {name!r}; {hint(name, known)}")


def marked(cells: Sequence[CellSummary], family: Family) -> frozenset[str]:
    """The labels of the best cell of a scenario and of all that cannot be told from it.

    *family* compares all with all. A cell with seeds that failed, diverged or are still to come cannot win,
    whatever the mean of the others. Nobody wins where no two could be tested.
    """
    labels = {label for pair in family.pairs for label in (pair.first, pair.second)}
    able = [cell for cell in cells if cell.label in labels and is_whole(cell, family.metric)]
    if not able or all(pair.p is None for pair in family.pairs):
        return frozenset()
    sign = 1 if METRICS[family.metric].higher_is_better else -1
    best = max(able, key=lambda cell: sign * cell.metrics[family.metric].mean)
    return frozenset(
        cell.label for cell in able if cell is best or _not_rejected(family, cell.label, best.label)
    )


def is_whole(cell: CellSummary, metric: str) -> bool:
    """Whether every planned seed of the cell is complete and has the metric."""
    return len(cell.values[metric]) == cell.planned


def _not_rejected(family: Family, one: str, other: str) -> bool:
    pair = family.pair(one, other)
    return pair is None or not pair.rejected(family.level)
