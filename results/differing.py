"""What differs between two runs beside the numbers: settings, how trials ended, versions, machines, code."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from results.arrays import booleans
from results.couples import Couple, shortened
from results.layout import NULL
from results.schema import STATUSES
from results.summary import CellSummary, seed_list
from results.two_runs import TwoRuns

__all__ = ["Differing", "differing"]

COLUMNS = (
    *("data_digest", "results_version", "clsweep_version", "git_commit", "git_dirty", "python_version"),
    *("torch_version", "ray_version", "host", "cpu_model", "gpu_model", "device", "threads", "protocol"),
)
"""Columns of the trials table that say with what code, on what machine and how a trial was run."""
_HAVE_COLUMNS = frozenset({"torch", "ray"})
"""Packages that have columns of their own."""
_COMMIT = 12
"""So many characters tell commits apart."""
_MOST = 3
"""So many values of a run, or names, are shown and the others counted."""


class Differing(NamedTuple):
    """Something that differs between two runs, with its values in A and in B, as text."""

    what: str
    a: str
    b: str


def differing(two: TwoRuns) -> list[Differing]:
    """Everything that differs beside the numbers of what two runs have in common.

    Settings of cells that are compared though they differ, how many trials ended how, seeds that did not end
    alike, and the columns of the trials table whose values are not the same: those of all trials in scenarios
    that both runs have.
    """
    return [*_settings(two), *_trials(two), *_ended(two), *_columns(two)]


def _settings(two: TwoRuns) -> Iterator[Differing]:
    couples = _couples(two)
    methods: dict[Differing, list[Couple]] = {}
    for couple in couples:
        for name, (a, b) in couple.differing.items():
            methods.setdefault(Differing(name, a, b), []).append(couple)
    for (name, a, b), its in methods.items():
        of = "" if len(its) == len(couples) else f" of {_some(dict.fromkeys(x.a.method for x in its))}"
        yield Differing(f"{name}{of}", a, b)


def _trials(two: TwoRuns) -> Iterator[Differing]:
    sides = [[couple.a for couple in _couples(two)], [couple.b for couple in _couples(two)]]
    for its in two.scenarios:
        sides[0] += its.pair.only_a
        sides[1] += its.pair.only_b
    a, b = map(_counts, sides)
    if a != b:
        yield Differing("trials", a, b)


def _counts(cells: Iterable[CellSummary]) -> str:
    counts = Counter(status for cell in cells for status in cell.seeds.values())
    counts["not started"] = sum(len(cell.missing) for cell in cells)
    return (
        ", ".join(f"{counts[name]} {name}" for name in (*STATUSES, "not started") if counts[name]) or "none"
    )


def _ended(two: TwoRuns) -> Iterator[Differing]:
    for its in two.scenarios:
        for couple in its.pair.couples:
            seeds: dict[tuple[str, str], list[int]] = {}
            for seed, statuses in couple.ended.items():
                seeds.setdefault(statuses, []).append(seed)
            for (a, b), some in seeds.items():
                yield Differing(f"{seed_list(some)} of {couple.label} in {its.pair.title}", a, b)


def _columns(two: TwoRuns) -> Iterator[Differing]:
    scenarios = _in_both(two)
    a, b = (_of(scenarios, sweep.trials) for sweep in (two.a, two.b))
    for name in COLUMNS:
        sides = ({_text(name, value) for value in table[name].unique().to_pylist()} for table in (a, b))
        yield from _sets(name, *sides)
    here, there = _versions(a), _versions(b)
    if here and there:
        for name in sorted({*here, *there} - _HAVE_COLUMNS):
            yield from _sets(name, here.get(name, {NULL}), there.get(name, {NULL}))
    elif here or there:
        yield Differing("packages", *("recorded" if side else "not recorded" for side in (here, there)))


def _in_both(two: TwoRuns) -> set[tuple[str, str, str]]:
    """Scenario, its settings and method of everything that both runs have, be it comparable or not."""
    cells: list[CellSummary] = []
    for its in two.scenarios:
        pair = its.pair
        if pair.couples:
            cells += [couple.a for couple in pair.couples]
        elif pair.only_a and pair.only_b:
            cells += [*pair.only_a, *pair.only_b]
    return {(cell.scenario, _canonical(cell.scenario_settings), cell.method) for cell in cells}


def _of(scenarios: set[tuple[str, str, str]], trials: pa.Table) -> pa.Table:
    names = (
        trials["scenario"].to_pylist(),
        trials["scenario_settings"].to_pylist(),
        trials["method"].to_pylist(),
    )
    settings = {text: _canonical(json.loads(text)) for text in set(names[1])}
    keys = ((scenario, settings[text], method) for scenario, text, method in zip(*names, strict=True))
    return trials.filter(booleans([key in scenarios for key in keys]))


def _versions(trials: pa.Table) -> dict[str, set[str]]:
    """The versions of each package, as far as rows say."""
    found: dict[str, set[str]] = {}
    for versions in trials["packages"].to_pylist():
        for name, version in dict(versions or {}).items():
            found.setdefault(name, set()).add(version)
    return found


def _sets(what: str, a: set[str], b: set[str]) -> Iterator[Differing]:
    """The values of a column, if they differ: first those that only one run has."""
    if a != b:
        yield Differing(
            what, *(_some([*sorted(one - other), *sorted(one & other)]) for one, other in ((a, b), (b, a)))
        )


def _text(column: str, value: Any) -> str:
    if value is None:
        return NULL
    if column == "git_commit":
        return str(value)[:_COMMIT]
    if column == "data_digest":
        return shortened(value)
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _some(texts: Iterable[str]) -> str:
    """The first of them, and how many there are beyond."""
    every = list(texts)
    more = len(every) - _MOST
    return ", ".join(every[:_MOST]) + (f" and {more} more" if more > 0 else "")


def _canonical(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


def _couples(two: TwoRuns) -> list[Couple]:
    return [couple for its in two.scenarios for couple in its.pair.couples]
