"""Which trial a row is of: what identifies trials, what they are called, which ones a spec plans."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pyarrow as pa

from results.cells import CellNames, cell_key, group
from results.schema import RUNNING
from sweeps.plan import plan
from sweeps.spec import Spec
from sweeps.trials import RESULTS_VERSION, Trial


def as_json(values: Mapping[str, Any]) -> str:
    """Settings as the store keeps them: JSON with sorted keys."""
    return json.dumps(values, sort_keys=True)


ScenarioKey = tuple[str, str, float]
"""A scenario by its label, settings and validation share: what its stream is made from, but for the seed."""


def scenario_key(trial: Trial) -> ScenarioKey:
    """What the trials of one scenario share."""
    return trial.scenario.label, as_json(trial.scenario.settings), trial.train["val_share"]


_COLUMNS = (
    *("scenario", "kind", "stream", "scenario_settings", "method", "hyperparameters", "model", "train"),
    *("seed", "device", "threads"),
)


def columns_of(trial: Trial) -> dict[str, Any]:
    """The columns of the trials table that say what *trial* is."""
    scenario = trial.scenario
    values = (
        *(scenario.label, scenario.kind, scenario.stream_name, as_json(scenario.settings)),
        *(trial.method, as_json(trial.hyperparameters), as_json(trial.model), as_json(trial.train)),
        *(trial.seed, trial.resources.device_type, trial.resources.threads),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def of_spec(trials: pa.Table, spec: Spec) -> tuple[pa.Table, list[dict[str, Any]]]:
    """The rows of *trials* that *spec* plans, and the columns that identify what it plans beyond them.

    A run's folder keeps the trials of earlier settings, data and code, which do not belong in its present
    tables: of a scenario's rows, those count that share data and code with the one started last.
    """
    planned = {_identity(columns_of(trial)): trial for trial in _planned(spec)}
    rows = trials.to_pylist()
    ours = [row for row in rows if _identity(row) in planned]
    last = {_scenario(row): _origin(row) for row in sorted(ours, key=lambda row: row["started_at"])}
    kept = [_identity(row) in planned and _origin(row) == last[_scenario(row)] for row in rows]
    started = {_identity(row) for row, is_kept in zip(rows, kept, strict=True) if is_kept}
    # Of a plug-in, which is not imported here, nobody knows where it cannot run.
    unstarted = [
        columns_of(trial) for key, trial in planned.items() if key not in started and not trial.plug_ins
    ]
    to_come = [
        columns | dict(zip(_ORIGIN, last.get(_scenario(columns), ("", RESULTS_VERSION)), strict=True))
        for columns in unstarted
    ]
    return trials.filter(pa.array(kept, pa.bool_())), to_come


def names_of(trials: Sequence[Trial]) -> dict[str, tuple[str, str]]:
    """Scenario and cell of each trial by its id, named as tables name them: by what varies among *trials*."""
    rows = [
        columns_of(trial)
        | {"trial_id": trial.id, "data_digest": trial.data_digest, "results_version": RESULTS_VERSION}
        | {"status": RUNNING, "started_at": position}
        for position, trial in enumerate(trials)
    ]
    names = CellNames(group(rows))
    keys = {row["trial_id"]: cell_key(row) for row in rows}
    return {trial_id: (names.scenario(key), names.line(key)) for trial_id, key in keys.items()}


_SETTINGS = ("scenario_settings", "hyperparameters", "model", "train")
"""Columns that hold settings as JSON."""
_ORIGIN = ("data_digest", "results_version")


def _identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(_alike(row[name]) if name in _SETTINGS else row[name] for name in _COLUMNS)


@cache
def _alike(settings: str) -> str:
    """Settings with 1.0 as 1: of a plug-in that is not imported nobody knows which was meant."""
    return json.dumps(json.loads(settings, parse_float=_number))


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value


def _origin(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _ORIGIN)


def _scenario(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["scenario"], row["scenario_settings"]


def _planned(spec: Spec) -> Sequence[Trial]:
    no_digests: defaultdict[tuple[str, ...], str] = defaultdict(str)
    return plan(spec, no_digests).trials
