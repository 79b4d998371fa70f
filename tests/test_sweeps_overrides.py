"""Overrides from the command line: what they change, and what they refuse."""

import pytest

from sweeps.overrides import overridden
from sweeps.problems import Problem

SPEC = {
    "seeds": 5,
    "scenarios": ["class-il/split-digits", {"kind": "domain-il", "stream": "permuted-digits"}],
    "methods": ["naive", {"ewc": {"lambda": {"grid": [1, 100]}}}, {"joint": None}],
    "train": {"lr": {"grid": [0.1, 0.2]}},
}


def applied(*assignments):
    problems: list[Problem] = []
    spec = overridden(SPEC, assignments, problems)
    assert problems == []
    return spec


def refused(*assignments):
    problems: list[Problem] = []
    assert overridden(SPEC, assignments, problems) == SPEC
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("assignment", "section", "value"),
    [
        ("seeds=3", "seeds", 3),
        ("seeds=[1, 2]", "seeds", [1, 2]),
        ("train.epochs=1", "train", {"lr": {"grid": [0.1, 0.2]}, "epochs": 1}),
        ("train.lr=1e-3", "train", {"lr": 0.001}),
        ("train.lr={grid: [1, 2]}", "train", {"lr": {"grid": [1, 2]}}),
        ("train.lr.grid.1=0.5", "train", {"lr": {"grid": [0.1, 0.5]}}),
        ("model.hidden=[100]", "model", {"hidden": [100]}),
        ("methods=[naive]", "methods", ["naive"]),
        ("methods.0=joint", "methods", ["joint", *SPEC["methods"][1:]]),
        ("methods.ewc.lambda=10", "methods", ["naive", {"ewc": {"lambda": 10}}, {"joint": None}]),
        ("methods.1.lambda=10", "methods", ["naive", {"ewc": {"lambda": 10}}, {"joint": None}]),
        ("methods.ewc={gamma: 0.5}", "methods", ["naive", {"ewc": {"gamma": 0.5}}, {"joint": None}]),
        (
            "methods.naive.resources.cpu=2",
            "methods",
            [{"naive": {"resources": {"cpu": 2}}}, *SPEC["methods"][1:]],
        ),
        (
            "methods.joint.resources.cpu=2",
            "methods",
            [*SPEC["methods"][:2], {"joint": {"resources": {"cpu": 2}}}],
        ),
        (
            "scenarios.0.tasks=3",
            "scenarios",
            [{"kind": "class-il", "stream": "split-digits", "tasks": 3}, SPEC["scenarios"][1]],
        ),
        (
            "scenarios.domain-il/permuted-digits.tasks=3",
            "scenarios",
            ["class-il/split-digits", {**SPEC["scenarios"][1], "tasks": 3}],
        ),
        ("scenarios.1=task-il/split-mnist", "scenarios", ["class-il/split-digits", "task-il/split-mnist"]),
        ("train.lr='0.1'", "train", {"lr": "0.1"}),
        ("train.clip_norm=", "train", {"lr": {"grid": [0.1, 0.2]}, "clip_norm": None}),
    ],
)
def test_an_override_changes_exactly_its_place(assignment, section, value):
    assert applied(assignment) == {**SPEC, section: value}


@pytest.mark.parametrize("entry", ["my.own.method:Mine", {"my.own.method:Mine": {"strength": 1}}])
def test_a_name_with_dots_is_one_step(entry):
    problems: list[Problem] = []
    spec = {"methods": ["naive", entry]}
    changed = overridden(spec, ["methods.my.own.method:Mine.strength=2"], problems)
    assert (changed["methods"], problems) == (["naive", {"my.own.method:Mine": {"strength": 2}}], [])


def test_later_overrides_win():
    assert applied("seeds=3", "seeds=4")["seeds"] == 4


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("train.lr", "--set 'train.lr': write PLACE=VALUE, like train.lr=0.1"),
        ("=5", "--set '=5': write PLACE=VALUE, like train.lr=0.1"),
        ("train..lr=5", "--set 'train..lr=5': write PLACE=VALUE, like train.lr=0.1"),
        ("seeds=[1", "--set 'seeds=[1': did not find expected ',' or ']'"),
        ("seeds=!!python/name:os.system x", "the tag !!python/name:os.system is not supported"),
        ("seeds.x=5", "--set seeds.x: 5 has no part 'x'"),
        ("methods.ecw.lambda=5", "--set methods.ecw: the spec has no entry 'ecw'; did you mean 'ewc'?"),
        ("methods.7.lambda=5", "--set methods.7: the list has no entry '7'; give a number from 0 to 2"),
        ("scenarios.class-il/split-digit.tasks=5", "did you mean 'class-il/split-digits'?"),
        ("train.lr.grid.2=5", "--set train.lr.grid.2: the list has no entry '2'; give a number from 0 to 1"),
        (
            "train.lr.low=5",
            (
                "--set train.lr.low: a grid stands alone, without low beside it; "
                "a value within it goes by its number, like grid.0"
            ),
        ),
        ("train.grid=[]", "--set train.grid: a grid stands alone, without lr beside it"),
        ("train.lr.grid.first=5", "the list has no entry 'first'"),
    ],
)
def test_an_override_that_fits_nowhere_is_refused(assignment, problem):
    messages = refused(assignment)
    assert len(messages) == 1
    assert problem.removeprefix("--set 'seeds=[1': did not find ") in messages[0]


def test_a_name_that_several_entries_have_is_refused():
    problems: list[Problem] = []
    overridden({"scenarios": ["a/b", "a/b"]}, ["scenarios.a/b.tasks=3"], problems)
    assert [str(problem) for problem in problems] == [
        "--set scenarios.a/b: 2 entries have this name; give a number from 0"
    ]


def test_a_value_beside_a_grid_of_an_earlier_override_is_refused_as_that_override():
    problems: list[Problem] = []
    overridden({}, ["train={grid: [{lr: 0.1}, {lr: 0.2}]}", "train.epochs=3"], problems)
    assert [problem.place for problem in problems] == ["--set train.epochs"]


def test_a_value_within_an_element_of_a_grid_is_set():
    spec = {"train": {"grid": [{"lr": 0.1}, {"lr": 0.2}]}}
    assert overridden(spec, ["train.grid.1.lr=0.5"], []) == {"train": {"grid": [{"lr": 0.1}, {"lr": 0.5}]}}


def test_every_override_that_fails_is_reported():
    assert len(refused("seeds", "methods.x.y=1")) == 2
