"""Which rows of a run belong to its spec as it is now."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from sweeps.plan import plan
from sweeps.spec import Spec
from sweeps.trials import Trial


def as_json(values: Mapping[str, Any]) -> str:
    """Settings as the store keeps them: JSON with sorted keys."""
    return json.dumps(values, sort_keys=True)


ScenarioKey = tuple[str, str, float]
"""A scenario by its label, settings and validation share: what its stream is made from, but for the seed."""


def scenario_key(trial: Trial) -> ScenarioKey:
    """What the trials of one scenario share."""
    return trial.scenario.label, as_json(trial.scenario.settings), trial.train["val_share"]


def columns_of(trial: Trial) -> dict[str, Any]:
    """The columns of the trials table that say what *trial* is."""
    scenario = trial.scenario
    return {
        "scenario": scenario.label,
        "kind": scenario.kind,
        "stream": scenario.stream_name,
        "scenario_settings": as_json(scenario.settings),
        "method": trial.method,
        "hyperparameters": as_json(trial.hyperparameters),
        "model": as_json(trial.model),
        "train": as_json(trial.train),
        "seed": trial.seed,
        "device": trial.resources.device_type,
        "threads": trial.resources.threads,
    }


def of_spec(trials: pa.Table, spec: Spec) -> pa.Table:
    """The rows of *trials* that *spec* plans, whatever the data they were run on.

    A run's folder keeps the trials of earlier settings; they do not belong in the tables of the present ones.
    """
    no_digests: defaultdict[tuple[str, ...], str] = defaultdict(str)
    columns = [columns_of(trial) for trial in plan(spec, no_digests).trials]
    planned = {tuple(values.values()) for values in columns}
    names = columns[0] if columns else ()
    rows = zip(*(trials[name].to_pylist() for name in names), strict=True)
    return trials.filter(pa.array([row in planned for row in rows], pa.bool_()))
