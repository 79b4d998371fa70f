"""What differs between two runs beside the numbers."""

from __future__ import annotations

import pytest
from made_rows import Rows
from made_sweeps import made_sweep, seeds_of, with_column

from results.differing import COLUMNS, differing
from results.schema import DIVERGED, TRIALS
from results.two_runs import compare_runs

ACCS = {0: 0.8, 1: 0.7}


def rows_of(*methods, **settings):
    rows = Rows()
    for method in methods:
        seeds_of(rows, method, ACCS, **settings)
    return rows


def found(a, b, columns_a=None, columns_b=None, **options):
    first, second = made_sweep("a", a, **(columns_a or {})), made_sweep("b", b, **(columns_b or {}))
    two = compare_runs(first, second, metrics=["acc"], **options)
    return [tuple(each) for each in differing(two)]


def test_nothing_differs_between_a_run_and_its_copy():
    assert found(rows_of("naive", "ewc"), rows_of("naive", "ewc")) == []


def test_a_setting_that_differs_for_all_is_named_once_and_one_of_some_names_the_methods():
    a = rows_of("naive", train={"lr": 0.1})
    b = rows_of("naive", train={"lr": 0.01})
    for rows, lr, value in ((a, 0.1, 1), (b, 0.01, 100)):
        seeds_of(rows, "ewc", ACCS, train={"lr": lr}, hyperparameters={"lambda": value})
    assert found(a, b) == [("train.lr", "0.1", "0.01"), ("lambda of ewc", "1", "100")]
    assert found(a, b, methods=["ewc"]) == [("lambda", "1", "100"), ("train.lr", "0.1", "0.01")]


@pytest.mark.parametrize(
    ("column", "a", "b", "said"),
    [
        ("clsweep_version", "0.1.0", "0.2.0", ("0.1.0", "0.2.0")),
        ("python_version", "3.11.2", "3.13.1", ("3.11.2", "3.13.1")),
        ("torch_version", "2.6.0", "2.7.0", ("2.6.0", "2.7.0")),
        ("ray_version", None, "2.50.0", ("–", "2.50.0")),
        ("results_version", 1, 2, ("1", "2")),
        ("git_commit", "0123456789abcdef", "fedcba9876543210", ("0123456789ab", "fedcba987654")),
        ("git_dirty", False, True, ("no", "yes")),
        ("host", "one", "other", ("one", "other")),
        ("cpu_model", "EPYC", "Xeon", ("EPYC", "Xeon")),
        ("gpu_model", None, "H100", ("–", "H100")),
        ("device", "cpu", "cuda", ("cpu", "cuda")),
        ("threads", 1, 4, ("1", "4")),
        ("protocol", "fixed", "val-stream", ("fixed", "val-stream")),
    ],
)
def test_every_column_of_where_and_with_what_is_compared(column, a, b, said):
    assert found(rows_of("naive"), rows_of("naive"), {column: a}, {column: b}) == [(column, *said)]


def test_the_columns_are_columns_of_the_trials_table():
    assert set(COLUMNS) <= set(TRIALS.names)


def test_packages_are_compared_one_by_one_but_those_with_a_column():
    a, b = {"numpy": "1", "scipy": "2", "torch": "3"}, {"numpy": "2", "scipy": "2", "torch": "4", "new": "5"}
    rows = rows_of("naive")
    assert found(rows, rows, {"packages": a}, {"packages": b}) == [("new", "–", "5"), ("numpy", "1", "2")]
    assert found(rows, rows, {}, {"packages": b}) == [("packages", "not recorded", "recorded")]


def test_values_are_sets_and_what_only_one_run_has_comes_first():
    five = seeds_of(Rows(), "naive", dict.fromkeys(range(5), 0.8))

    def on(name, hosts):
        return with_column(made_sweep(name, five), "host", list(hosts))

    two = compare_runs(on("a", "abcab"), on("b", "zbyxw"), metrics=["acc"])
    assert differing(two) == [("host", "a, c, b", "w, x, y and 2 more")]
    assert differing(compare_runs(on("a", "abcab"), on("b", "ccbba"), metrics=["acc"])) == []


def test_trials_are_counted_by_status_and_seeds_that_ended_otherwise_are_named():
    a = seeds_of(rows_of("naive"), "naive", {2: 0.9, 3: 0.9})
    b = seeds_of(rows_of("naive"), "naive", {2: 0.9, 3: 0.9}, status=DIVERGED)
    assert found(a, b) == [
        ("trials", "4 complete", "2 complete, 2 diverged"),
        ("seeds 2, 3 of naive in domain-il/split-digits", "complete", "diverged"),
    ]


def test_trials_that_are_still_to_come_are_counted():
    ours, theirs = rows_of("naive", "ewc"), seeds_of(rows_of("naive"), "ewc", {0: 0.8})
    assert found(ours, theirs) == [("trials", "4 complete", "3 complete, 1 not started")]


def test_trials_of_what_only_one_run_has_do_not_count():
    a, b = made_sweep("a", rows_of("naive")), made_sweep("b", rows_of("naive", "ewc"))
    elsewhere = with_column(b, "host", [None, None, "other", "other"])
    assert b.trials["method"].to_pylist() == ["naive", "naive", "ewc", "ewc"]
    assert differing(compare_runs(a, elsewhere, metrics=["acc"])) == [("trials", "2 complete", "4 complete")]
