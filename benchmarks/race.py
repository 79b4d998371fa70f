"""What a race loses and saves: races replayed on a search that ran in full, on seeds that none of them saw.

Takes runs of `clsweep tune` without a scheduler and with many selection seeds. Again and again some of the
seeds, drawn at random and in a random order, are given to a race; the others are fresh. The race's winner and
the full design's on the same seeds are compared on the fresh ones: the regret is how much better the latter
is. Repetitions share their trials, so the bound takes the seed as the unit: it is the one-sided Student t
bound of the mean over seeds, each with its mean regret wherever it was fresh. If every race chose as the full
design did, regret and bound are 0 and say no more than that.

    clsweep tune my-sweep --set tune.scheduler=none --set tune.seeds=60
    python benchmarks/race.py runs/my-sweep
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from orchestrator.course import Course
from orchestrator.search import Findings, Result, search
from orchestrator.showing import shown
from results.store import StoreError, open_run
from sweeps.studies import Study
from sweeps.tuning import FEWEST_IN_A_RACE, TuneSettings

Array = npt.NDArray[np.float64]

FEWEST_FRESH = 4
"""Fewer seeds that no race saw say little of a regret."""


@dataclass(frozen=True)
class Replayed:
    """What the races of one study came to.

    Attributes:
        regret: mean over repetitions and fresh seeds.
        bound: its one-sided upper 95 % bound.
        same: share of races that chose what the full design chose.
        share: of the full design's trials that the races took.
    """

    regret: float
    bound: float
    same: float
    share: float


def main() -> None:
    """Print what was measured, a line per study and one for all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs without a scheduler")
    parser.add_argument("--seeds", type=int, default=12, help="the most that a candidate gets in a race")
    parser.add_argument("--level", type=float, default=0.05, help="of the race")
    parser.add_argument("--repetitions", type=int, default=200, help="races per study")
    arguments = parser.parse_args()
    if arguments.seeds <= FEWEST_IN_A_RACE:
        parser.error(f"--seeds: nobody leaves before {FEWEST_IN_A_RACE} seeds; give more")
    if arguments.repetitions < 1:
        parser.error("--repetitions: give at least 1")
    try:
        courses = [course for run in arguments.runs for course in shown(open_run(run)).courses]
    except (StoreError, ValueError) as error:
        parser.error(str(error))
    measured = []
    for course in courses:
        study = course.study
        name = f"{study.reported.scenario.label} {study.reported.method}"
        if not study.is_searched:
            continue
        if why := _unfit(course, arguments.seeds):
            print(f"{name}: left out, {why}")
            continue
        table = table_of(course)
        found = replay(study, table, arguments.seeds, arguments.repetitions, level=arguments.level)
        measured.append(found)
        print(f"{name}: {len(table)} configurations, {table.shape[1]} seeds, {arguments.seeds} per race")
        print(f"  {_line(found)}")
    if not measured:
        parser.error("no study of these runs can be replayed")
    print(f"largest bound: {max(each.bound for each in measured):.4f}")
    share = np.mean([each.share for each in measured])
    print(f"trials of a race/full design, mean of studies: {share:.3f}")


def table_of(course: Course) -> Array:
    """The scores of a finished search by configuration and selection seed, as a race would see them."""
    found, seeds = course.found, course.tune.seeds
    scores = [found.scores(number) for number in range(len(found.candidates))]
    return np.array([[own[seed] for seed in seeds] for own in scores])


def replay(
    study: Study, table: Array, seeds: int, repetitions: int, *, level: float, draws: int = 0
) -> Replayed:
    """Race the configurations of *table* so many times, on *seeds* of its columns each time.

    *draws* seeds the draws of columns.
    """
    random, total = np.random.default_rng(draws), table.shape[1]
    regrets: list[list[float]] = [[] for _ in range(total)]
    same, trials = [], []
    for _ in range(repetitions):
        order = random.permutation(total)
        mine, fresh = order[:seeds], order[seeds:]
        full = int(np.argmax(table[:, mine].mean(axis=1)))
        raced, took = race(study, table[:, mine], level)
        same.append(raced == full)
        trials.append(took)
        for seed in fresh:
            regrets[seed].append(table[full, seed] - table[raced, seed])
    by_seed = [float(np.mean(each)) for each in regrets if each]
    return Replayed(
        regret=float(np.mean(by_seed)),
        bound=upper_bound(by_seed),
        same=float(np.mean(same)),
        share=float(np.mean(trials)) / (len(table) * seeds),
    )


def upper_bound(values: Sequence[float]) -> float:
    """The one-sided upper 95 % bound of the mean that *values* are drawn from."""
    n = len(values)
    return float(np.mean(values) + stats.t.ppf(0.95, n - 1) * np.std(values, ddof=1) / np.sqrt(n))


def race(study: Study, table: Array, level: float) -> tuple[int, int]:
    """The winner of a race over the columns of *table*, and how many trials it took."""
    cells = tuple({**study.default, "number": number} for number in range(len(table)))
    settings = TuneSettings(search="grid", scheduler="race", level=level)
    found = Findings(tasks=1)
    going = search(replace(study, space={}, grid=cells), settings, range(table.shape[1]), found)
    trials = 0
    batch = next(going)
    try:
        while True:
            trials += len(batch)
            told = {want: Result((float(table[want.candidate, want.seed]),), complete=True) for want in batch}
            batch = going.send(told)
    except StopIteration:
        assert found.winner is not None
        return found.winner, trials


def _unfit(course: Course, seeds: int) -> str | None:
    """Why races cannot be replayed on *course*."""
    found, total = course.found, len(course.tune.seeds)
    if not found.done:
        return "its search is not over"
    if course.tune.settings.scheduler != "none":
        return f"its search did not run in full: scheduler {course.tune.settings.scheduler}"
    if total < seeds + FEWEST_FRESH:
        return f"it has {total} seeds; {seeds} for a race and {FEWEST_FRESH} fresh ones are needed"
    if any(len(found.scores(number)) < total for number in range(len(found.candidates))):
        return "some of its trials are missing"
    return None


def _line(found: Replayed) -> str:
    return (
        f"regret {found.regret:.4f} (upper 95 % bound {found.bound:.4f}), "
        f"trials of a race/full design {found.share:.3f}, same winner {found.same:.2f}"
    )


if __name__ == "__main__":
    main()
