"""What changed between two runs: whether the numbers did, how surely, and what only one of them has.

Trials are reproduced bit for bit where nothing that matters has changed, so the first question of a cell that
both runs have is whether its accuracy matrices are the same. Only where they are not is there something to
test: the difference B - A, paired by seed where two seeds or more are shared, else of independent samples.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

from cl.metrics import METRICS
from results.couples import Couple, ScenarioPair, coupled
from results.selection import selected
from results.statistics import (
    DECIMALS,
    Difference,
    Interval,
    holm,
    paired_difference,
    t_test,
    welch_difference,
)
from results.summary import CellSummary
from results.sweep import JOINT, Sweep

__all__ = ["Change", "NothingInCommon", "Outcome", "ScenarioChanges", "TwoRuns", "compare_runs", "welch_test"]

Changes: TypeAlias = tuple["Change", ...]


class NothingInCommon(Exception):  # noqa: N818 - reads as what happened
    """Two runs share no cell; ``str(error)`` says what each has."""


class Outcome(StrEnum):
    """What became of a cell, in all metrics together."""

    same = "same"
    """Every shared seed's accuracy matrix is the same bit for bit."""
    better = "better"
    worse = "worse"
    mixed = "mixed"
    """Surely better in one metric and surely worse in another."""
    undecided = "undecided"
    """Other numbers, which the tests cannot tell apart."""
    untested = "untested"
    """Other numbers, of too few seeds for a test, or none in one of the runs."""
    unmeasured = "unmeasured"
    """No complete seed in either run."""


@dataclass(frozen=True, eq=False)
class Change:
    """One metric of a cell that both runs have."""

    couple: Couple
    metric: str
    shared: tuple[int, ...]
    """Seeds of which both runs have the metric."""
    identical: tuple[int, ...]
    """Of these, the ones whose accuracy matrices, and so the metric, are the same bit for bit."""
    difference: Interval | Difference | None
    """B - A: paired over the shared seeds if they are two or more; None where one run has no value."""
    p: float | None
    """Of the paired t test or of Welch's, two-sided; None where there is nothing to test, or too little."""
    level: float
    p_holm: float | None = None
    """The same, corrected for the tests of its scenario and metric."""
    tests: int = 0
    """How many these are."""

    @property
    def is_reproduced(self) -> bool:
        """Whether all shared seeds are identical."""
        return bool(self.shared) and self.identical == self.shared

    @property
    def is_paired(self) -> bool:
        """Whether the difference is paired by seed."""
        return isinstance(self.difference, Interval)

    @property
    def is_sure(self) -> bool:
        """Whether the two runs differ, at the level of the family."""
        return self.p_holm is not None and self.p_holm < 1 - self.level

    @property
    def is_better(self) -> bool:
        """Whether the difference is one for the better, be it sure or not."""
        if self.difference is None:
            return False
        return (self.difference.mean > 0) == METRICS[self.metric].higher_is_better


@dataclass(frozen=True, eq=False)
class ScenarioChanges:
    """A scenario, and by metric the changes of all cells that both runs have of it."""

    pair: ScenarioPair
    families: Mapping[str, Changes]

    def changes(self, couple: Couple) -> Changes:
        """Those of one cell, in all metrics."""
        return tuple(change for its in self.families.values() for change in its if change.couple is couple)

    def outcome(self, couple: Couple) -> Outcome:
        """What became of a cell."""
        its = self.changes(couple)
        sure = {change.is_better for change in its if change.is_sure}
        if sure:
            return Outcome.mixed if len(sure) == 2 else Outcome.better if sure == {True} else Outcome.worse
        open_ones = [change for change in its if change.difference is not None and not change.is_reproduced]
        if not open_ones and couple.shared and couple.identical == couple.shared:
            return Outcome.same
        if not couple.a.n and not couple.b.n:
            return Outcome.unmeasured
        return Outcome.undecided if any(change.p is not None for change in open_ones) else Outcome.untested


@dataclass(frozen=True, eq=False)
class TwoRuns:
    """Two runs compared."""

    a: Sweep
    b: Sweep
    scenarios: tuple[ScenarioChanges, ...]
    metrics: tuple[str, ...]
    level: float

    @cached_property
    def outcomes(self) -> list[tuple[ScenarioChanges, Couple, Outcome]]:
        """Of every cell that both runs have, what became of it."""
        return [(its, couple, its.outcome(couple)) for its in self.scenarios for couple in its.pair.couples]

    def differ(self, *, exact: bool = False) -> bool:
        """Whether anything is surely different or could not be compared; *exact*, whether anything is at all.

        What only one run has is different, and so are numbers that are not the same and too few for a test,
        and a seed that ended in both runs but not alike.
        """
        fine = {Outcome.same, Outcome.unmeasured} | (set() if exact else {Outcome.undecided})
        return (
            any(its.pair.only_a or its.pair.only_b for its in self.scenarios)
            or any(couple.ended for _, couple, _ in self.outcomes)
            or any(outcome not in fine for *_, outcome in self.outcomes)
        )


def compare_runs(
    a: Sweep,
    b: Sweep,
    *,
    metrics: Sequence[str],
    scenarios: Collection[str] = (),
    methods: Collection[str] = (),
    level: float = 0.95,
) -> TwoRuns:
    """Compare all cells that two runs have in common; in *metrics*, which their cells must have.

    *scenarios* (names or titles) and *methods* (names or labels of either run) say what of it is wanted. What
    is coupled and corrected does not depend on them: p values stay those of the whole.

    Raises:
        NoSuchCell: a name that neither run has.
        NothingInCommon: there is nothing to compare.
    """
    cells = selected([*a.cells, *b.cells], scenarios=scenarios, methods=methods)
    found = [_some(its, set(cells)) for its in _compared(a.cells, b.cells, metrics, level)]
    found = [its for its in found if its.pair.couples or its.pair.only_a or its.pair.only_b]
    if not any(its.pair.couples for its in found):
        asked = " of what is asked for" if scenarios or methods else ""
        raise NothingInCommon(_nothing(a, b, [its.pair for its in found], asked))
    return TwoRuns(a, b, tuple(found), tuple(metrics), level)


def _compared(
    a: Sequence[CellSummary], b: Sequence[CellSummary], metrics: Sequence[str], level: float
) -> list[ScenarioChanges]:
    return [
        ScenarioChanges(pair, {metric: _family(pair.couples, metric, level) for metric in metrics})
        for pair in coupled(a, b)
    ]


def _some(its: ScenarioChanges, cells: Collection[CellSummary]) -> ScenarioChanges:
    """The scenario without what is not among *cells*."""
    pair = its.pair
    couples = tuple(couple for couple in pair.couples if couple.a in cells or couple.b in cells)
    only_a, only_b = (tuple(cell for cell in side if cell in cells) for side in (pair.only_a, pair.only_b))
    kept = set(couples)
    families = {
        metric: tuple(change for change in family if change.couple in kept)
        for metric, family in its.families.items()
    }
    return ScenarioChanges(replace(pair, couples=couples, only_a=only_a, only_b=only_b), families)


def _family(couples: Sequence[Couple], metric: str, level: float) -> Changes:
    """The changes of one scenario and metric, their p values corrected together.

    What is reproduced is no test, nor is what one run lacks. What other cells are measured against is left
    out: it is at no distance from itself.
    """
    reference = JOINT if "J" in METRICS[metric].reads else ""
    changes = [_change(couple, metric, level) for couple in couples if couple.a.method != reference]
    tests = [change for change in changes if change.difference is not None and not change.is_reproduced]
    corrected = dict(zip(map(id, tests), holm([change.p for change in tests]), strict=True))
    return tuple(replace(change, p_holm=corrected.get(id(change)), tests=len(tests)) for change in changes)


def _change(couple: Couple, metric: str, level: float) -> Change:
    ours, theirs = couple.a.values[metric], couple.b.values[metric]
    shared = tuple(sorted(ours.keys() & theirs.keys()))
    # A metric may read more than the cell's own matrix: intransigence reads that of joint training.
    alike = set(couple.identical)
    identical = tuple(seed for seed in shared if seed in alike and ours[seed] == theirs[seed])
    difference, p = _difference(theirs, ours, level)
    is_reproduced = bool(shared) and identical == shared
    return Change(couple, metric, shared, identical, difference, None if is_reproduced else p, level)


def _difference(
    first: Mapping[int, float], second: Mapping[int, float], level: float
) -> tuple[Interval | Difference | None, float | None]:
    """The first minus the second with its p value."""
    if len(first.keys() & second.keys()) >= 2:
        paired = paired_difference(first, second, level)
        return paired, t_test(paired)
    if not first or not second:
        return None, None
    # Rounded, as paired differences are, so that equal ones have no spread.
    one, other = ([round(value, DECIMALS) for value in values.values()] for values in (first, second))
    independent = welch_difference(one, other, level)
    return independent, welch_test(independent)


def welch_test(difference: Difference) -> float | None:
    """The two-sided p value of Welch's t test that two means are equal (Welch 1947); None for a single seed.

    t = (mean_1 - mean_2) / sqrt(a_1 + a_2) with a_k = sd_k^2 / n_k, of v degrees of freedom, see
    `welch_difference`. Where neither sample varies t is infinite, and p is twice that of the one-sided
    permutation test: of the C(n_1 + n_2, n_1) ways to deal the values out, one separates them so.

    >>> round(welch_test(welch_difference([0.9, 0.8], [0.7, 0.6])), 4)
    0.1056
    """
    samples = difference.first, difference.second
    if any(sample.sd is None for sample in samples):
        return None
    parts = [((sample.sd or 0.0) ** 2 / sample.n, sample.n - 1) for sample in samples]
    variance = sum(part for part, _ in parts)
    distance = abs(difference.mean)
    if variance == 0:
        dealt = math.comb(sum(sample.n for sample in samples), samples[0].n)
        return 1.0 if round(distance, DECIMALS) == 0 else 2 / dealt
    from scipy.special import stdtr  # noqa: PLC0415 - scipy.stats takes a second to import

    degrees = 1 / sum((part / variance) ** 2 / freedom for part, freedom in parts)
    return float(2 * stdtr(degrees, -distance / math.sqrt(variance)))


def _nothing(a: Sweep, b: Sweep, pairs: Sequence[ScenarioPair], asked: str) -> str:
    """What each run has, where nothing of it is in both."""
    lines = [f"{a.store.root} and {b.store.root} have nothing in common{asked}:"]
    for sweep, cells in (
        (a, [(pair.title, cell.label) for pair in pairs for cell in pair.only_a]),
        (b, [(pair.title, cell.label) for pair in pairs for cell in pair.only_b]),
    ):
        titles = dict.fromkeys(title for title, _ in cells)
        has = [f"{title} ({', '.join(name for its, name in cells if its == title)})" for title in titles]
        lines.append(f"  {sweep.store.root}: {', '.join(has) or ('nothing' if asked else 'no trials')}")
    lines += [f"  {pair.title}: {pair.remark}" for pair in pairs if pair.remark]
    return "\n".join(lines)
