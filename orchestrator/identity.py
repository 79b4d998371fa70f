"""Which trial a row is of: what identifies trials, what they are called, which ones a spec plans."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import pyarrow as pa

from results.arrays import booleans
from results.cells import CellNames, cell_key, group
from results.schema import RUNNING, to_rows
from sweeps.plan import plan
from sweeps.spec import Spec
from sweeps.trials import RESULTS_VERSION, Resources, Scenario, Trial


def as_json(values: Mapping[str, Any]) -> str:
    """Settings as the store keeps them: JSON with sorted keys."""
    return _encoded(values)


# Made once, since every trial has four of them.
_encoded = json.JSONEncoder(sort_keys=True).encode

ScenarioKey = tuple[str, str, float]
"""A scenario by its label, settings and validation share: what its stream is made from, but for the seed."""


class StreamFacts(NamedTuple):
    """What is known of a scenario's stream once it has been made."""

    n_tasks: int
    chance: float
    """The accuracy that guessing has in the end."""


def scenario_key(trial: Trial) -> ScenarioKey:
    """What the trials of one scenario share."""
    return trial.scenario.label, as_json(trial.scenario.settings), trial.train["val_share"]


_COLUMNS = (
    *("scenario", "kind", "stream", "scenario_settings", "method", "hyperparameters", "model", "train"),
    *("seed", "device", "threads", "scored_on"),
)


def columns_of(trial: Trial) -> dict[str, Any]:
    """The columns of the trials table that say what *trial* is."""
    scenario = trial.scenario
    values = (
        *(scenario.label, scenario.kind, scenario.stream_name, as_json(scenario.settings)),
        *(trial.method, as_json(trial.hyperparameters), as_json(trial.model), as_json(trial.train)),
        *(trial.seed, trial.resources.device_type, trial.resources.threads, trial.scored_on),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def trial_of(row: Mapping[str, Any]) -> Trial:
    """The trial whose `columns_of` are in *row* of the trials table; where its data is, no row says.

    Raises:
        ValueError: the row's settings are not JSON.
    """
    settings, hyperparameters, model, train = (_parsed(row[name]) for name in _SETTINGS)
    stream = row["stream"].partition("-")[0]
    return Trial(
        scenario=Scenario(row["kind"], stream, (), settings, row["scenario"]),
        method=row["method"],
        hyperparameters=hyperparameters,
        seed=row["seed"],
        model=model,
        train=train,
        resources=Resources(device=row["device"], threads=row["threads"]),
        data_digest=row["data_digest"],
        scored_on=row["scored_on"] or "test",  # which parts of earlier versions do not say
    )


def of_spec(trials: pa.Table, spec: Spec) -> tuple[pa.Table, list[dict[str, Any]]]:
    """The rows of *trials* that *spec* plans, and the columns that identify what it plans beyond them.

    A run's folder keeps the trials of earlier settings, data and code, which do not belong in its present
    tables: of a scenario's rows, those count that share data and code with the one started last.
    """
    cells = {_identity(columns): (columns, known) for columns, known in _planned(spec)}
    planned = {(*cell, seed) for cell in cells for seed in spec.seeds}
    rows = to_rows(trials.select([*_COLUMNS, *_ORIGIN, "started_at"]))
    keys = [(*_identity(row), row["seed"]) for row in rows]
    ours = [row for row, key in zip(rows, keys, strict=True) if key in planned]
    last = latest_origin(ours)
    kept = [
        key in planned and _origin(row) == last[_scenario(row)] for row, key in zip(rows, keys, strict=True)
    ]
    started = {key for key, is_kept in zip(keys, kept, strict=True) if is_kept}
    unstarted = [
        columns | {"seed": seed}
        for seed in spec.seeds
        for cell, (columns, known) in cells.items()
        if known and (*cell, seed) not in started
    ]
    to_come = [
        columns | dict(zip(_ORIGIN, last.get(_scenario(columns), ("", RESULTS_VERSION)), strict=True))
        for columns in unstarted
    ]
    return trials.filter(booleans(kept)), to_come


Key = tuple[Any, ...]
"""A trial but for its data and code, of which a table may have several."""


def key_of_row(row: Mapping[str, Any]) -> Key:
    """What a spec plans of the trial in *row* of the trials table."""
    return (*_identity(row), row["seed"])


def scenario_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """The scenario of *row* of the trials table, by its label and settings."""
    return _scenario(row)


def latest_origin(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """By scenario, the data and code of the trial that was started last."""
    return {_scenario(row): _origin(row) for row in sorted(rows, key=lambda row: row["started_at"])}


def names_of(trials: Sequence[Trial]) -> dict[str, tuple[str, str]]:
    """Scenario and cell of each trial by its id, named as tables name them: by what varies among *trials*."""
    rows = [
        columns_of(trial)
        | {"data_digest": trial.data_digest, "results_version": RESULTS_VERSION}
        | {"status": RUNNING, "started_at": position}
        for position, trial in enumerate(trials)
    ]
    return dict(zip((trial.id for trial in trials), names_of_rows(rows), strict=True))


def names_of_rows(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Scenario and cell of each row of the trials table, as in `names_of`."""
    keys = [cell_key(row) for row in rows]
    names = CellNames(group(rows))
    named = {key: (names.scenario(key), names.line(key)) for key in dict.fromkeys(keys)}
    return [named[key] for key in keys]


_SETTINGS = ("scenario_settings", "hyperparameters", "model", "train")
"""Columns that hold settings as JSON."""
_NAMED = tuple(name for name in _COLUMNS if name not in (*_SETTINGS, "seed"))
_ORIGIN = ("data_digest", "results_version")


def _identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a spec plans of a trial, but for its seed."""
    # Parts of earlier versions do not say what they were scored on.
    named = [row[name] or "test" if name == "scored_on" else row[name] for name in _NAMED]
    return (*[_alike(row[name]) for name in _SETTINGS], *named)


@cache
def _alike(settings: str) -> str:
    """Settings with 1.0 as 1: of a plug-in that is not imported nobody knows which was meant."""
    return json.dumps(json.loads(settings, parse_float=_number))


@cache
def _parsed(settings: str) -> dict[str, Any]:
    values = json.loads(settings)
    if not isinstance(values, dict):
        raise ValueError(f"settings are a JSON object, got {settings}")  # noqa: TRY004 - malformed, as other text
    return values


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value


def _origin(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _ORIGIN)


def _scenario(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["scenario"], row["scenario_settings"]


def _planned(spec: Spec) -> Iterator[tuple[dict[str, Any], bool]]:
    """The columns of the trials that *spec* plans for one seed, and whether it is known that they can run."""
    no_digests: defaultdict[tuple[str, ...], str] = defaultdict(str)
    # Seeds differ in nothing else, so one of them is planned: of ten thousand trials it takes half a second.
    for trial in plan(replace(spec, seeds=spec.seeds[:1]), no_digests).trials:
        # Of a plug-in, which is not imported here, nobody knows where it cannot run.
        yield columns_of(trial), not trial.plug_ins
