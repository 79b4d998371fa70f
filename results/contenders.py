"""Which cells of two runs stand against each other in the evaluation gate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from results.families import REFERENCES
from results.names import hint
from results.summary import CellSummary

__all__ = ["NoMatch", "Side", "matched"]


class NoMatch(Exception):  # noqa: N818 - reads as what happened
    """Two runs do not say what to compare; ``str(error)`` is ready to print."""


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two runs, and the cell that it is asked for."""

    role: Literal["challenger", "champion"]
    run: str
    """What messages call it."""
    cells: Sequence[CellSummary]
    cell: str | None = None
    """Label or method; None is the only cell there is, those of references apart."""


class _Scenario(NamedTuple):
    """What must be the same for accuracies to be comparable."""

    name: str
    settings: str
    data_digest: str
    results_version: int


def matched(
    challenger: Side, champion: Side, scenarios: Sequence[str] = ()
) -> list[tuple[CellSummary, CellSummary]]:
    """The cells of both sides in every scenario, or in those of *scenarios* (names or titles of tables).

    Raises:
        NoMatch: a scenario or cell that is not there, is there on one side alone, or is not the only one.
    """
    sides = challenger, champion
    for side in sides:
        if not side.cells:
            raise NoMatch(f"{side.run} has no trials")
    chosen = _chosen([cell for side in sides for cell in side.cells], scenarios)
    for scenario, title in chosen.items():
        for side, other in (sides, sides[::-1]):
            if not any(_scenario(cell) == scenario for cell in side.cells):
                raise NoMatch(_absent(scenario, title, side, other))
    pairs = [(_cell(challenger, scenario), _cell(champion, scenario)) for scenario in chosen]
    for ours, theirs in pairs:
        if ours is theirs:
            others = _labels(champion, _scenario(ours), but=ours.label)
            raise NoMatch(
                f"{ours.label} in {ours.scenario_label} is both the challenger and the champion; "
                f"name another with --champion-cell; in {champion.run}: {others}"
            )
    return pairs


def _scenario(cell: CellSummary) -> _Scenario:
    settings = json.dumps(cell.scenario_settings, sort_keys=True)
    return _Scenario(cell.scenario, settings, cell.data_digest, cell.results_version)


def _chosen(cells: Sequence[CellSummary], names: Sequence[str]) -> dict[_Scenario, str]:
    """The scenarios of those names, each with its title in the first run that has it."""
    known = [name for cell in cells for name in (cell.scenario_label, cell.scenario)]
    for name in names:
        if name not in known:
            raise NoMatch(f"no scenario {name!r}; {hint(name, [cell.scenario_label for cell in cells])}")
    chosen: dict[_Scenario, str] = {}
    for cell in cells:
        if not names or {cell.scenario_label, cell.scenario} & set(names):
            chosen.setdefault(_scenario(cell), cell.scenario_label)
    return chosen


def _absent(scenario: _Scenario, title: str, side: Side, other: Side) -> str:
    """Why *side* has nothing to compare in a scenario of *other*."""
    here = {_scenario(cell): cell.scenario_label for cell in side.cells}
    for its in here:
        if its.name == scenario.name:
            return (
                f"{scenario.name} is not the same in {other.run} and {side.run}: {_differing(scenario, its)}"
            )
    there = {_scenario(cell) for cell in other.cells}
    shared = [label for its, label in here.items() if its in there]
    if not shared:
        return f"no scenario is both in {other.run} ({title}) and in {side.run} ({', '.join(here.values())})"
    return (
        f"{title} is in {other.run} and not in {side.run}; "
        f"say what to compare with --scenario: {', '.join(shared)}"
    )


def _differing(first: _Scenario, second: _Scenario) -> str:
    """What differs between two scenarios of one name, with both values."""
    a, b = (
        {**json.loads(one.settings), "data": one.data_digest, "results_version": one.results_version}
        for one in (first, second)
    )
    return ", ".join(
        f"{name} {a.get(name)} and {b.get(name)}" for name in {**a, **b} if a.get(name) != b.get(name)
    )


def _cell(side: Side, scenario: _Scenario) -> CellSummary:
    """The cell that the side is asked for, or else the only one."""
    cells = [cell for cell in side.cells if _scenario(cell) == scenario]
    title, option = cells[0].scenario_label, f"--{side.role}-cell"
    if side.cell is None:
        found = [cell for cell in cells if cell.method not in REFERENCES]
    else:
        found = [cell for cell in cells if cell.label == side.cell]
        found = found or [cell for cell in cells if cell.method == side.cell]
        if not found:
            there = hint(side.cell, [cell.label for cell in cells])
            raise NoMatch(f"{option}: {side.run} has no {side.cell!r} in {title}; {there}")
    if len(found) != 1:
        raise NoMatch(
            f"name the {side.role} in {title} with {option}; in {side.run}: {_labels(side, scenario)}"
        )
    return found[0]


def _labels(side: Side, scenario: _Scenario, *, but: str = "") -> str:
    labels = [cell.label for cell in side.cells if _scenario(cell) == scenario and cell.label != but]
    return ", ".join(labels) or "no other"
