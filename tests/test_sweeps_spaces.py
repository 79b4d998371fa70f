"""Search spaces: what each kind means, every mistake at its place, and numbers that people can read."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sweeps.problems import Problem
from sweeps.spaces import KINDS, Space, parted, space
from sweeps.spec import SpecError, load_spec
from sweeps.syntax import emit

NUMBER = "a number from 0 to 1e30"
COUNT = "a whole number from 1 to 2147483647"
PAIR = "two numbers, the lower one first"
ABOVE_0 = "two numbers above 0, the lower one first"
WHOLE = "two whole numbers, the lower one first; the second is itself not drawn"
DIFFERENT = "a list of different values"


@pytest.fixture
def loaded(tmp_path):
    """Loads a sweep with one method that has these values, searched at random."""

    def load(method, values):
        content = {"scenarios": ["class-il/split-digits"], "methods": [{method: values}], "tune": {}}
        path = tmp_path / "sweep.yaml"
        path.write_text(emit(content), encoding="utf-8")
        return load_spec(str(path))

    return load


@pytest.fixture
def refused(loaded):
    """The problems of a sweep with these values, each without the name of the method."""

    def problems(method, values):
        with pytest.raises(SpecError) as caught:
            loaded(method, values)
        return [str(problem).removeprefix(f"methods.{method}.") for problem in caught.value.problems]

    return problems


def anything(_name, _value, _place):
    return True


def read(value, check=anything):
    """The space that *value* of x means, and the problems."""
    problems: list[Problem] = []
    return space("x", value, ".".join, check, problems), [*map(str, problems)]


# What a space is


@pytest.mark.parametrize(
    ("method", "name", "written", "ends", "numeric", "logarithmic"),
    [
        ("ewc", "lambda", {"loguniform": [1, 1_000_000]}, (1, 1_000_000), True, True),
        ("ewc", "gamma", {"uniform": [0.5, 1]}, (0.5, 1), True, False),
        ("ewc", "lambda", {"uniform": [0, 5]}, (0, 5), True, False),
        ("ewc", "fisher", {"choice": ["exact", "sampled"]}, ("exact", "sampled"), False, False),
        ("ewc", "fisher_samples", {"choice": [50, "all"]}, (50, "all"), False, False),
        ("ewc", "lambda", {"choice": [3]}, (3,), True, False),
        ("ewc", "lambda", {"choice": [1, 10, 19.5]}, (1, 10, 19.5), True, False),
        ("ewc", "lambda", {"choice": [20, 1]}, (20, 1), True, True),
        ("ewc", "lambda", {"choice": [0, 100]}, (0, 100), True, False),
        ("replay", "buffer_size", {"randint": [1, 501]}, (1, 500), True, False),
        ("replay", "buffer_size", {"randint": [7, 8]}, (7, 7), True, False),
    ],
)
def test_each_kind_of_space_is_read_as_it_is_written(
    loaded, method, name, written, ends, numeric, logarithmic
):
    (choice,) = loaded(method, {name: written}).methods
    (kind,) = written
    assert choice.space == {name: Space(kind, tuple(written[kind]))}
    found = choice.space[name]
    assert found.written(7) == {**written, "default": 7}
    assert found.ends == ends
    assert (found.is_numeric, found.logarithmic) == (numeric, logarithmic)


def test_truth_values_have_no_order():
    assert not Space("choice", (False, True)).is_numeric
    assert not Space("choice", (False, True)).logarithmic


def test_the_second_number_of_randint_may_lie_just_above_what_is_allowed(loaded):
    (choice,) = loaded("replay", {"buffer_size": {"randint": [2**31 - 2, 2**31]}}).methods
    assert choice.space["buffer_size"].ends == (2**31 - 2, 2**31 - 1)


def test_a_searched_hyperparameter_has_its_default_beside_what_is_given(loaded):
    values = {"lambda": {"loguniform": [1, 10]}, "gamma": 0.5, "resources": {"threads": 2}}
    (choice,) = loaded("ewc", values).methods
    assert choice.hyperparameters == {
        "lambda": 300.0,
        "gamma": 0.5,
        "lambda_decay": 1.0,
        "fisher": "exact",
        "fisher_samples": 200,
    }
    assert choice.resources == {"threads": 2}
    assert list(choice.space) == ["lambda"]


def test_several_hyperparameters_are_searched_in_the_order_in_which_they_are_written(loaded):
    values = {
        "gamma": {"uniform": [0, 1]},
        "lambda": {"loguniform": [1, 10]},
        "fisher": {"choice": ["exact"]},
    }
    (choice,) = loaded("ewc", values).methods
    assert list(choice.space) == ["gamma", "lambda", "fisher"]


def test_only_mappings_with_a_kind_are_parted_from_the_values():
    values = {
        "a": 1,
        "b": {"choice": [1]},
        "c": {"resources": 1},
        "d": ["choice"],
        "e": {"uniform": 3, "z": 1},
    }
    assert parted(values) == (
        {"a": 1, "c": {"resources": 1}, "d": ["choice"]},
        {"b": {"choice": [1]}, "e": {"uniform": 3, "z": 1}},
    )
    assert parted(None) == (None, {})
    assert parted(5) == (5, {})


def test_values_of_any_kind_may_be_chosen_from():
    found, problems = read({"choice": [[100], [256, 256], None, True]})
    assert (found, problems) == (Space("choice", ([100], [256, 256], None, True)), [])


# Mistakes


@pytest.mark.parametrize(
    ("method", "values", "problem"),
    [
        ("ewc", {"lambda": {"choice": []}}, f"lambda.choice: [] is not allowed; give {DIFFERENT}"),
        ("ewc", {"lambda": {"choice": 3}}, f"lambda.choice: 3 is not allowed; give {DIFFERENT}"),
        (
            "ewc",
            {"lambda": {"choice": [1, 2, 1]}},
            f"lambda.choice: [1, 2, 1] is not allowed; give {DIFFERENT}",
        ),
        ("ewc", {"lambda": {"choice": [1, 1.0]}}, f"lambda.choice: [1, 1] is not allowed; give {DIFFERENT}"),
        ("ewc", {"lambda": {"uniform": [1]}}, f"lambda.uniform: [1] is not allowed; give {PAIR}"),
        ("ewc", {"lambda": {"uniform": [1, 2, 3]}}, f"lambda.uniform: [1, 2, 3] is not allowed; give {PAIR}"),
        ("ewc", {"lambda": {"uniform": [2, 1]}}, f"lambda.uniform: [2, 1] is not allowed; give {PAIR}"),
        ("ewc", {"lambda": {"uniform": [1, 1]}}, f"lambda.uniform: [1, 1] is not allowed; give {PAIR}"),
        ("ewc", {"lambda": {"uniform": ["a", 1]}}, f'lambda.uniform: ["a", 1] is not allowed; give {PAIR}'),
        (
            "ewc",
            {"lambda": {"uniform": [False, 1]}},
            f"lambda.uniform: [false, 1] is not allowed; give {PAIR}",
        ),
        ("ewc", {"lambda": {"uniform": None}}, f"lambda.uniform: null is not allowed; give {PAIR}"),
        (
            "ewc",
            {"lambda": {"uniform": [float("nan"), 1]}},
            f"lambda.uniform: [NaN, 1] is not allowed; give {PAIR}",
        ),
        (
            "ewc",
            {"lambda": {"loguniform": [0, 1]}},
            f"lambda.loguniform: [0, 1] is not allowed; give {ABOVE_0}",
        ),
        (
            "ewc",
            {"lambda": {"loguniform": {"low": 1, "high": 10}}},
            f'lambda.loguniform: {{"low": 1, "high": 10}} is not allowed; give {ABOVE_0}',
        ),
        (
            "replay",
            {"buffer_size": {"randint": [1, 2.5]}},
            f"buffer_size.randint: [1, 2.5] is not allowed; give {WHOLE}",
        ),
        (
            "replay",
            {"buffer_size": {"randint": [5, 5]}},
            f"buffer_size.randint: [5, 5] is not allowed; give {WHOLE}",
        ),
        # Ends that the hyperparameter cannot have.
        ("ewc", {"lambda": {"uniform": [-1, 1]}}, f"lambda.uniform[0]: -1 is not allowed; give {NUMBER}"),
        (
            "ewc",
            {"gamma": {"loguniform": [0.5, 1.5]}},
            "gamma.loguniform[1]: 1.5 is not allowed; give a number from 0 to 1",
        ),
        (
            "ewc",
            {"lambda": {"uniform": [0, float("inf")]}},
            f"lambda.uniform[1]: Infinity is not allowed; give {NUMBER}",
        ),
        ("ewc", {"lambda": {"choice": [1, None]}}, f"lambda.choice[1]: null is not allowed; give {NUMBER}"),
        (
            "ewc",
            {"fisher": {"choice": ["exact", "samped", "sampled"]}},
            (
                "fisher.choice[1]: 'samped' is not allowed; give 'exact' or 'sampled' or 'empirical'; "
                "did you mean 'sampled'?"
            ),
        ),
        (
            "replay",
            {"buffer_size": {"randint": [0, 10]}},
            f"buffer_size.randint[0]: 0 is not allowed; give {COUNT}",
        ),
        (
            "replay",
            {"buffer_size": {"randint": [1, 2**31 + 1]}},
            f"buffer_size.randint[1]: 2147483648 is not allowed; give {COUNT}",
        ),
        # What lies between the ends of a range is no whole number: 10 + 0.61803 x 90.
        (
            "replay",
            {"buffer_size": {"uniform": [10, 100]}},
            f"buffer_size.uniform: 65.6227 is not allowed; give {COUNT}",
        ),
        (
            "replay",
            {"buffer_size": {"loguniform": [10, 100]}},
            f"buffer_size.loguniform: 65.6227 is not allowed; give {COUNT}",
        ),
        (
            "ewc",
            {"fisher_samples": {"uniform": [10, 100]}},
            f"fisher_samples.uniform: 65.6227 is not allowed; give {COUNT} or 'all'",
        ),
        # Company.
        (
            "ewc",
            {"lambda": {"loguniform": [1, 10], "step": 2}},
            "lambda: a search space stands alone; this has loguniform, step",
        ),
        (
            "ewc",
            {"lambda": {"uniform": [1, 10], "choice": [3]}},
            "lambda: a search space stands alone; this has uniform, choice",
        ),
        (
            "ewc",
            {"lambda": {"loguniform": [1, 10], "grid": [1]}},
            "lambda: a grid stands alone, without loguniform beside it",
        ),
        (
            "ewc",
            {"lambda": {"loguniform": [{"grid": []}, 10]}},
            "lambda.loguniform[0].grid: [] is not allowed; a grid needs at least one value",
        ),
        (
            "ewc",
            {"lambda": {"choice": {"grid": 5}}},
            "lambda.choice.grid: 5 is not allowed; give a list of values",
        ),
        ("ewc", {"lambda": {"log": [1, 10]}}, f'lambda: {{"log": [1, 10]}} is not allowed; give {NUMBER}'),
        (
            "ewc",
            {"lambda": {"loguniform": [1, 10]}, "gamma": 2},
            "gamma: 2 is not allowed; give a number from 0 to 1",
        ),
        (
            "ewc",
            {"lambda": {"loguniform": [1, 10]}, "resources": {"cpu": 0}},
            "resources.cpu: 0 is not allowed; give a number from 0.0001 to 10000",
        ),
    ],
)
def test_a_mistake_is_said_once_with_its_place_and_what_is_allowed(refused, method, values, problem):
    assert refused(method, values) == [problem]


def test_a_grid_beside_a_space_is_for_another_search(refused):
    values = {"lambda": {"loguniform": [1, 10]}, "gamma": {"grid": [0.5, 1]}}
    assert refused("ewc", values) == [
        "methods.ewc: a grid is for search: grid; for search: random write choice in place of grid"
    ]


def test_a_grid_of_spaces_is_a_grid(refused):
    assert refused("ewc", {"lambda": {"grid": [{"loguniform": [1, 10]}, {"loguniform": [1, 100]}]}}) == [
        "methods.ewc: a grid is for search: grid; for search: random write choice in place of grid"
    ]


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"lambda": {"grid": [1, {"uniform": [2, 1]}]}}, "lambda.grid[1].uniform"),
        ({"grid": [{"lambda": 1}, {"lambda": {"choice": [1, -1]}}]}, "grid[1].lambda.choice[1]"),
    ],
)
def test_a_mistake_within_a_grid_names_the_element(refused, values, place):
    assert [problem.partition(":")[0] for problem in refused("ewc", values)][:1] == [place]


def test_all_mistakes_in_spaces_come_together(refused):
    values = {
        "lambda": {"uniform": [-2, -1]},
        "gamma": {"uniform": [1, 0]},
        "fisher": {"choice": ["a", "exact"]},
        "fisher_samples": {"randint": [1, 10]},
    }
    assert [problem.partition(":")[0] for problem in refused("ewc", values)] == [
        "lambda.uniform[0]",
        "lambda.uniform[1]",
        "gamma.uniform",
        "fisher.choice[0]",
    ]


def test_an_unknown_hyperparameter_is_no_less_unknown_for_being_searched(refused):
    problems = refused("ewc", {"lamda": {"choice": [1]}})
    assert len(problems) == 1
    assert problems[0].startswith("lamda: unknown hyperparameter of ewc; did you mean 'lambda'? ")


@pytest.mark.parametrize("section", ["model", "train"])
def test_only_hyperparameters_are_searched(tmp_path, section):
    values = {"model": {"hidden": {"choice": [[8], [16]]}}, "train": {"lr": {"choice": [0.1, 0.2]}}}
    content = {"scenarios": ["class-il/split-digits"], "methods": ["naive"], section: values[section]}
    path = tmp_path / "sweep.yaml"
    path.write_text(emit(content), encoding="utf-8")
    with pytest.raises(SpecError, match=rf"{section}\.\w+: \{{\"choice\": .* is not allowed"):
        load_spec(str(path))


def test_what_is_checked_are_both_ends_every_choice_and_a_value_between():
    def checked(value):
        seen = []
        read(value, lambda name, each, place: seen.append((name, each, place)) or True)
        return seen

    assert checked({"choice": ["a", 2]}) == [("x", "a", "x.choice[0]"), ("x", 2, "x.choice[1]")]
    assert checked({"randint": [1, 5]}) == [("x", 1, "x.randint[0]"), ("x", 4, "x.randint[1]")]
    low, high, between = checked({"uniform": [1, 2]})
    assert (low, high) == (("x", 1, "x.uniform[0]"), ("x", 2, "x.uniform[1]"))
    assert between == ("x", pytest.approx(1.61803), "x.uniform")


# Rounding


@pytest.mark.parametrize(
    ("space", "value", "rounded"),
    [
        (Space("uniform", (0, 1)), 0.123456, 0.123),
        (Space("uniform", (0, 2)), 1.23456, 1.235),
        (Space("uniform", (0.7, 1.0)), 0.8123456, 0.8123),
        (Space("uniform", (0, 5000)), 1234.5678, 1235.0),
        (Space("uniform", (-1000, 1000)), -123.456, -123.0),
        (Space("loguniform", (1, 1e6)), 4713.20893, 4713.0),
        (Space("loguniform", (1e-6, 1)), 0.000123456789, 0.0001235),
        (Space("loguniform", (1, 1e6)), 123456.789, 123500.0),
        # As much as the range allows, where that is narrow.
        (Space("loguniform", (1000, 1001)), 1000.123456, 1000.123),
        # What would be rounded out of the range stays as it is.
        (Space("uniform", (0.12343, 1)), 0.12344, 0.12344),
        (Space("uniform", (0, 1)), 0.99996, 0.99996),
        (Space("uniform", (0, 1)), 0, 0),
        (Space("randint", (1, 5000)), 1234, 1234),
        (Space("choice", (1.23456789, 2)), 1.23456789, 1.23456789),
        (Space("choice", ("exact", "sampled")), "exact", "exact"),
    ],
)
def test_a_drawn_number_keeps_the_digits_that_matter(space, value, rounded):
    assert space.rounded(value) == rounded


def test_a_rounded_number_of_a_range_is_no_whole_number_and_one_of_randint_is_as_its_ends_are():
    assert type(Space("uniform", (0, 5000)).rounded(1234.5)) is float
    assert type(Space("randint", (1, 10)).rounded(3)) is int
    assert type(Space("randint", (1.0, 10.0)).rounded(3)) is float


FRACTIONS = st.floats(0, 1)
ENDS = st.floats(-1e9, 1e9, allow_subnormal=False)


@given(st.tuples(ENDS, ENDS), FRACTIONS)
@example((0.1, 0.1000001), 0.9999)
@example((-1.0, 1e-30), 1.0)
def test_a_number_of_a_uniform_space_is_rounded_within_it_by_a_thousandth_of_it_at_most(ends, fraction):
    low, high = sorted(ends)
    value = low + fraction * (high - low)
    assume(low < high and low <= value <= high)
    space = Space("uniform", (low, high))
    rounded = space.rounded(value)
    assert low <= rounded <= high
    assert abs(rounded - value) <= (high - low) / 1000
    assert space.rounded(rounded) == rounded


@given(st.tuples(*[st.floats(1e-30, 1e30)] * 2), FRACTIONS)
@example((1000.0, 1000.001), 0.5)
@example((9.9999, 10.00001), 0.999)
def test_a_number_of_a_loguniform_space_is_rounded_within_it_by_a_thousandth_of_itself_at_most(
    ends, fraction
):
    low, high = sorted(ends)
    assume(low < high)
    value = min(max(low, low * (high / low) ** fraction), high)
    space = Space("loguniform", (low, high))
    rounded = space.rounded(value)
    assert low <= rounded <= high
    assert abs(rounded - value) <= min(value, high - low) / 1000


@given(st.floats(1, 9999))
def test_four_digits_are_enough_for_a_rounded_number_of_a_loguniform_space(value):
    rounded = Space("loguniform", (1, 10_000)).rounded(value)
    assert float(f"{rounded:.3e}") == rounded


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_form_that_its_message_gives(kind):
    found, problems = read({kind: "no list"})
    assert found is None
    assert len(problems) == 1
    assert problems[0].startswith(f"x.{kind}: 'no list' is not allowed; give ")
