"""From rows to cells: metrics per seed, then means over seeds with intervals."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from cl.metrics import METRICS, UndefinedMetric
from results.cells import CellKey, CellNames, group
from results.matrices import Array, TrialMatrix, trial_matrices
from results.schema import COMPLETE, to_rows
from results.statistics import Interval, mean_interval

__all__ = ["CellSummary", "mean_matrix", "seed_list", "summarise"]

NO_OUTPUT = "undefined in class-il: unseen classes have no output"

_COLUMNS = [
    *("trial_id", "scenario", "kind", "scenario_settings", "data_digest", "results_version", "method"),
    *("hyperparameters", "model", "train", "seed", "n_tasks", "status", "started_at", "train_s"),
    *("chance", "protocol", "driver_started_at"),
]


@dataclass(frozen=True, eq=False)
class CellSummary:
    """One line of a table: a scenario, a method and settings, with all seeds."""

    scenario: str
    """As stored, e.g. ``class-il/split-digits``."""
    kind: str
    scenario_settings: Mapping[str, Any]
    data_digest: str
    results_version: int
    method: str
    hyperparameters: Mapping[str, Any]
    model: Mapping[str, Any]
    train: Mapping[str, Any]
    scenario_label: str
    """`scenario` with the settings that vary within the sweep: the title of a table."""
    label: str
    """`method` with the values that vary within the sweep: the head of a line."""
    seeds: Mapping[int, str]
    """Status by seed, ascending."""
    missing: tuple[int, ...]
    """Seeds that are planned, or that other cells have started, and this cell has not started."""
    metrics: Mapping[str, Interval]
    """Over the complete seeds for which the metric is defined; absent where there is none."""
    reasons: Mapping[str, str]
    """Why a metric is undefined, for all seeds or for those named."""
    values: Mapping[str, Mapping[int, float]]
    """Each metric by seed, for paired comparisons."""
    matrices: Mapping[int, Array]
    """The accuracy matrix R, float64 ``[T, T]``, of each complete seed."""
    train_s: float | None = None
    """Mean seconds of training over complete seeds, None without any."""
    chance: float | None = None
    """The accuracy of guessing in the end; None if no row says it."""
    searched: bool = False
    """Whether its hyperparameters were chosen on validation data."""
    drivers: frozenset[datetime | None] = frozenset()
    """When the commands started that ran its complete trials: in between somebody could have looked."""

    @property
    def n(self) -> int:
        """Complete seeds: those that enter means."""
        return len(self.matrices)

    @property
    def planned(self) -> int:
        """Seeds of any status, with the missing ones."""
        return len(self.seeds) + len(self.missing)

    def with_status(self, status: str) -> tuple[int, ...]:
        """The seeds that have that status."""
        return tuple(seed for seed, its_status in self.seeds.items() if its_status == status)


def mean_matrix(cell: CellSummary) -> tuple[Array, int]:
    """The seed-averaged accuracy matrix ``[T, T]`` and the number of seeds; NaN where any seed lacks a cell.

    Metrics are not to be computed from it: the FM of a mean matrix is not the mean FM.

    Raises:
        ValueError: the cell has no complete seed.
    """
    if not cell.matrices:
        raise ValueError(f"{cell.label} in {cell.scenario_label} has no complete trial")
    return np.mean(list(cell.matrices.values()), axis=0), cell.n


def summarise(
    trials: pa.Table,
    accuracy: pa.Table,
    *,
    level: float = 0.95,
    metrics: Sequence[str] = tuple(METRICS),
    scenarios: Sequence[str] = (),
    methods: Sequence[str] = (),
    not_started: Sequence[Mapping[str, Any]] = (),
    reference: str = "",
    fresh: Collection[str] = (),
) -> list[CellSummary]:
    """The cells of a sweep, from its tables `TRIALS` and `ACCURACY` (test rows).

    *not_started* holds what `TRIALS` would say to identify the trials that are still to come.

    They stand in the order of *scenarios* and *methods*, others after them as they were started. Metrics are
    computed per seed and then averaged; only complete trials enter. Intransigence is measured
    against the trial of the method *reference* with the same scenario, data, model, training settings and
    seed. The methods in *fresh* train a fresh model for each task, so nothing of theirs can be forgotten.
    """
    rows = to_rows(trials.select(_COLUMNS)) + [_to_come(columns) for columns in not_started]
    complete = {row["trial_id"]: row["n_tasks"] for row in rows if row["status"] == COMPLETE}
    matrices = trial_matrices(complete, accuracy)
    cells = group(rows)
    measured = {
        key: {seed: matrices[row["trial_id"]] for seed, row in seeds.items() if row["status"] == COMPLETE}
        for key, seeds in cells.items()
    }
    J = {key.setting: by_seed for key, by_seed in measured.items() if key.method == reference}
    names = CellNames(cells, scenarios=scenarios, methods=methods)
    every_seed = sorted({row["seed"] for row in rows})
    kinds = {key: next(iter(seeds.values()))["kind"] for key, seeds in cells.items()}
    evidence = {key: _evidence(measured[key], J.get(key.setting, {})) for key in cells}
    found = _computed(evidence, kinds, metrics, reference)
    summaries = []
    for key in sorted(cells, key=names.position):
        seeds = {seed: row["status"] for seed, row in cells[key].items() if row["status"]}
        scores = {name: _score(name, found[key]) for name in metrics}
        if key.method in fresh:
            scores |= {name: _NOTHING_TO_FORGET for name in _OF_FORGETTING if name in metrics}
        summaries.append(
            CellSummary(
                **_identity(key, kinds[key], names),
                seeds=seeds,
                missing=tuple(seed for seed in every_seed if seed not in seeds),
                metrics={
                    name: mean_interval(score.values.values(), level)
                    for name, score in scores.items()
                    if score.values
                },
                reasons={name: score.reason for name, score in scores.items() if score.reason},
                values={name: score.values for name, score in scores.items()},
                matrices={seed: arrays.R for seed, arrays in evidence[key].items()},
                train_s=_train_s(cells[key].values()),
                **_origin(cells[key].values()),
            )
        )
    return summaries


def _train_s(rows: Iterable[Mapping[str, Any]]) -> float | None:
    seconds = [row["train_s"] for row in rows if row["status"] == COMPLETE and row["train_s"] is not None]
    return sum(seconds) / len(seconds) if seconds else None


def _origin(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the rows of trials that have started say of a cell."""
    started = [row for row in rows if row["status"]]
    return {
        "chance": next((row["chance"] for row in started if row["chance"] is not None), None),
        "searched": bool(started) and all(row["protocol"] not in {None, "fixed"} for row in started),
        "drivers": frozenset(row["driver_started_at"] for row in started if row["status"] == COMPLETE),
    }


def _to_come(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a trial that has not started: after all others and without a status."""
    return {
        **columns,
        "trial_id": "",
        "n_tasks": 0,
        "status": "",
        "started_at": datetime.max.replace(tzinfo=UTC),
        "train_s": None,
    }


class _Evidence(NamedTuple):
    """The arrays that a seed's metrics may read, or stacks of them."""

    R: Array
    untrained: Array
    J: Array | None
    holes: tuple[bytes, ...]
    """Which accuracies of a seed are missing; alike where the same ones are."""


class _Score(NamedTuple):
    values: dict[int, float]
    reason: str


def _identity(key: CellKey, kind: str, names: CellNames) -> dict[str, Any]:
    setting = key.setting
    return {
        "scenario": key.scenario,
        "kind": kind,
        "scenario_settings": json.loads(setting.scenario_settings),
        "data_digest": setting.data_digest,
        "results_version": setting.results_version,
        "method": key.method,
        "hyperparameters": json.loads(key.hyperparameters),
        "model": json.loads(setting.model),
        "train": json.loads(setting.train),
        "scenario_label": names.scenario(key),
        "label": names.line(key),
    }


_OF_FORGETTING = ("bwt", "fm", "forgetting")
_NOTHING_TO_FORGET = _Score({}, "undefined, since each task trains a fresh model")


def _evidence(measured: Mapping[int, TrialMatrix], J: Mapping[int, TrialMatrix]) -> dict[int, _Evidence]:
    return {
        seed: _Evidence(matrix.R, matrix.untrained, J[seed].R, (matrix.holes, J[seed].holes))
        if seed in J
        else _Evidence(matrix.R, matrix.untrained, None, (matrix.holes,))
        for seed, matrix in measured.items()
    }


def _computed(
    evidence: Mapping[CellKey, Mapping[int, _Evidence]],
    kinds: Mapping[CellKey, str],
    names: Sequence[str],
    reference: str,
) -> dict[CellKey, dict[int, dict[str, float | str]]]:
    """The metrics of every cell by seed: a value, or why there is none.

    Trials of one kind with the same holes lack the same metrics for the same reasons, so they are computed
    together: one by one, ten thousand would take seconds.
    """
    found: dict[CellKey, dict[int, dict[str, float | str]]] = {
        key: {seed: {} for seed in seeds} for key, seeds in evidence.items()
    }
    alike: dict[Any, list[tuple[CellKey, int, _Evidence]]] = {}
    for key, seeds in evidence.items():
        for seed, arrays in seeds.items():
            alike.setdefault((kinds[key], len(arrays.R), arrays.holes), []).append((key, seed, arrays))
    for (kind, *_, holes), trials in alike.items():
        R, untrained, J, _ = zip(*(arrays for *_, arrays in trials), strict=True)
        stacks = _Evidence(np.array(R), np.array(untrained), None if J[0] is None else np.array(J), holes)
        for name in names:
            values = _compute(name, kind, stacks, reference)
            for (key, seed, _), value in zip(trials, values, strict=True):
                found[key][seed][name] = value
    return found


def _compute(name: str, kind: str, stacks: _Evidence, reference: str) -> Sequence[float | str]:
    """The metric of each trial, or for all of them why there is none."""
    metric = METRICS[name]
    n, T = stacks.untrained.shape
    if "J" in metric.reads and stacks.J is None:
        return [f"no complete {reference or 'reference'} trial with the same settings and seed"] * n
    try:
        values: list[float] = metric.of_each(*(getattr(stacks, array) for array in metric.reads)).tolist()
    except UndefinedMetric as error:
        unseen = kind == "class-il" and name in {"fwt", "fwt_gain"} and T > 1
        return [NO_OUTPUT if unseen else str(error)] * n
    return values


def _score(name: str, found: Mapping[int, Mapping[str, float | str]]) -> _Score:
    """The metric of every seed that has one, and why the others have none."""
    if not found:
        return _Score({}, "no complete trial")
    values, reasons = {}, dict[str, list[int]]()
    for seed, metrics in found.items():
        match metrics[name]:
            case str() as reason:
                reasons.setdefault(reason, []).append(seed)
            case value:
                values[seed] = value
    return _Score(values, _merged(reasons, everywhere=len(found)))


def _merged(reasons: Mapping[str, Sequence[int]], *, everywhere: int) -> str:
    """One reason if all seeds share it; otherwise each with its seeds."""
    if any(len(seeds) == everywhere for seeds in reasons.values()):
        return next(iter(reasons))
    return "; ".join(f"{seed_list(seeds)}: {reason}" for reason, seeds in reasons.items())


def seed_list(seeds: Sequence[int]) -> str:
    """Seeds as words.

    >>> seed_list([3]), seed_list([1, 2])
    ('seed 3', 'seeds 1, 2')
    """
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
