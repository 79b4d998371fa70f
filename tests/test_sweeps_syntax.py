"""The YAML that specs are written in: YAML 1.2's scalars, plain data, and nothing that executes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.problems import MalformedError, Problem, shown
from sweeps.syntax import DEEPEST, emit, looks_like_a_number, parse

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30)
PLAIN = st.recursive(
    SCALARS,
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=140), children, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E+2", 100),
        (".5", 0.5),
        ("1.", 1),
        ("-0.25", -0.25),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("n", "n"),
        ("12:30:00", "12:30:00"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("'1e-3'", "1e-3"),
        ("!!str 5", "5"),
        ("=", "="),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text, value):
    assert parse(text) == value
    assert type(parse(text)) is type(value)


def test_not_a_number_is_read_as_such():
    assert math.isnan(parse(".nan"))


def test_a_whole_number_is_an_integer_however_it_is_written():
    assert [type(number) for number in parse("[64, 64.0, 1e2, 0.5]")] == [int, int, int, float]


def test_a_number_beyond_what_a_float_counts_stays_as_it_was_written():
    assert [shown(number) for number in parse("[1e300, 1e15]")] == ["1e+300", "1000000000000000"]


@given(PLAIN)
def test_what_is_written_is_read_back_equal(value):
    assert parse(emit(value)) == value


@given(st.text(alphabet="ab1:-{}[],&*!#|>'\"%@` \n\t", max_size=60))
def test_any_text_is_read_or_refused_with_a_message(text):
    try:
        outcome = parse(text)
    except MalformedError as error:
        outcome = error.problem
    assert not isinstance(outcome, Problem) or outcome.text


def test_equal_parts_are_written_out_without_aliases():
    shared = [1, 2]
    assert parse(emit({"a": shared, "b": shared})) == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:builtins.exec ['raise SystemExit(7)']",
        "!!python/name:os.system ''",
        "!!python/object/new:type {}",
        "a: !custom 1",
        "!!timestamp 2024-01-01",
        "!!set {a, b}",
    ],
)
def test_a_tag_beyond_plain_data_is_refused_and_nothing_is_executed(text):
    with pytest.raises(MalformedError) as caught:
        parse(text)
    assert "is not supported; a spec is plain data" in caught.value.problem.text


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1\nb: 2\na: 3", "line 3, column 1", "the key 'a' is given twice"),
        ("x: {lr: 1, lr: 2}", "line 1, column 12", "the key 'lr' is given twice"),
        ("1: a", "line 1, column 1", "the key 1 is not a name; put it in quotes"),
        ("true: a", "line 1, column 1", "the key True is not a name; put it in quotes"),
        ("[a]: b", "line 1, column 1", "the key ['a'] is not a name; put it in quotes"),
        ("a: &x [1]\nb: *x", "line 2, column 4", "aliases (*) are not supported; write the value out"),
        ("a: !!int b", "line 1, column 4", "'b' is not of type int"),
        ("a: !!bool no", "line 1, column 4", "'no' is not of type bool"),
        ("!!int {a: 1}", "line 1, column 1", "is not of type int"),
        ("!!map [a]", "line 1, column 1", "not a mapping"),
        ("!!seq {a: b}", "line 1, column 1", "not a list"),
        ("a: 1\n---\nb: 2", "line 2, column 1", "but found another document"),
        ("a: [1", "line 1, column 6", "expected ',' or ']'"),
        ("9" * 5000, "line 1, column 1", "a number of 5000 characters"),
        ("a: \x07", "", "special characters are not allowed"),
    ],
)
def test_text_that_cannot_be_read_is_refused_at_its_line(text, place, message):
    with pytest.raises(MalformedError) as caught:
        parse(text)
    assert caught.value.problem.place == place
    assert message in caught.value.problem.text


def test_aliases_that_would_multiply_are_refused_at_once():
    laughs = "a: &a [x, x]\n" + "\n".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
        for before, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    with pytest.raises(MalformedError, match="aliases"):
        parse(laughs)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 5000, "- " * 5000 + "a"])
def test_deep_nesting_is_refused_with_a_message(text):
    with pytest.raises(MalformedError, match=f"nested more than {DEEPEST} levels deep"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0.1", True), ("1e-3", True), ("7", True), ("", False), ("0.1a", False), ("no", False)],
)
def test_text_that_would_be_a_number_without_quotes_is_recognised(text, number):
    assert looks_like_a_number(text) is number
