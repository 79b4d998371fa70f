"""How often intervals cover the true mean, by distribution and number of seeds.

Experiments of n seeds each are drawn from a distribution whose mean is known. For every one the interval of
Student, that of the bootstrap by percentiles and that of the BCa bootstrap are computed, from the same
resamples. Nominal are 95 %. Widths are means over experiments, in standard deviations of the distribution.
"Apart" is how often Student's and BCa's disagree, for which tables flag them from 20 seeds on. A second table
does the same for the interquartile mean over five scenarios with its stratified bootstrap. A third says how
often some of a few equally good methods are told apart: by our tests, by the same without Holm's correction,
and by them as they would be if t were infinite where differences happen to be equal.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from machine import machine
from rich.console import Console
from rich.table import Table
from scipy import stats

from results.across import iqm, iqm_interval
from results.statistics import BCA_FROM, disagree, holm, mean_interval, paired_difference, t_test

Array: TypeAlias = npt.NDArray[np.float64]

SEEDS = (3, 5, 10, 20, 50)
LEVEL = 0.95
BATCH = 2_000_000
"""Numbers that are resampled at once: memory for a few times as many."""


@dataclass(frozen=True)
class Distribution:
    """Of what single seeds score."""

    draw: Callable[[np.random.Generator, tuple[int, int]], Array]
    mean: float
    sd: float


def accuracy_near_one() -> Distribution:
    """Beta(20, 1): mean 0.952, skewness -1.7, never above 1."""
    beta = stats.beta(20, 1)
    return Distribution(lambda random, size: random.beta(20, 1, size), float(beta.mean()), float(beta.std()))


def lognormal() -> Distribution:
    """The exponential of a standard normal: skewness 6.2."""
    mean, variance = np.exp(0.5), (np.e - 1) * np.e
    return Distribution(
        lambda random, size: random.lognormal(0, 1, size), float(mean), float(np.sqrt(variance))
    )


def bimodal() -> Distribution:
    """Seven seeds of ten reach 0.9, the others 0.5, with a standard deviation of 0.02 about it."""

    def draw(random: np.random.Generator, size: tuple[int, int]) -> Array:
        return np.where(random.random(size) < 0.7, 0.9, 0.5) + random.normal(0, 0.02, size)

    return Distribution(draw, 0.7 * 0.9 + 0.3 * 0.5, float(np.sqrt(0.7 * 0.3 * 0.4**2 + 0.02**2)))


DISTRIBUTIONS: Mapping[str, Distribution] = {
    "normal": Distribution(lambda random, size: random.normal(0.8, 0.05, size), 0.8, 0.05),
    "near 1: beta(20, 1)": accuracy_near_one(),
    "lognormal(0, 1)": lognormal(),
    "bimodal": bimodal(),
}


def row_means(values: Array, axis: int = -1) -> Array:
    """The means along *axis*."""
    return np.asarray(values.mean(axis=axis))


def bootstrapped(samples: Array, resamples: int, random: np.random.Generator) -> tuple[Array, Array]:
    """The ends of every row's interval by BCa and by percentiles, each ``[experiments, 2]``."""
    with warnings.catch_warnings():
        # Of three seeds that are almost equal there is no BCa interval: it is NaN and covers nothing.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        bca = stats.bootstrap(
            (samples,),
            row_means,
            axis=1,
            n_resamples=resamples,
            batch=max(1, BATCH // samples.size),
            confidence_level=LEVEL,
            method="BCa",
            rng=random,
        )
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    percentile = np.quantile(bca.bootstrap_distribution, tails, axis=1).T
    return np.stack(bca.confidence_interval, axis=1), percentile


def share_and_width(ends: Array, truth: Distribution) -> tuple[float, float]:
    """How often *ends* enclose the true mean, and how far they are apart on average."""
    covers = (ends[:, 0] <= truth.mean) & (truth.mean <= ends[:, 1])
    return float(covers.mean()), float(np.nanmean(ends[:, 1] - ends[:, 0])) / truth.sd


def means(table: Table, repetitions: int, resamples: int, seed: int) -> None:
    """A line per distribution and number of seeds."""
    for position, (name, truth) in enumerate(DISTRIBUTIONS.items()):
        for n in SEEDS:
            random = np.random.default_rng([seed, position, n])
            samples = truth.draw(random, (repetitions, n))
            student = [mean_interval(sample, LEVEL) for sample in samples.tolist()]
            bca, percentile = bootstrapped(samples, resamples, random)
            found = [
                share_and_width(ends, truth)
                for ends in (np.array([interval.ends for interval in student]), bca, percentile)
            ]
            apart = np.mean(
                [disagree(one, (low, high)) for one, (low, high) in zip(student, bca.tolist(), strict=True)]
            )
            table.add_row(
                name,
                str(n),
                *(f"{100 * share:.1f}" for share, _ in found),
                *(f"{width:.2f}" for _, width in found),
                f"{100 * apart:.0f}" if n >= BCA_FROM else "",
            )


def interquartile_means(table: Table, repetitions: int, seed: int) -> None:
    """A line per number of seeds: five scenarios, normal scores whose means and spreads differ."""
    centres, spreads = np.linspace(0.3, 0.9, 5), np.linspace(0.05, 0.15, 5)

    def draw(random: np.random.Generator, n: int) -> list[Array]:
        return [random.normal(*scenario, n) for scenario in zip(centres, spreads, strict=True)]

    truth = iqm(draw(np.random.default_rng([seed, 0]), 2_000_000))
    for n in SEEDS[:-1]:
        random = np.random.default_rng([seed, n])
        found = [iqm_interval(draw(random, n), random, level=LEVEL) for _ in range(repetitions)]
        covered = np.mean([one.low <= truth <= one.high for one in found])
        table.add_row(str(n), f"{100 * covered:.1f}", f"{np.mean([one.high - one.low for one in found]):.3f}")


def false_alarms(table: Table, repetitions: int, seed: int) -> None:
    """A line per number of methods, seeds and test examples; differences have an sd of 0.014."""
    for methods, n, examples in product((2, 5, 10), (2, 3, 5), (360, 10_000)):
        random = np.random.default_rng([seed, methods, n, examples])
        alarms = np.zeros(3)
        for _ in range(repetitions):
            accuracies = 0.8 + random.normal(0, 0.02, n) + random.normal(0, 0.01, (methods, n))
            right = np.round(accuracies * examples) / examples
            pairs = combinations([dict(enumerate(row)) for row in right.tolist()], 2)
            differences = [paired_difference(*pair) for pair in pairs]
            p = [t_test(difference) for difference in differences]
            infinite = [
                0.0 if one.mean and not one.sd else value for one, value in zip(differences, p, strict=True)
            ]
            alarms += [
                any(value is not None and value < 1 - LEVEL for value in family)
                for family in (holm(p), p, holm(infinite))
            ]
        table.add_row(
            *map(str, (methods, n, examples)), *(f"{100 * share:.1f}" for share in alarms / repetitions)
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=10_000, help="experiments for each line")
    parser.add_argument("--resamples", type=int, default=2000, help="of each experiment")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few experiments: shows that it runs")
    arguments = parser.parse_args()
    repetitions, resamples = (50, 50) if arguments.quick else (arguments.repetitions, arguments.resamples)
    print(f"{machine()}; {repetitions} experiments, {resamples} resamples, seed {arguments.seed}", flush=True)
    console = Console(width=110)
    heads = ("seeds", *("t", "BCa", "percentile"), *("t width", "BCa width", "percentile width"), "apart")
    table = Table("distribution", *heads, box=None)
    means(table, repetitions, resamples, arguments.seed)
    console.print(f"\n{LEVEL:.0%} intervals of a mean: coverage in %, width in standard deviations")
    console.print(table)
    table = Table("seeds", "coverage", "width", box=None)
    interquartile_means(table, max(1, repetitions // 5), arguments.seed)
    console.print(f"\n{LEVEL:.0%} intervals of an interquartile mean over 5 scenarios: coverage in %")
    console.print(table)
    shares = ("ours", "without Holm", "t infinite")
    table = Table("methods", "seeds", "test examples", *shares, box=None)
    false_alarms(table, max(1, repetitions // 2), arguments.seed)
    console.print("\nhow often some of these equally good methods are told apart, %")
    console.print(table)


if __name__ == "__main__":
    main()
