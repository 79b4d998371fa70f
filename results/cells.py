"""Which trials make up a cell, what the cell is called and where it stands in a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from results.labels import Settings, label, order, varying
from results.schema import COMPLETE

__all__ = ["CellKey", "CellNames", "Setting", "cell_key", "group"]

Row: TypeAlias = Mapping[str, Any]


class Setting(NamedTuple):
    """What trials share when only the method tells them apart; settings are canonical JSON."""

    scenario: str
    scenario_settings: str
    data_digest: str
    results_version: int
    model: str
    train: str

    @property
    def scenario_values(self) -> dict[str, Any]:
        """Everything that can tell two scenarios of one name apart."""
        return {
            **json.loads(self.scenario_settings),
            "data": self.data_digest,
            "results_version": self.results_version,
        }


class CellKey(NamedTuple):
    """What trials share when only the seed tells them apart."""

    setting: Setting
    method: str
    hyperparameters: str

    @property
    def scenario(self) -> str:
        """The scenario's name as stored."""
        return self.setting.scenario


Cells: TypeAlias = dict[CellKey, dict[int, Row]]


def group(rows: Iterable[Row]) -> Cells:
    """The trials' rows by cell and seed, seeds ascending.

    Device and threads are no part of a cell. If they make several trials of one seed, the complete one
    started last stands for it.
    """
    cells: Cells = {}
    for row in sorted(rows, key=lambda row: (row["seed"], row["status"] == COMPLETE, row["started_at"])):
        cells.setdefault(cell_key(row), {})[row["seed"]] = row
    return cells


def cell_key(row: Row) -> CellKey:
    """The cell of a row of the trials table."""
    return _key(*[row[name] for name in _NAMES])


_NAMES = (*Setting._fields, "method", "hyperparameters")
_SETTINGS = ("scenario_settings", "model", "train", "hyperparameters")


@cache  # since ten thousand trials are of a few cells
def _key(*values: Any) -> CellKey:
    row = dict(zip(_NAMES, values, strict=True))
    row |= {name: _canonical(row[name]) for name in _SETTINGS}
    return CellKey(Setting(*(row[name] for name in Setting._fields)), row["method"], row["hyperparameters"])


@cache
def _canonical(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


class CellNames:
    """Names that show only what varies within the sweep, and the order in which to show cells.

    *scenarios* and *methods* stand as they are given, those not named in them after the others as they were
    started first; within a method the values of a grid ascend.
    """

    def __init__(self, cells: Cells, *, scenarios: Sequence[str] = (), methods: Sequence[str] = ()) -> None:
        self._scenario = _varying((key.scenario, key.setting.scenario_values) for key in cells)
        self._method = _varying((key.method, json.loads(key.hyperparameters)) for key in cells)
        self._model = varying([json.loads(key.setting.model) for key in cells])
        self._train = varying([json.loads(key.setting.train) for key in cells])
        starts = [(min(row["started_at"] for row in seeds.values()), key) for key, seeds in cells.items()]
        starts.sort(key=lambda start: start[0])
        self._scenario_position = _positions([*scenarios, *(key.scenario for _, key in starts)])
        self._method_position = _positions([*methods, *(key.method for _, key in starts)])

    def scenario(self, key: CellKey) -> str:
        """The title of the cell's table."""
        return label(key.scenario, key.setting.scenario_values, self._scenario[key.scenario])

    def line(self, key: CellKey) -> str:
        """The head of the cell's line."""
        text = label(key.method, json.loads(key.hyperparameters), self._method[key.method])
        text = label(text, json.loads(key.setting.model), self._model, prefix="model.")
        return label(text, json.loads(key.setting.train), self._train, prefix="train.")

    def position(self, key: CellKey) -> tuple[Any, ...]:
        """A sort key for cells."""
        return (
            self._scenario_position[key.scenario],
            order(key.setting.scenario_values, self._scenario[key.scenario]),
            self._method_position[key.method],
            order(json.loads(key.hyperparameters), self._method[key.method]),
            order(json.loads(key.setting.model), self._model),
            order(json.loads(key.setting.train), self._train),
        )


def _varying(named: Iterable[tuple[str, Settings]]) -> dict[str, tuple[str, ...]]:
    """For each name, which of its settings vary."""
    by_name: dict[str, list[Settings]] = {}
    for name, settings in named:
        by_name.setdefault(name, []).append(settings)
    return {name: varying(settings) for name, settings in by_name.items()}


def _positions(names: Iterable[str]) -> dict[str, int]:
    return {name: position for position, name in enumerate(dict.fromkeys(names))}
