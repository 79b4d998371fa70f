"""How a search goes on: which configurations are tried on which seeds, who leaves, and who wins.

Each search is a generator. It yields the batch of trials that it needs next and is sent their results, all of
them, when the batch is in. So what it does depends on results alone and never on their timing, and it is
rebuilt after an interruption by sending it again what was found before.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from cl.metrics import METRICS
from results.race import behind, looks
from results.schema import COMPLETE, DIVERGED, FAILED
from sweeps.spaces import Space
from sweeps.studies import Hyperparameters, Study
from sweeps.tuning import TuneSettings

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

ROUND = 5
"""Configurations that TPE proposes before it hears of the results of any of them."""


class Want(NamedTuple):
    """A trial that a search needs: a configuration, by its number, on one seed, up to so many tasks."""

    candidate: int
    seed: int
    tasks: int


@dataclass(frozen=True)
class Result:
    """What a trial found on its validation data.

    Attributes:
        values: the metric of the first 1, 2, ... tasks, as if there were no others.
        complete: whether it learned all tasks; one that diverged or failed scores chance from there on.
    """

    values: tuple[float, ...]
    complete: bool

    def at(self, tasks: int) -> float:
        """The metric after *tasks* tasks."""
        return self.values[tasks - 1]

    def until(self, tasks: int) -> Result:
        """What was found when it had learned *tasks* tasks."""
        return Result(self.values[:tasks], self.complete and tasks == len(self.values))


def result_of(R: npt.NDArray[np.float64], status: str, metric: str, chance: float) -> Result:
    """The result of a trial with the matrix *R* of validation accuracies, NaN after what it has learned."""
    tasks, learned = len(R), int(np.isfinite(np.diagonal(R)).sum())
    compute = METRICS[metric.removeprefix("val_")].compute
    values = tuple(compute(R[:r, :r]) for r in range(1, learned + 1))
    if status in {DIVERGED, FAILED}:
        # What it had before stays: it was judged by that, and is again when the search is rebuilt.
        before = values[: tasks - 1]
        return Result((*before, *(chance,) * (tasks - len(before))), complete=False)
    return Result(values, complete=status == COMPLETE)


@dataclass
class Findings:
    """What a search has found so far.

    Attributes:
        tasks: number of tasks of the searched stream.
        candidates: the configurations, in the order in which they came up.
        results: the furthest result of each, by its number and the seed.
        left: why a configuration did not go on to the end.
        done: whether the search is over.
    """

    tasks: int
    candidates: list[Hyperparameters] = field(default_factory=list)
    results: dict[int, dict[int, Result]] = field(default_factory=lambda: defaultdict(dict))
    left: dict[int, str] = field(default_factory=dict)
    done: bool = False

    def scores(self, candidate: int) -> dict[int, float]:
        """The final score of a configuration on each seed that has one."""
        results = self.results.get(candidate, {})
        return {
            seed: result.at(self.tasks)
            for seed, result in results.items()
            if len(result.values) == self.tasks
        }

    def mean(self, candidate: int, tasks: int, seeds: Iterable[int]) -> float:
        """Its mean score over *seeds* after *tasks* tasks."""
        values = [self.results[candidate][seed].at(tasks) for seed in seeds]
        return math.fsum(values) / len(values)

    @property
    def leader(self) -> int | None:
        """The best of those that have not left, by the scores that it has; None before the first."""
        whole = [
            each
            for each, results in self.results.items()
            if each not in self.left and any(result.complete for result in results.values())
        ]
        scores = {each: self.scores(each) for each in whole}
        means = {each: math.fsum(own.values()) / len(own) for each, own in scores.items()}
        return min(means, key=lambda each: (-means[each], each), default=None)

    @property
    def winner(self) -> int | None:
        """The best of those that stayed to the end, the first of equals; None before that or without any."""
        return self.leader if self.done else None


Batch: TypeAlias = Sequence[Want]
Search: TypeAlias = Generator[Batch, Mapping[Want, Result], None]


def search(study: Study, settings: TuneSettings, seeds: Sequence[int], found: Findings) -> Search:
    """Search *study* on the selection *seeds*, keeping in *found* what was found."""
    match settings.search:
        case "tpe":
            yield from _proposed(study, settings, seeds, found)
        case "random":
            found.candidates += _drawn(study, settings)
            yield from _judged(settings, range(len(found.candidates)), seeds, found)
        case "grid":
            found.candidates += study.grid
            yield from _judged(settings, range(len(found.candidates)), seeds, found)
    found.done = True


def _judged(settings: TuneSettings, some: Sequence[int], seeds: Sequence[int], found: Findings) -> Search:
    match settings.scheduler:
        case "none":
            yield from _measured(some, seeds, found)
        case "halving":
            yield from _halved(some, seeds, found)
        case "race":
            yield from _raced(some, seeds, found, settings.level)


def _measured(some: Sequence[int], seeds: Sequence[int], found: Findings) -> Search:
    """All of them on all seeds, a seed of all before the next."""
    yield from _batch([Want(each, seed, found.tasks) for seed in seeds for each in some], found)


def _batch(wanted: Sequence[Want], found: Findings) -> Search:
    results = yield wanted
    for want in wanted:
        # No more than was asked for, as other runs may have found out more, and it must make no difference.
        found.results[want.candidate][want.seed] = results[want].until(want.tasks)


def rungs(tasks: int) -> list[int]:
    """After how many of *tasks* tasks half of the configurations is stopped; never after the first alone.

    >>> rungs(5), rungs(10), rungs(2)
    ([2, 4], [2, 4, 8], [])
    """
    return [2**k for k in range(1, tasks.bit_length() + 1) if 2**k < tasks]


def _halved(some: Sequence[int], seeds: Sequence[int], found: Findings) -> Search:
    """Synchronous successive halving (Jamieson & Talwalkar 2016), the learned tasks its resource.

    Early rows reward plasticity, so a configuration is judged by all tasks seen so far, on all seeds.
    """
    alive = list(some)
    for rung in rungs(found.tasks):
        yield from _batch([Want(each, seed, rung) for seed in seeds for each in alive], found)
        ranked = sorted(alive, key=lambda each: (-found.mean(each, rung, seeds), each))
        kept = math.ceil(len(alive) / 2)
        found.left |= dict.fromkeys(ranked[kept:], f"after {rung} tasks not in best {kept}")
        alive = sorted(ranked[:kept])
    yield from _measured(alive, seeds, found)


def _raced(some: Sequence[int], seeds: Sequence[int], found: Findings, level: float) -> Search:
    """One seed after another, until one is left or all seeds are used up."""
    alive, so_far = list(some), 0
    for n in [*looks(len(seeds)), len(seeds)]:
        yield from _measured(alive, seeds[so_far:n], found)
        so_far = n
        if n < len(seeds):
            scores = {each: list(found.scores(each).values()) for each in alive}
            gone = behind(scores, seeds=len(seeds), level=level)
            found.left |= {
                each: f"{distance:.3f} behind no. {leader + 1}" for each, (leader, distance) in gone.items()
            }
            alive = [each for each in alive if each not in gone]
        if len(alive) == 1:
            return


def _drawn(study: Study, settings: TuneSettings) -> list[Hyperparameters]:
    """Configurations drawn at random, each once."""
    import optuna  # noqa: PLC0415 - an ordinary sweep is run and shown without Optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    draws = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=_seed(study, settings)))
    drawn: dict[str, Hyperparameters] = {}
    for _ in range(settings.configs or 0):
        values = _values(study, draws.ask(_distributions(study.space)))
        drawn.setdefault(repr(values), values)
    return list(drawn.values())


def _proposed(study: Study, settings: TuneSettings, seeds: Sequence[int], found: Findings) -> Search:
    """Configurations proposed by a tree-structured Parzen estimator (Bergstra et al. 2011), in rounds."""
    import optuna  # noqa: PLC0415 - an ordinary sweep is run and shown without Optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=_seed(study, settings))
    tree = optuna.create_study(direction="maximize", sampler=sampler)
    total = settings.configs or 0
    while (begun := len(found.candidates)) < total:
        asked = [tree.ask(_distributions(study.space)) for _ in range(min(ROUND, total - begun))]
        found.candidates += [_values(study, each) for each in asked]
        numbers = range(begun, len(found.candidates))
        yield from _judged(settings, numbers, seeds, found)
        for number, trial in zip(numbers, asked, strict=True):
            reached = min(len(result.values) for result in found.results[number].values())
            value = found.mean(number, reached, seeds)
            if number in found.left:
                trial.report(value, step=reached)
                tree.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                tree.tell(trial, value)


def _seed(study: Study, settings: TuneSettings) -> int:
    """The same for a method in all scenarios, so that they try the same configurations."""
    text = f"{settings.search_seed} {study.reported.method}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])


def _values(study: Study, trial: optuna.trial.Trial) -> Hyperparameters:
    return study.default | {name: _value(space, trial.params[name]) for name, space in study.space.items()}


def _value(space: Space, drawn: Any) -> Any:
    return space.values[drawn] if space.kind == "choice" else space.rounded(drawn)


def _distributions(spaces: Mapping[str, Space]) -> dict[str, BaseDistribution]:
    return {name: distribution(space) for name, space in spaces.items()}


def distribution(space: Space) -> BaseDistribution:
    """The space as Optuna has it; a choice by its number, since Optuna takes no lists to choose from."""
    from optuna.distributions import (  # noqa: PLC0415 - an ordinary sweep is run and shown without Optuna
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    low, high = (space.values[0], space.values[-1])
    match space.kind:
        case "choice":
            return CategoricalDistribution(range(len(space.values)))
        case "randint":
            return IntDistribution(low, high - 1)
        case kind:
            return FloatDistribution(low, high, log=kind == "loguniform")
