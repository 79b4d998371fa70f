"""The studies of a sweep that is tuned: one per scenario and method, each to be searched or just measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from cl import registry
from cl.registry import plugins
from sweeps.plan import Plan
from sweeps.spaces import Space
from sweeps.spec import Spec
from sweeps.trials import Scenario, Trial
from sweeps.tuning import Tuning, key_of

Hyperparameters = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A method in a scenario, with one model and one way of training.

    Attributes:
        reported: a trial of it as it is reported: the default hyperparameters, the first report seed.
        searched: where the search takes place, its data's digest after it.
        space: where the hyperparameters are searched that are; empty for a grid or for no search.
        grid: the configurations of a grid; empty for a space or for no search.
        val_share: the share of the training data on which a search scores.
    """

    reported: Trial
    searched: tuple[Scenario, str]
    space: Mapping[str, Space]
    grid: tuple[Hyperparameters, ...]
    val_share: float

    @property
    def is_searched(self) -> bool:
        """Whether there is anything to search."""
        return bool(self.space or self.grid)

    @property
    def names(self) -> list[str]:
        """The hyperparameters that are searched."""
        return list(self.tried)

    @property
    def default(self) -> Hyperparameters:
        """What the method has where nobody searches."""
        return self.reported.hyperparameters

    @cached_property
    def tried(self) -> Mapping[str, Space]:
        """The space, or for a grid its values as choices, in order."""
        return self.space or {
            name: Space("choice", values) for name, values in _distinct(self.grid).items() if len(values) > 1
        }

    def corners(self) -> list[Hyperparameters]:
        """Configurations that can run only if all can: the ends of every range, all values of a choice."""
        if not self.space:
            return [self.default, *self.grid]
        ends = {name: space.ends for name, space in self.space.items()}
        return [
            self.default,
            *({**self.default, name: value} for name, values in ends.items() for value in values),
        ]

    def search_trial(self, hyperparameters: Hyperparameters, seed: int) -> Trial:
        """A trial that searches: it holds no test example."""
        scenario, digest = self.searched
        return replace(
            self.reported,
            scenario=scenario,
            data_digest=digest,
            hyperparameters=hyperparameters,
            seed=seed,
            train={**self.reported.train, "val_share": self.val_share},
            scored_on="val",
        )

    def report_trial(self, hyperparameters: Hyperparameters, seed: int) -> Trial:
        """A trial that reports, on test data, what was chosen without it."""
        return replace(self.reported, hyperparameters=hyperparameters, seed=seed)


def studies(spec: Spec, tune: Tuning, planned: Plan, digests: Mapping[tuple[str, ...], str]) -> list[Study]:
    """The studies of *spec*, in the order of its plan.

    Args:
        spec: a checked sweep.
        tune: its section.
        planned: the plan of its values as they stand.
        digests: the digest of the data of every scenario that is reported or searched.
    """
    return list(_studies(spec, tune, planned, digests))


def _studies(
    spec: Spec, tune: Tuning, planned: Plan, digests: Mapping[tuple[str, ...], str]
) -> Iterator[Study]:
    alike: dict[str, list[Trial]] = {}
    for trial in planned.trials:
        if trial.seed != spec.seeds[0]:
            break  # seeds differ in nothing else
        what = repr((key_of(trial.scenario), trial.method, trial.model, trial.train))
        alike.setdefault(what, []).append(trial)
    fixed = tune.settings.protocol == "fixed"
    for trials in alike.values():
        first = trials[0]
        scenario = key_of(first.scenario)
        where = tune.searched[scenario]
        several = [trial.hyperparameters for trial in trials] if len(trials) > 1 else []
        for each in trials if fixed else [first]:
            default = each.hyperparameters if fixed else _default(spec, each, several)
            yield Study(
                reported=replace(each, scenario=tune.reported[scenario], hyperparameters=default),
                searched=(where, digests[where.data]),
                space=_declared(spec, each, _space_of(spec, each)),
                grid=() if fixed else tuple(several),
                val_share=tune.settings.val_share,
            )


def _space_of(spec: Spec, trial: Trial) -> Mapping[str, Space]:
    """Where the hyperparameters of the trial's method are searched in its scenario."""
    return next(
        choice.space
        for choice in spec.methods
        if choice.method == trial.method
        and (not choice.scenarios or trial.scenario.label in choice.scenarios)
    )


def _declared(spec: Spec, trial: Trial, spaces: Mapping[str, Space]) -> dict[str, Space]:
    """*spaces* with the values that an ordinary spec gives a trial: 1.0 for 1 where fractions are allowed."""
    settings = {**registry.METHODS, **spec.plug_in_methods}[trial.method].settings
    others = plugins.own(trial.hyperparameters)

    def declared(name: str, space: Space) -> Space:
        ends = [settings.model_validate({**others, name: value}).resolved()[name] for value in space.ends]
        return Space(space.kind, (ends[0], ends[1] + 1) if space.kind == "randint" else tuple(ends))

    return {name: declared(name, space) for name, space in spaces.items()}


def _distinct(grid: Sequence[Hyperparameters]) -> dict[str, tuple[Any, ...]]:
    """The values that each hyperparameter has in a grid."""
    names = list(dict.fromkeys(name for values in grid for name in values))
    return {
        name: tuple({repr(values[name]): values[name] for values in grid if name in values}.values())
        for name in names
    }


def _default(spec: Spec, trial: Trial, grid: Sequence[Hyperparameters]) -> Hyperparameters:
    """What the method has where nobody searches, beside the values that the whole of a grid shares."""
    entry = {**registry.METHODS, **spec.plug_in_methods}[trial.method]
    try:
        own = entry.settings().resolved()
    except ValueError:  # a plug-in's hyperparameter that has no default
        return trial.hyperparameters
    searched = {name for name, values in _distinct(grid).items() if len(values) > 1}
    given = trial.hyperparameters
    return {name: own.get(name, value) if name in searched else value for name, value in given.items()}
