"""What the comparison with published numbers lets pass, and what it does not."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace

import pytest
from commands import ROOT
from gate_cells import cell

from results.statistics import mean_interval
from results.summary import CellSummary

spec = importlib.util.spec_from_file_location("published", ROOT / "benchmarks" / "published.py")
assert spec is not None
assert spec.loader is not None
published = importlib.util.module_from_spec(spec)
spec.loader.exec_module(published)


def measured(kind: str, method: str, percent: float, *, seeds: int = 10) -> CellSummary:
    """A cell with that mean ACC, its seeds a tenth of a point up and down."""
    values = [(percent + 0.1 * (-1) ** seed) / 100 for seed in range(seeds)]
    made = cell(method, acc=dict(enumerate(values)), scenario=f"{kind}/split-mnist")
    return replace(made, metrics={"acc": mean_interval(values)} if values else {})


def as_published() -> list[CellSummary]:
    return [measured(*key, published.PUBLISHED[key][0]) for key in sorted(published.CHECKED)]


def differences(cells: Sequence[CellSummary]) -> list[str]:
    found: list[str] = published.differences(published.by_method(cells))
    return found


def test_the_published_means_agree_with_themselves():
    assert differences(as_published()) == []


def test_a_mean_further_away_than_allowed_differs():
    cells = [*as_published()[1:], measured("class-il", "ewc-separate", 20.01 + 1.6)]
    assert differences(cells) == ["DIFFERS: class-il ewc-separate: 21.61, published 20.01"]


@pytest.mark.parametrize("seeds", [0, 9])
def test_what_was_not_run_on_enough_seeds_does_not_agree(seeds):
    cells = [*as_published()[1:], measured("class-il", "ewc-separate", 20.01, seeds=seeds)]
    assert differences(cells) == [f"TOO FEW: class-il ewc-separate: {seeds} seeds of at least 10"]
    assert len(differences([])) == len(published.CHECKED)


ORDER = {
    ("class-il", "naive"): 19.8,
    ("class-il", "joint"): 89.0,
    ("class-il", "ewc-separate"): 19.9,
    ("class-il", "replay"): 75.0,
    ("task-il", "naive"): 86.0,
    ("task-il", "joint"): 99.3,
    ("task-il", "ewc-separate"): 98.3,
    ("task-il", "si"): 98.7,
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({("class-il", "replay"): 89.0}, ["NOT SO: class-il: joint - replay = 0.00 ± 0.00"]),
        ({("task-il", "si"): 97.2}, ["NOT SO: task-il: si - joint = -2.10 ± 0.00"]),
        ({("task-il", "naive"): 96.5}, ["NOT SO: task-il: ewc-separate - naive = 1.80 ± 0.00"]),
        ({("class-il", "naive"): 22.0}, ["NOT SO: class-il: ewc-separate - naive = -2.10 ± 0.00"]),
    ],
)
def test_every_order_must_hold(changed, said):
    cells = [measured(*key, percent) for key, percent in (ORDER | changed).items()]
    assert published.orders(published.by_method(cells)) == said


def test_an_order_of_too_few_seeds_is_none():
    assert published.orders({}) == [
        f"TOO FEW: {kind} {method}: 0 seeds of at least 10" for kind, method in sorted(ORDER)
    ]


def test_a_method_with_a_grid_has_no_one_cell_to_compare():
    with pytest.raises(ValueError, match="several cells; give each hyperparameter one value"):
        published.by_method([measured("task-il", "si", 99.0), measured("task-il", "si", 98.0)])
