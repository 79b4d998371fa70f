"""The plan: every trial of a sweep in the order in which they run, and the combinations that cannot."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cl import registry
from sweeps.sections import MethodChoice, ScenarioChoice
from sweeps.spec import Spec
from sweeps.trials import Resources, Trial


@dataclass(frozen=True)
class Excluded:
    """A combination of scenario and method that cannot work, and why."""

    scenario: str
    method: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The trials of a sweep, all of one seed before the next, and what was excluded."""

    trials: tuple[Trial, ...]
    excluded: tuple[Excluded, ...]


def data_names(spec: Spec) -> set[tuple[str, ...]]:
    """The data that the scenarios of *spec* need, each as its tuple of data set names or paths."""
    return {choice.scenario.data for choice in spec.scenarios}


def plan(spec: Spec, digests: Mapping[tuple[str, ...], str]) -> Plan:
    """The trials of *spec*, each once, and the combinations that are excluded.

    Seed-major: every cell of the first seed comes before the second seed, so early tables have every cell.

    Args:
        spec: a checked sweep.
        digests: the digest of the data, for each of `data_names`.
    """
    pairs = list(itertools.product(spec.scenarios, spec.methods))
    runnable = [(scenario, method) for scenario, method in pairs if not _obstacle(scenario, method)]
    trials: dict[str, Trial] = {}
    for seed in spec.seeds:
        for scenario, method in runnable:
            digest = digests[scenario.scenario.data]
            for trial in _trials(spec, scenario, method, seed, digest):
                trials.setdefault(trial.id, trial)
    excluded = dict.fromkeys(
        Excluded(scenario.scenario.label, method.method, reason)
        for scenario, method in pairs
        if (reason := _obstacle(scenario, method))
    )
    return Plan(tuple(trials.values()), tuple(excluded))


def _trials(
    spec: Spec, scenario: ScenarioChoice, method: MethodChoice, seed: int, digest: str
) -> Iterator[Trial]:
    # The method's wish is the more specific one.
    resources = Resources(**{**vars(spec.resources), **scenario.resources, **method.resources})
    for model, train in itertools.product(spec.models, spec.trains):
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


def _obstacle(scenario: ScenarioChoice, method: MethodChoice) -> str:
    """Why the two cannot be combined; empty if they can."""
    entry = registry.METHODS[method.method]
    kind = scenario.scenario.kind
    if kind in entry.kinds:
        return ""
    return f"{method.method} cannot run in {kind}" + (f" because it {entry.needs}" if entry.needs else "")
