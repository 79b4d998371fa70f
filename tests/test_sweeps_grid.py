"""Grids: expansion in a fixed order, the place of every element, and the way back."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sweeps.grid import LARGEST, REFUSED, combinations, factored
from sweeps.problems import Problem

NAMES = st.sampled_from(["lambda", "gamma", "fisher", "ratio"])
VALUES = st.lists(st.integers(0, 5) | st.sampled_from(["a", "b"]), min_size=1, max_size=3, unique_by=repr)


def expanded(value):
    problems: list[Problem] = []
    found = [combination.value for combination in combinations(value, "x", problems)]
    assert problems == []
    return found


def problems_of(value):
    problems: list[Problem] = []
    found = combinations(value, "methods.ewc", problems)
    return problems, found


def test_the_last_grid_varies_fastest():
    assert expanded({"a": {"grid": [1, 2]}, "b": 0, "c": {"grid": ["x", "y"]}}) == [
        {"a": 1, "b": 0, "c": "x"},
        {"a": 1, "b": 0, "c": "y"},
        {"a": 2, "b": 0, "c": "x"},
        {"a": 2, "b": 0, "c": "y"},
    ]


def test_an_element_may_be_a_list():
    assert expanded({"hidden": {"grid": [[100], [256, 256]]}}) == [{"hidden": [100]}, {"hidden": [256, 256]}]


def test_a_grid_within_a_list_and_a_grid_of_mappings_expand_too():
    assert expanded([{"grid": [10, 20]}, 5]) == [[10, 5], [20, 5]]
    assert expanded({"grid": [{"a": 1, "b": 2}, {"a": {"grid": [3, 4]}}]}) == [
        {"a": 1, "b": 2},
        {"a": 3},
        {"a": 4},
    ]


def test_the_place_of_a_value_names_the_element_of_each_grid_on_its_way():
    _, found = problems_of({"grid": [{"lambda": 1}, {"lambda": {"grid": [2, 3]}}]})
    assert [combination.place("methods.ewc", ("lambda",)) for combination in found] == [
        "methods.ewc.grid[0].lambda",
        "methods.ewc.grid[1].lambda.grid[0]",
        "methods.ewc.grid[1].lambda.grid[1]",
    ]


def test_malformed_grids_are_all_reported_and_refused():
    problems, found = problems_of({"a": {"grid": []}, "b": {"grid": 5}, "c": {"grid": [1], "low": 2}, "d": 1})
    assert [str(problem) for problem in problems] == [
        "methods.ewc.a.grid: [] is not allowed; a grid needs at least one value",
        "methods.ewc.b.grid: 5 is not allowed; give a list of values",
        "methods.ewc.c: a grid stands alone, without low beside it",
    ]
    assert [combination.value for combination in found] == [
        {"a": REFUSED, "b": REFUSED, "c": REFUSED, "d": 1}
    ]


def test_a_list_with_a_malformed_grid_is_refused_as_a_whole():
    problems, found = problems_of({"hidden": [100, {"grid": []}]})
    assert [problem.place for problem in problems] == ["methods.ewc.hidden[1].grid"]
    assert found[0].value == {"hidden": REFUSED}


def test_a_malformed_grid_within_a_grid_is_found():
    problems, _ = problems_of({"a": {"grid": [1, {"grid": []}]}})
    assert [problem.place for problem in problems] == ["methods.ewc.a.grid[1].grid"]


def test_grids_that_explode_are_counted_but_not_expanded():
    problems, found = problems_of({name: {"grid": list(range(100))} for name in "abcde"})
    assert problems == [
        Problem("methods.ewc", f"its grids make {100**5} combinations; at most {LARGEST} are allowed")
    ]
    assert [combination.value for combination in found] == [REFUSED]


@given(st.dictionaries(NAMES, VALUES, min_size=1))
def test_expansion_is_the_product_of_the_grids(grids):
    rows = expanded({name: {"grid": values} for name, values in grids.items()})
    assert rows == [dict(zip(grids, row, strict=True)) for row in itertools.product(*grids.values())]


@given(st.dictionaries(NAMES, VALUES, min_size=1), st.randoms(use_true_random=False))
def test_factoring_gives_grids_with_the_same_combinations_in_the_same_order(grids, random):
    rows = expanded({name: {"grid": values} for name, values in grids.items()})
    # Rows list their values in the order of the declaration, which need not be that of the loops.
    order = random.sample(list(grids), len(grids))
    rows = [{name: row[name] for name in order} for row in rows]
    again = factored(rows)
    assert expanded(again) == rows
    assert "grid" not in again


@given(
    st.lists(st.fixed_dictionaries({"a": st.integers(0, 2), "b": st.integers(0, 2)}), min_size=1, max_size=5)
)
def test_factoring_keeps_rows_that_are_no_product(rows):
    assert expanded(factored(rows)) == rows


def test_rows_with_different_names_stay_a_list():
    assert factored([{"a": 1}, {"b": 1}]) == {"grid": [{"a": 1}, {"b": 1}]}
