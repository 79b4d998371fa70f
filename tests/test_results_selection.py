"""Which lines of a run are shown, in which order, and what a wrong name is told."""

from __future__ import annotations

import pytest
from made_rows import Rows

from results.families import NoSuchCell, families
from results.selection import known_metrics, ordered, selected, selected_families, selected_transfer
from results.transfer import forward_transfer

LOW, MIDDLE, HIGH = ([[1.0, acc], [None, acc]] for acc in (0.2, 0.5, 0.8))


@pytest.fixture
def cells():
    """Two scenarios; in the first three methods, one of them with a grid."""
    rows = Rows()
    for seed, noise in enumerate((0.0, 0.01, 0.03)):
        for method, R, values in (
            ("naive", LOW, None),
            ("ewc", MIDDLE, {"lambda": 1}),
            ("ewc", HIGH, {"lambda": 10}),
        ):
            matrix = [[R[0][0], R[0][1] + noise], [None, R[1][1] + noise]]
            rows.add(method, seed, matrix, hyperparameters=values)
        rows.add("replay", seed, HIGH, kind="class-il")
    return rows.cells


def names(cells):
    return [(cell.kind, cell.label) for cell in cells]


def test_forward_transfer_of_some_lines_is_still_measured_against_the_reference():
    rows = Rows()
    for method in ("scratch", "naive", "ewc"):
        rows.add(method, 0, [[0.9, 0.9, 0.9], [0.4, 0.8, 0.8], [0.5, 0.5, 0.7]])
    cells = rows.cells
    _, naive, ewc = cells
    whole = forward_transfer(cells, rows.trials, rows.accuracy, rows.tasks)
    some = selected_transfer(whole, [ewc, naive])
    assert [(row.cell.label, row.task) for row in some] == [
        (label, task) for task in (1, 2, None) for label in ("ewc", "naive")
    ]
    assert all(row in whole and row.gain for row in some)


def test_nothing_named_is_everything(cells):
    assert selected(cells) == cells


def test_a_scenario_a_method_and_a_single_line_can_be_named(cells):
    assert names(selected(cells, scenarios=["class-il/split-digits"])) == [("class-il", "replay")]
    assert names(selected(cells, methods=["ewc"])) == [
        ("domain-il", "ewc lambda=1"),
        ("domain-il", "ewc lambda=10"),
    ]
    assert names(selected(cells, methods=["ewc lambda=10", "replay"])) == [
        ("domain-il", "ewc lambda=10"),
        ("class-il", "replay"),
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"methods": ["nave"]}, "no method or line 'nave'; did you mean 'naive'?"),
        ({"methods": ["zzz"]}, "no method or line 'zzz'; there: naive, ewc lambda=1, ewc, "),
        ({"scenarios": ["class-il/split-digit"]}, "did you mean 'class-il/split-digits'?"),
    ],
)
def test_a_wrong_name_is_told_the_nearest(cells, given, said):
    with pytest.raises(NoSuchCell) as error:
        selected(cells, **given)
    assert said in str(error.value)


def test_a_metric_is_known_however_it_is_written():
    assert known_metrics(["ACC", "Learning accuracy", "acc"]) == ("acc", "learning_accuracy")
    with pytest.raises(NoSuchCell, match="no metric 'ac'; did you mean 'acc'"):
        known_metrics(["ac"])


def test_lines_are_ordered_best_first_within_their_scenario(cells):
    assert names(ordered(cells, "acc")) == [
        ("domain-il", "ewc lambda=10"),
        ("domain-il", "ewc lambda=1"),
        ("domain-il", "naive"),
        ("class-il", "replay"),
    ]
    assert names(ordered(cells, "fm"))[0] == ("domain-il", "ewc lambda=10"), "less forgetting is better"
    assert names(ordered(cells, "method"))[:3] == [
        ("domain-il", "ewc lambda=1"),
        ("domain-il", "ewc lambda=10"),
        ("domain-il", "naive"),
    ]
    with pytest.raises(NoSuchCell, match="no order 'accu'; did you mean 'acc'"):
        ordered(cells, "accu")


def test_a_line_without_the_metric_comes_last():
    rows = Rows().add("naive", 0, LOW, status="failed").add("ewc", 0, LOW)
    assert [cell.label for cell in ordered(rows.cells, "acc")] == ["ewc", "naive"]


def test_leaving_out_lines_leaves_the_p_values_of_the_others_as_they_are(cells):
    whole = families(cells, named=["ewc lambda=10"])
    assert selected_families(whole, selected(cells, methods=["naive"])) == []
    rows = Rows()
    for seed in range(3):
        for method, acc in (("naive", 0.2), ("ewc", 0.5 + seed / 50), ("gem", 0.52)):
            rows.add(method, seed, [[1.0, acc], [None, acc]])
    [family] = families(rows.cells)
    [some] = selected_families([family], selected(rows.cells, methods=["naive", "gem"]))
    assert (len(family.pairs), len(some.pairs), some.size) == (3, 1, 3)
    assert some.pairs[0] == family.pair("gem", "naive")
