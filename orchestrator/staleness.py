"""Why trials of a run are not in its present plan: what about them is different."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from cl.registry.plugins import SOURCE
from orchestrator.identity import trial_of
from results.labels import order
from sweeps.trials import RESULTS_VERSION, Trial

MOST_VALUES = 3
"""So many values of a setting are shown."""

Values: TypeAlias = Mapping[str, Any]
"""What can change the numbers of a trial, but for the seed, by names such as ``train.epochs``."""


@dataclass(frozen=True)
class Stale:
    """Trials of a run that are not planned, for one reason.

    Attributes:
        count: how many they are.
        reason: what about them is different, such as ``train.epochs 1 -> 2``.
    """

    count: int
    reason: str


@dataclass(frozen=True)
class _Change:
    name: str
    """Of the value that is different."""
    planned: str
    """What is planned in its place; empty if nothing is."""


def stale(rows: Iterable[Mapping[str, Any]], planned: Sequence[Trial]) -> list[Stale]:
    """The *rows* of the trials table that are not *planned*, by reason, the most frequent first.

    Each is held against that planned trial of its scenario and method which is most like it.
    """
    ids, plans = {trial.id for trial in planned}, _Plans(planned)
    groups: dict[tuple[_Change, ...], list[Values]] = {}
    for row in rows:
        if row["trial_id"] not in ids:
            values, changes = _compared(row, plans)
            groups.setdefault(changes, []).append(values)
    found = [Stale(len(olds), _reason(changes, olds)) for changes, olds in groups.items()]
    return sorted(found, key=lambda each: -each.count)


class _Plans:
    """The values that are planned, by scenario and method."""

    def __init__(self, planned: Sequence[Trial]) -> None:
        self._cells: dict[tuple[str, str], dict[str, Values]] = {}
        self._seeds = {trial.seed for trial in planned}
        for trial in planned:
            values = _values(trial, RESULTS_VERSION)
            cells = self._cells.setdefault((values["scenario"], values["method"]), {})
            cells.setdefault(json.dumps({**values, "seed": 0}), values)

    def changes(self, old: Values) -> tuple[_Change, ...]:
        """What is different about *old*, which is not planned."""
        cells = list(self._cells.get((old["scenario"], old["method"]), {}).values())
        if not cells:
            known = any(scenario == old["scenario"] for scenario, _ in self._cells)
            return (_Change("method" if known else "scenario", ""),)
        names = min((_different(old, new) for new in cells), key=len)
        if names:
            return tuple(_Change(name, _texts(new.get(name) for new in cells)) for name in names)
        return () if old["seed"] in self._seeds else (_Change("seed", ""),)


def _compared(row: Mapping[str, Any], plans: _Plans) -> tuple[Values, tuple[_Change, ...]]:
    """The values of *row*, and what about them is different; nothing if its id is not theirs."""
    try:
        values = _values(trial_of(row), row["results_version"])
    except ValueError:
        return {}, ()
    return values, plans.changes(values)


def _values(trial: Trial, results_version: int) -> dict[str, Any]:
    scenario = trial.scenario
    sections = {
        scenario.stream_name: scenario.settings,
        trial.method: trial.hyperparameters,
        "model": trial.model,
        "train": trial.train,
    }
    values = {
        f"{section}.{name}": value
        for section, settings in sections.items()
        for name, value in settings.items()
        if name != SOURCE
    }
    values |= {f"source of {name}": digest[:8] for name, digest in trial.plug_ins.items()}
    return values | {
        "resources.threads": trial.resources.threads,
        "device": trial.resources.device_type,
        "data digest": "+".join(digest[:8] for digest in trial.data_digest.split("+")),
        "results version": results_version,
        "scenario": scenario.label,
        "method": trial.method,
        "seed": trial.seed,
    }


def _different(old: Values, new: Values) -> list[str]:
    names = dict.fromkeys([*new, *old])
    return [name for name in names if name != "seed" and old.get(name) != new.get(name)]


def _reason(changes: Sequence[_Change], olds: Sequence[Values]) -> str:
    parts = []
    for change in changes:
        old = _texts(values.get(change.name) for values in olds)
        becomes = f"-> {change.planned}" if change.planned else "is not planned"
        parts.append(f"{change.name} {old} {becomes}")
    return ", ".join(parts) or "the id is not that of the settings; see clsweep check"


def _texts(values: Iterable[Any]) -> str:
    """Different values, in order."""
    distinct = {_text(value): {"": value} for value in values}
    texts = sorted(distinct, key=lambda text: order(distinct[text], [""]))
    more = ["..."] if len(texts) > MOST_VALUES else []
    return " or ".join([*texts[:MOST_VALUES], *more])


def _text(value: Any) -> str:
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return value if isinstance(value, str) else json.dumps(value)
