"""The plan: every trial of a sweep in the order in which they run, and what cannot run or not well."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cl import registry
from sweeps.methods import MethodChoice
from sweeps.sections import ScenarioChoice
from sweeps.spec import Spec
from sweeps.trials import Trial


@dataclass(frozen=True)
class Excluded:
    """A combination of scenario, method and model that cannot work, and why."""

    scenario: str
    method: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The trials of a sweep, all of one seed before the next, what was excluded, and warnings."""

    trials: tuple[Trial, ...]
    excluded: tuple[Excluded, ...]
    warnings: tuple[str, ...] = ()
    """What runs, but should not be expected to do well, a line each."""

    @property
    def exclusions(self) -> list[str]:
        """What was excluded, for people: a line for all that one reason excludes."""
        by_reason: dict[str, list[Excluded]] = {}
        for each in self.excluded:
            by_reason.setdefault(each.reason, []).append(each)
        return [
            f"{_listed(one.scenario for one in alike)} with {_listed(one.method for one in alike)}: {reason}"
            for reason, alike in by_reason.items()
        ]


class _Combination(NamedTuple):
    scenario: ScenarioChoice
    method: MethodChoice
    model: dict[str, Any]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def data_names(spec: Spec) -> set[tuple[str, ...]]:
    """The data that the trials of *spec* need, each as its tuple of data set names or paths."""
    return {each.scenario.scenario.data for each, fit in _combinations(spec) if fit.level != "invalid"}


def plan(spec: Spec, digests: Mapping[tuple[str, ...], str]) -> Plan:
    """The trials of *spec*, each once, the combinations that are excluded, and warnings.

    Seed-major: every cell of the first seed comes before the second seed, so early tables have every cell.

    Args:
        spec: a checked sweep.
        digests: the digest of the data, for each of `data_names`.
    """
    combinations = _combinations(spec)
    trials: dict[str, Trial] = {}
    for seed in spec.seeds:
        for each, fit in combinations:
            if fit.level != "invalid":
                for trial in _trials(spec, each, seed, digests[each.scenario.scenario.data]):
                    trials.setdefault(trial.id, trial)
    excluded = [
        Excluded(each.scenario.scenario.label, each.method.method, fit.reason)
        for each, fit in combinations
        if fit.level == "invalid"
    ]
    warnings = [
        f"{each.scenario.scenario.label}: {fit.reason}"
        for each, fit in combinations
        if fit.level == "suboptimal"
    ]
    return Plan(tuple(trials.values()), tuple(dict.fromkeys(excluded)), tuple(dict.fromkeys(warnings)))


def _combinations(spec: Spec) -> list[tuple[_Combination, registry.Fit]]:
    """Every scenario with every method and model, and how well they go together."""
    return [
        (
            _Combination(scenario, method, model),
            registry.compatibility(
                scenario.scenario.kind,
                method.method,
                model["name"],
                methods={**registry.METHODS, **spec.plug_in_methods},
                models={**registry.MODELS, **spec.plug_in_models},
            ),
        )
        for scenario, method, model in itertools.product(spec.scenarios, spec.methods, spec.models)
        if not method.scenarios or scenario.scenario.label in method.scenarios
    ]


def _trials(spec: Spec, each: _Combination, seed: int, digest: str) -> Iterator[Trial]:
    scenario, method, model = each
    # The method's wish is the more specific one.
    resources = spec.resources.but(scenario.resources, method.resources)
    for train in spec.trains:
        yield Trial(
            scenario=scenario.scenario,
            method=method.method,
            hyperparameters=method.hyperparameters,
            seed=seed,
            model=model,
            train=train,
            resources=resources,
            data_digest=digest,
        )
