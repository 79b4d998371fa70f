"""What a search came to: its configurations, the winner, and how far validation had promised too much."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.labels import label
from results.statistics import Difference, Interval, mean_interval, welch_difference

__all__ = ["Configuration", "Range", "TunedStudy", "pareto_front"]

OUTER = 0.05
"""The share of a range at either end that counts as its edge."""


@dataclass(frozen=True)
class Range:
    """Where one hyperparameter was searched.

    Attributes:
        values: the two ends, or everything there was to choose from.
        continuous: whether `values` are two ends.
        logarithmic: whether it is best drawn on a logarithmic axis.
        numeric: whether its values have an order.
        least, most: the values that the hyperparameter can have at all; None without such a bound.
    """

    values: tuple[Any, ...]
    continuous: bool
    logarithmic: bool
    numeric: bool
    least: float | None = None
    most: float | None = None

    def edge(self, value: Any) -> str | None:
        """``below X`` or ``beyond X`` if *value* lies at an end that could be moved there; else None."""
        if not self.numeric or len(set(self.values)) < 2:
            return None
        low, high = min(self.values), max(self.values)
        place = self._share(value, low, high)
        if place <= (OUTER if self.continuous else 0) and low != self.least:
            return f"below {_short(low)}"
        if place >= (1 - OUTER if self.continuous else 1) and high != self.most:
            return f"beyond {_short(high)}"
        return None

    def _share(self, value: float, low: float, high: float) -> float:
        if self.logarithmic and low > 0:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return (value - low) / (high - low)


def _short(value: float) -> str:
    return f"{value:g}".replace("e+0", "e")


@dataclass(frozen=True)
class Configuration:
    """One configuration that a search tried, on validation data.

    Attributes:
        number: from 1, in the order in which they came up.
        hyperparameters: all of the method's.
        seeds: the number of selection seeds it was scored on to the end.
        score: the mean of the search's metric over them, a diverged or failed one at chance; None without.
        values: metrics by seed, over complete seeds.
        diverged: how many of its seeds diverged.
        left: why it did not go on to the end; empty if it did.
        level: of its intervals.
    """

    number: int
    hyperparameters: Mapping[str, Any]
    seeds: int
    score: float | None
    values: Mapping[str, Mapping[int, float]]
    diverged: int
    left: str
    level: float = 0.95

    def interval(self, metric: str) -> Interval | None:
        """The mean of *metric* over complete seeds; None without any."""
        values = self.values.get(metric)
        return mean_interval(values.values(), self.level) if values else None


@dataclass(frozen=True)
class TunedStudy:
    """A method in a scenario: what was tried, what was chosen, and what that is worth.

    Attributes:
        scenario, method: by their names in tables.
        searched_on: the scenario that the search saw.
        protocol, search, scheduler, metric: how it searched.
        selection_seeds: how many seeds a configuration could get.
        ranges: where each hyperparameter was searched.
        configurations: everything that was tried.
        winner: the chosen one, None while the search goes on, or if no configuration was ever complete.
        trials: trials that the search took.
        done: whether the search is over.
        test: test ACC of the winner by report seed.
        default: the default hyperparameters.
        default_test: their test ACC by report seed.
        level: of the intervals.
    """

    scenario: str
    method: str
    searched_on: str
    protocol: str
    search: str
    scheduler: str
    metric: str
    selection_seeds: int
    ranges: Mapping[str, Range]
    configurations: Sequence[Configuration]
    winner: Configuration | None
    trials: int
    done: bool
    test: Mapping[int, float]
    default: Mapping[str, Any]
    default_test: Mapping[int, float]
    level: float = 0.95

    def named(self, hyperparameters: Mapping[str, Any]) -> str:
        """The searched ones of *hyperparameters*, for people."""
        return label("", hyperparameters, self.ranges).strip()

    def tested(self, accuracies: Mapping[int, float]) -> Interval | None:
        """The mean of `test` or of `default_test`; None without any."""
        return mean_interval(accuracies.values(), self.level) if accuracies else None

    @property
    def ranking(self) -> list[Configuration]:
        """The configurations, the best of those that stayed to the end first."""
        return sorted(self.configurations, key=_rank)

    @property
    def optimism(self) -> Difference | None:
        """Validation minus test ACC of the winner; None before there are both."""
        validation = self.winner.values.get("acc") if self.winner else None
        if not validation or not self.test:
            return None
        return welch_difference(validation.values(), self.test.values(), self.level)

    @property
    def edges(self) -> list[str]:
        """What of the winner sits at the edge of its range, and which way to widen it."""
        if self.winner is None:
            return []
        values = self.winner.hyperparameters
        found = {name: each.edge(values[name]) for name, each in self.ranges.items()}
        return [
            f"{label('', values, [name]).strip()} is at the edge of its range: widen {name} {where}"
            for name, where in found.items()
            if where
        ]

    @property
    def diverged(self) -> int:
        """Configurations of which a seed diverged."""
        return sum(each.diverged > 0 for each in self.configurations)


def _rank(configuration: Configuration) -> tuple[bool, float, int]:
    score = configuration.score
    return (bool(configuration.left) or score is None, -(score or 0.0), configuration.number)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The positions of the points that no other is at least as good as in both ways and better in one.

    A point is (what should be large, what should be small).

    >>> pareto_front([(0.9, 0.5), (0.8, 0.1), (0.7, 0.2), (0.9, 0.5)])
    [0, 1, 3]
    """
    return [
        i
        for i, (gain, cost) in enumerate(points)
        if not any(
            other_gain >= gain and other_cost <= cost and (other_gain, other_cost) != (gain, cost)
            for other_gain, other_cost in points
        )
    ]
