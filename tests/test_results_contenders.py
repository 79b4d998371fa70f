"""Which cells of two runs stand against each other."""

from __future__ import annotations

import pytest
from gate_cells import cell

from results.contenders import NoMatch, Side, matched


def labels(challengers, champions, *, challenger=None, champion=None, scenarios=()):
    """The labels of the pairs, scenario by scenario."""
    pairs = matched(
        Side("challenger", "runs/new", challengers, challenger),
        Side("champion", "runs/old", champions, champion),
        scenarios,
    )
    return [(ours.scenario_label, ours.label, theirs.label) for ours, theirs in pairs]


CLASS, DOMAIN = "class-il/split-digits", "domain-il/split-digits"
NEW = [cell("ewc lambda=1"), cell("ewc lambda=100"), cell("replay"), cell("joint")]
OLD = [cell("naive"), cell("joint")]


def test_a_run_with_one_cell_in_each_scenario_needs_no_name():
    new = [cell("ewc"), cell("replay", scenario=DOMAIN)]
    old = [cell("naive", scenario=DOMAIN), cell("naive")]
    assert labels(new, old) == [(CLASS, "ewc", "naive"), (DOMAIN, "replay", "naive")]


def test_joint_is_no_contender_unless_it_is_named():
    assert labels([cell("ewc")], OLD) == [(CLASS, "ewc", "naive")]
    assert labels([cell("ewc")], OLD, champion="joint") == [(CLASS, "ewc", "joint")]
    with pytest.raises(
        NoMatch, match=r"name the challenger in .* with --challenger-cell; in runs/new: joint$"
    ):
        labels([cell("joint")], OLD)


def test_a_cell_is_named_by_its_line_or_by_its_method():
    assert labels(NEW, OLD, challenger="ewc lambda=100") == [(CLASS, "ewc lambda=100", "naive")]
    assert labels(NEW, OLD, challenger="replay") == [(CLASS, "replay", "naive")]
    with pytest.raises(NoMatch, match=r"--challenger-cell; in runs/new: ewc lambda=1, ewc lambda=100, "):
        labels(NEW, OLD, challenger="ewc")


def test_one_cell_of_several_must_be_named():
    with pytest.raises(NoMatch) as raised:
        labels(NEW, OLD)
    assert str(raised.value) == (
        "name the challenger in class-il/split-digits with --challenger-cell; "
        "in runs/new: ewc lambda=1, ewc lambda=100, replay, joint"
    )


def test_a_cell_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(NoMatch) as raised:
        labels(NEW, OLD, challenger="ewc lambda=10")
    assert str(raised.value) == (
        "--challenger-cell: runs/new has no 'ewc lambda=10' in class-il/split-digits; "
        "did you mean 'ewc lambda=100'?"
    )
    with pytest.raises(NoMatch, match=r"--champion-cell: runs/old has no 'xyz' .*; there: naive, joint$"):
        labels(NEW, OLD, challenger="replay", champion="xyz")


def test_two_cells_of_one_run_can_be_compared_but_not_a_cell_with_itself():
    assert labels(NEW, NEW, challenger="replay", champion="ewc lambda=1") == [
        (CLASS, "replay", "ewc lambda=1")
    ]
    with pytest.raises(NoMatch, match=r"replay in class-il/split-digits is both .*: ewc lambda=1, ewc"):
        labels(NEW, NEW, challenger="replay", champion="replay")


def test_a_scenario_that_one_run_lacks_is_not_passed_over_in_silence():
    new = [cell("ewc"), cell("ewc", scenario=DOMAIN)]
    with pytest.raises(NoMatch) as raised:
        labels(new, [cell("naive")])
    assert str(raised.value) == (
        "domain-il/split-digits is in runs/new and not in runs/old; "
        "say what to compare with --scenario: class-il/split-digits"
    )
    assert labels(new, [cell("naive")], scenarios=[CLASS]) == [(CLASS, "ewc", "naive")]
    with pytest.raises(NoMatch, match="domain-il/split-digits is in runs/old and not in runs/new"):
        labels([cell("naive")], new)
    with pytest.raises(
        NoMatch, match=rf"no scenario is both in runs/new \({CLASS}\) and in runs/old \({DOMAIN}\)"
    ):
        labels([cell()], [cell(scenario=DOMAIN)])


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"settings": {"tasks": 2}}, "tasks 5 and 2"),
        ({"data": "d2"}, "data d1 and d2"),
        ({"version": 2}, "results_version 1 and 2"),
    ],
)
def test_scenarios_of_one_name_that_are_not_the_same_are_not_compared(other, difference):
    with pytest.raises(NoMatch) as raised:
        labels([cell("ewc")], [cell("naive", **other)])
    assert str(raised.value) == f"{CLASS} is not the same in runs/new and runs/old: {difference}"


def test_a_scenario_is_named_by_its_title_where_its_settings_vary():
    new = [
        cell("ewc", settings={"tasks": 2}, title=f"{CLASS} tasks=2"),
        cell("ewc", settings={"tasks": 5}, title=f"{CLASS} tasks=5"),
    ]
    old = [cell("naive", settings={"tasks": 5})]
    assert labels(new, old, scenarios=[f"{CLASS} tasks=5"]) == [(f"{CLASS} tasks=5", "ewc", "naive")]


def test_a_scenario_that_is_nowhere_is_refused_with_the_nearest():
    with pytest.raises(
        NoMatch, match=r"^no scenario 'class-il/splitdigits'; did you mean 'class-il/split-digits'\?$"
    ):
        labels([cell()], [cell()], scenarios=["class-il/splitdigits"])
    with pytest.raises(NoMatch, match=rf"^no scenario 'x'; there: {CLASS}$"):
        labels([cell()], [cell()], scenarios=["x"])


def test_a_run_without_trials_is_refused():
    with pytest.raises(NoMatch, match=r"^runs/old has no trials$"):
        labels([cell()], [])
