"""Which trial a row is of: what identifies trials, what they are called, which ones a spec plans."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
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


def of_spec(trials: pa.Table, spec: Spec) -> pa.Table:
    """The rows of *trials* that *spec* plans, on the data and with the code of their scenario's last trial.

    A run's folder keeps the trials of earlier settings and data; they do not belong in its present tables.
    """
    planned = {tuple(columns.values()) for columns in _planned(spec)}
    rows = trials.to_pylist()
    ours = [tuple(row[name] for name in _COLUMNS) in planned for row in rows]
    last = {
        _scenario(row): _origin(row)
        for row, is_ours in sorted(zip(rows, ours, strict=True), key=lambda each: each[0]["started_at"])
        if is_ours
    }
    kept = [is_ours and _origin(row) == last[_scenario(row)] for row, is_ours in zip(rows, ours, strict=True)]
    return trials.filter(pa.array(kept, pa.bool_()))


def not_started(current: pa.Table, spec: Spec) -> list[dict[str, Any]]:
    """What identifies the trials that *spec* plans beyond the rows *current*, by column."""
    rows = current.to_pylist()
    started = {tuple(row[name] for name in _COLUMNS) for row in rows}
    last = {_scenario(row): _origin(row) for row in rows}
    return [
        columns | dict(zip(_ORIGIN, last.get(_scenario(columns), ("", RESULTS_VERSION)), strict=True))
        for columns in _planned(spec)
        if tuple(columns.values()) not in started
    ]


def names_of(trials: Sequence[Trial]) -> dict[str, tuple[str, str]]:
    """Scenario and cell of each trial by its id, named as tables name them: by what varies among *trials*."""
    rows = [
        columns_of(trial)
        | {"trial_id": trial.id, "data_digest": trial.data_digest, "results_version": RESULTS_VERSION}
        | {"status": RUNNING, "started_at": position}
        for position, trial in enumerate(trials)
    ]
    names = CellNames(group(rows))
    return {
        row["trial_id"]: (names.scenario(key), names.line(key)) for row in rows for key in [cell_key(row)]
    }


_ORIGIN = ("data_digest", "results_version")


def _origin(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _ORIGIN)


def _scenario(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["scenario"], row["scenario_settings"]


def _planned(spec: Spec) -> list[dict[str, Any]]:
    no_digests: defaultdict[tuple[str, ...], str] = defaultdict(str)
    return [columns_of(trial) for trial in plan(spec, no_digests).trials]
