"""Which scenarios and cells of two runs are the same, and what differs about those that are nearly so."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeAlias, TypeVar

import numpy as np

from results.labels import label, varying
from results.schema import RUNNING
from results.summary import CellSummary

__all__ = ["Couple", "ScenarioPair", "coupled", "shortened"]

T = TypeVar("T")
Scenario: TypeAlias = list[CellSummary]
"""The cells of one scenario in one run: of one name, settings, data and version of the results."""

_SETTINGS = {"hyperparameters": "", "model": "model.", "train": "train."}
"""The settings of a cell, and what stands before their names."""
_ALIKE = (
    ("hyperparameters", "model", "train"),
    ("hyperparameters", "model"),
    ("hyperparameters", "train"),
    ("hyperparameters",),
    ("model", "train"),
    (),
)
"""What two cells of one method can have in common, from most to least."""
_LONGEST = 40
"""Characters of a value; those of a longer one are cut."""


@dataclass(frozen=True, eq=False)
class Couple:
    """A cell that both runs have."""

    label: str
    """The method, with the values that vary within a run and with what differs for this couple and not for
    all."""
    a: CellSummary
    b: CellSummary
    differing: Mapping[str, tuple[str, str]]
    """Settings that differ, by name (``lambda``, ``train.lr``): their values in A and in B, as text."""

    @cached_property
    def shared(self) -> tuple[int, ...]:
        """Seeds that are complete in both runs."""
        return tuple(sorted(self.a.matrices.keys() & self.b.matrices.keys()))

    @cached_property
    def identical(self) -> tuple[int, ...]:
        """Of these, the ones whose accuracy matrices are the same bit for bit, and lack the same."""
        a, b = self.a.matrices, self.b.matrices
        return tuple(seed for seed in self.shared if np.array_equal(a[seed], b[seed], equal_nan=True))

    @property
    def ended(self) -> Mapping[int, tuple[str, str]]:
        """The seeds that ended in both runs but not alike: their statuses in A and in B."""
        both = {seed: (its, self.b.seeds[seed]) for seed, its in self.a.seeds.items() if seed in self.b.seeds}
        return {seed: (its, b) for seed, (its, b) in both.items() if its != b and RUNNING not in (its, b)}


@dataclass(frozen=True, eq=False)
class ScenarioPair:
    """A scenario of either run or of both, and which of its cells are in both."""

    title: str
    """Its name, with the settings that vary within a run or differ between the two."""
    couples: tuple[Couple, ...]
    only_a: tuple[CellSummary, ...]
    only_b: tuple[CellSummary, ...]
    remark: str = ""
    """Why nothing of it is compared although both runs have it, or what to mind when it is."""


def coupled(a: Sequence[CellSummary], b: Sequence[CellSummary]) -> list[ScenarioPair]:
    """The scenarios of two runs, those of A first, with their cells coupled.

    Scenarios are the same if name, settings and data are; another version of the results is remarked on.
    Cells are coupled with those of the same method and settings. Of what is then left of a method, two cells
    are a couple if they have the same hyperparameters, or else the same model and training settings, and no
    third one has; or else if they are the only two.
    """
    scenarios, *left = _paired(_scenarios(a), _scenarios(b), _whole, _but_version, _but_data)
    sides = [*scenarios, *((one, []) for one in left[0]), *(([], one) for one in left[1])]
    in_order = [*a, *b]
    sides.sort(key=lambda side: in_order.index([*side[0], *side[1]][0]))
    matched = [_cells(*side) for side in sides]
    common = _common([pair for pairs, _, _ in matched for pair in pairs])
    title, name = _titles(a, b), partial(_name, _varied(a), _varied(b), common)
    return [
        ScenarioPair(
            title=title([*here, *there][0]),
            couples=tuple(Couple(name(x, y), x, y, _differing(x, y)) for x, y in pairs),
            only_a=tuple(only_a),
            only_b=tuple(only_b),
            remark=_remark(here, there),
        )
        for (here, there), (pairs, only_a, only_b) in zip(sides, matched, strict=True)
    ]


def _scenarios(cells: Iterable[CellSummary]) -> list[Scenario]:
    return list(_by(cells, lambda cell: _whole([cell])).values())


def _whole(scenario: Scenario) -> Hashable:
    return _but_version(scenario), scenario[0].results_version


def _but_version(scenario: Scenario) -> Hashable:
    return _but_data(scenario), scenario[0].data_digest


def _but_data(scenario: Scenario) -> Hashable:
    return scenario[0].scenario, _canonical(scenario[0].scenario_settings)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _by(things: Iterable[T], way: Callable[[T], Hashable]) -> dict[Hashable, list[T]]:
    found: dict[Hashable, list[T]] = {}
    for thing in things:
        found.setdefault(way(thing), []).append(thing)
    return found


def _paired(
    ours: Sequence[T], theirs: Sequence[T], *ways: Callable[[T], Hashable]
) -> tuple[list[tuple[T, T]], list[T], list[T]]:
    """Those that are alike in the first way and like no other, of the rest those in the second, and so on."""
    pairs: list[tuple[T, T]] = []
    left, right = list(ours), list(theirs)
    for way in ways:
        here, there = _by(left, way), _by(right, way)
        alike = {key: None for key in here if len(here[key]) == len(there.get(key, [])) == 1}
        pairs += [(here[key][0], there[key][0]) for key in alike]
        left = [one for one in left if way(one) not in alike]
        right = [one for one in right if way(one) not in alike]
    return pairs, left, right


def _cells(
    here: Scenario, there: Scenario
) -> tuple[list[tuple[CellSummary, CellSummary]], Scenario, Scenario]:
    """The couples of a scenario in the order of A, and what is left of either run."""
    if here and there and here[0].data_digest != there[0].data_digest:
        return [], here, there
    pairs, left, right = _paired(here, there, *(partial(_shares, names) for names in _ALIKE))
    return sorted(pairs, key=lambda pair: here.index(pair[0])), left, right


def _shares(names: Sequence[str], cell: CellSummary) -> Hashable:
    return cell.method, *(_canonical(getattr(cell, name)) for name in names)


def _remark(here: Scenario, there: Scenario) -> str:
    if not here or not there:
        return ""
    a, b = here[0], there[0]
    if not (a.data_digest and b.data_digest) and a.data_digest != b.data_digest:
        return f"not compared: none of its trials has started in {'B' if a.data_digest else 'A'}"
    if a.data_digest != b.data_digest:
        data = f"{shortened(a.data_digest)} -> {shortened(b.data_digest)}"
        return f"not compared: data {data}, and accuracies on other data measure something else"
    if a.results_version != b.results_version:
        versions = f"{a.results_version} -> {b.results_version}"
        return f"mind: results version {versions}, so the code in between gives other numbers on purpose"
    return ""


def shortened(digest: str) -> str:
    """Enough of a data digest to tell it from others; one of several data sets has a part for each.

    >>> shortened("0123456789abcdef+fedcba9876543210")
    '01234567+fedcba98'
    """
    return "+".join(part[:8] for part in digest.split("+"))


def _named(cell: CellSummary) -> dict[str, Any]:
    """All settings of a cell that another cell of its scenario need not share."""
    return {
        prefix + name: value
        for part, prefix in _SETTINGS.items()
        for name, value in getattr(cell, part).items()
    }


def _differing(a: CellSummary, b: CellSummary) -> dict[str, tuple[str, str]]:
    here, there = _named(a), _named(b)
    names = [name for name in {**here, **there} if _spelled(here, name) != _spelled(there, name)]
    return {name: (_cut(_spelled(here, name)), _cut(_spelled(there, name))) for name in names}


def _spelled(settings: Mapping[str, Any], name: str) -> str:
    """A value as labels spell it."""
    return label("", settings, [name]).removeprefix(f" {name}=") or "absent"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _common(pairs: Iterable[tuple[CellSummary, CellSummary]]) -> frozenset[Any]:
    """The differences that all couples have: what does not tell one from the other."""
    all_differing = [frozenset(_differing(*pair).items()) for pair in pairs]
    return frozenset.intersection(*all_differing) if all_differing else frozenset()


def _varied(cells: Sequence[CellSummary]) -> dict[str, list[str]]:
    """By method the names of settings that vary within a run, as in its own tables."""
    shared = [
        prefix + name
        for part, prefix in _SETTINGS.items()
        if prefix
        for name in varying(getattr(cell, part) for cell in cells)
    ]
    methods = _by(cells, lambda cell: cell.method)
    return {
        str(method): [*varying(cell.hyperparameters for cell in its), *shared]
        for method, its in methods.items()
    }


def _name(
    varied_a: Mapping[str, Sequence[str]],
    varied_b: Mapping[str, Sequence[str]],
    common: frozenset[Any],
    a: CellSummary,
    b: CellSummary,
) -> str:
    differing = _differing(a, b)
    varied = {*varied_a[a.method], *varied_b[b.method]} - differing.keys()
    settings = _named(a)
    text = label(a.method, settings, [name for name in settings if name in varied])
    own = [f"{name} {x} -> {y}" for name, (x, y) in differing.items() if (name, (x, y)) not in common]
    return f"{text} ({', '.join(own)})" if own else text


def _titles(a: Sequence[CellSummary], b: Sequence[CellSummary]) -> Callable[[CellSummary], str]:
    """What a cell's scenario is called: by what varies within a run, and by settings that differ between."""
    by_name = _by([*a, *b], lambda cell: cell.scenario)
    names = {name: list(varying(cell.scenario_settings for cell in its)) for name, its in by_name.items()}
    for cells in (a, b):
        for name, its in _by(cells, lambda cell: cell.scenario).items():
            names[name] += [each for each in varying(map(_origin, its)) if each not in names[name]]
    return lambda cell: label(
        cell.scenario, {**cell.scenario_settings, **_origin(cell)}, names[cell.scenario]
    )


def _origin(cell: CellSummary) -> dict[str, Any]:
    return {"data": shortened(cell.data_digest), "results_version": cell.results_version}
