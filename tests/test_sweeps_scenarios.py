"""Entries under ``scenarios``: short and long form, data by name and by file, and what is refused."""

from pathlib import Path

import pytest

from sweeps.names import Names, PlugIns
from sweeps.problems import Problem
from sweeps.scenarios import stream_names
from sweeps.sections import scenarios
from sweeps.trials import Scenario

SPLIT = {"normalize": False, "tasks": 5, "classes_per_task": 2, "class_order": "natural"}
PERMUTED = {"normalize": False, "tasks": 5, "permute_first": False}


def found(*entries, folder=Path("/nowhere")):
    problems: list[Problem] = []
    choices = scenarios(entries, folder, Names(PlugIns.refused), problems)
    assert problems == []
    return [choice.scenario for choice in choices]


def refused(*entries, folder=Path("/nowhere")):
    problems: list[Problem] = []
    scenarios(entries, folder, Names(PlugIns.refused), problems)
    return [str(problem) for problem in dict.fromkeys(problems)]


def test_the_short_form_has_every_default():
    assert found("class-il/split-digits") == [
        Scenario("class-il", "split", ("digits",), SPLIT, "class-il/split-digits")
    ]


def test_the_long_form_says_the_same_as_the_short_one():
    long = {"kind": "class-il", "stream": "split-digits"}
    over_data = {"kind": "class-il", "stream": "split", "data": "digits"}
    assert found("class-il/split-digits") == found(long) == found(over_data)


def test_a_stream_over_a_data_set_with_a_hyphen_is_understood():
    scenario = found("task-il/rotated-fashion-mnist")[0]
    assert (scenario.stream, scenario.data, scenario.stream_name) == (
        "rotated",
        ("fashion-mnist",),
        "rotated-fashion-mnist",
    )
    assert scenario.settings["angles"] == [0.0, 180.0]


def test_every_stream_over_a_named_data_set_is_offered():
    assert len(stream_names()) == 3 * 5
    assert [
        scenario.stream_name for scenario in found(*[f"domain-il/{name}" for name in stream_names()])
    ] == (stream_names())


def test_kinds_streams_and_settings_may_be_grids():
    entry = {
        "kind": {"grid": ["task-il", "class-il"]},
        "stream": "permuted-digits",
        "tasks": {"grid": [5, 10]},
    }
    assert [(scenario.kind, scenario.settings["tasks"]) for scenario in found(entry)] == [
        ("task-il", 5),
        ("task-il", 10),
        ("class-il", 5),
        ("class-il", 10),
    ]


def test_whole_scenarios_may_be_the_elements_of_a_grid():
    short = "class-il/split-digits"
    long = {"kind": "task-il", "stream": "split-digits", "tasks": {"grid": [2, 3]}}
    assert found({"grid": [short, long]}) == found(short, long)


def test_a_mistake_in_a_grid_of_scenarios_has_its_place():
    messages = refused({"grid": ["class-il/split-digits", "clas-il/split-digits"]})
    assert len(messages) == 1
    assert messages[0].startswith(
        "scenarios[0].grid[1].kind: unknown kind 'clas-il'; did you mean 'class-il'?"
    )


def test_a_combination_that_appears_twice_within_an_entry_is_kept_once():
    assert len(found({"kind": "class-il", "stream": "split-digits", "tasks": {"grid": [5, None, 4]}})) == 2


def test_the_number_of_split_tasks_follows_from_the_classes():
    entry = {"kind": "class-il", "stream": "split-digits", "classes_per_task": 3}
    assert found(entry)[0].settings["tasks"] == 3


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"tasks": 6}, "tasks: 6 is not allowed; digits has 10 classes: at most 5 tasks of 2"),
        (
            {"tasks": {"grid": [5, 6]}},
            "tasks.grid[1]: 6 is not allowed; digits has 10 classes: at most 5 tasks of 2",
        ),
        (
            {"tasks": 3, "classes_per_task": 5},
            "tasks: 3 is not allowed; digits has 10 classes: at most 2 tasks of 5",
        ),
        (
            {"classes_per_task": 11},
            "classes_per_task: 11 is not allowed; digits has 10 classes: at most 10 per task",
        ),
        ({"tasks": 0}, "tasks: 0 is not allowed; give a whole number from 1 to 10000 or null"),
        ({"angles": [0, 90]}, "angles: unknown setting of split-digits; allowed: normalize, part, tasks, "),
        ({"class_order": "sead"}, "'sead' is not allowed; give 'natural' or 'seed'; did you mean 'seed'?"),
        ({"normalize": "yes"}, "normalize: 'yes' is not allowed; give true or false"),
        ({"data": "digits"}, "data: the stream already says what its data is; leave this out"),
        ({"resources": {"cpu": {"grid": [1, 2]}}}, "resources: takes no grid: resources change no number"),
        (
            {"resources": {"threads": 0}},
            "resources.threads: 0 is not allowed; give a whole number from 1 to 1024",
        ),
    ],
)
def test_a_wrong_setting_is_refused_at_its_place(settings, problem):
    messages = refused({"kind": "class-il", "stream": "split-digits", **settings})
    assert len(messages) == 1
    assert messages[0].startswith("scenarios[0].")
    assert problem in messages[0]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (
            "split-digits",
            "scenarios[0]: 'split-digits' is not allowed; give kind/stream like class-il/split-digits",
        ),
        (None, "scenarios[0]: null is not allowed; give kind/stream"),
        ("clas-il/split-digits", "scenarios[0].kind: unknown kind 'clas-il'; did you mean 'class-il'?"),
        (
            "class-il/split-digit",
            "scenarios[0].stream: unknown stream 'split-digit'; did you mean 'split-digits'?",
        ),
        ("class-il/explicit", "scenarios[0].stream: unknown stream 'explicit'"),
        (
            "class-il/split",
            "scenarios[0].data: is missing; split needs the name of a data set (digits, mnist",
        ),
        ({"stream": "split-digits"}, "scenarios[0].kind: is missing; allowed: task-il, domain-il, class-il"),
        (
            {"kind": 3, "stream": "split-digits"},
            "scenarios[0].kind: 3 is not allowed; give task-il or domain-il",
        ),
        ({"kind": "class-il"}, "scenarios[0].stream: is missing; allowed: split-digits, "),
        (
            {"kind": "class-il", "stream": 3},
            "scenarios[0].stream: 3 is not allowed; give the name of a stream",
        ),
        (
            {"kind": "class-il", "stream": []},
            "scenarios[0].stream: [] is not allowed; give a list of .npz files",
        ),
        (
            {"kind": "class-il", "stream": [5]},
            "scenarios[0].stream[0]: 5 is not allowed; give the path of an .npz",
        ),
        (
            {"kind": "class-il", "stream": "split", "data": 5},
            "scenarios[0].data: 5 is not allowed; give the name",
        ),
        (
            {"kind": "class-il", "stream": "split", "data": "minst"},
            "scenarios[0].data: unknown data set 'minst'; did you mean 'mnist'?",
        ),
        (
            {"kind": "class-il", "stream": "split", "data": "a.npz"},
            "scenarios[0].data: no such file /nowhere/a.npz",
        ),
        ({"kind": {"grid": []}, "stream": "split-digits"}, "scenarios[0].kind.grid: [] is not allowed"),
        ({"kind": "class-il", "stream": {"grid": 5}}, "scenarios[0].stream.grid: 5 is not allowed"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_is_allowed(entry, problem):
    messages = refused(entry)
    assert len(messages) == 1
    assert messages[0].startswith(problem)


def test_an_entry_that_repeats_another_is_refused():
    again = {"kind": "class-il", "stream": "split-digits", "tasks": 5}
    assert refused("class-il/split-digits", "class-il/split-mnist", again) == [
        "scenarios[2]: 'class-il/split-digits' is the same as scenarios[0]; list each scenario once"
    ]


def test_the_same_stream_with_other_settings_is_another_scenario():
    assert (
        len(found("class-il/split-digits", {"kind": "class-il", "stream": "split-digits", "tasks": 4})) == 2
    )


def test_a_file_is_recorded_by_its_absolute_path(tmp_path):
    (tmp_path / "mine.npz").touch()
    scenario = found({"kind": "class-il", "stream": "split", "data": "mine.npz"}, folder=tmp_path)[0]
    assert scenario == Scenario(
        "class-il", "split", (str(tmp_path / "mine.npz"),), {**SPLIT, "tasks": None}, "class-il/split-mine"
    )


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "mine.npz").touch()
    entry = {"kind": "class-il", "stream": "permuted", "data": "mime.npz"}
    assert refused(entry, folder=tmp_path) == [
        f"scenarios[0].data: no such file {tmp_path / 'mime.npz'}; did you mean 'mine.npz'?"
    ]


@pytest.mark.parametrize("name", ["x" * 5000 + ".npz", "~nobody-of-this-name/a.npz", "a\0.npz"])
def test_a_file_name_that_cannot_exist_is_a_missing_file(name):
    messages = refused({"kind": "class-il", "stream": "split", "data": name})
    assert len(messages) == 1
    assert "no such file" in messages[0]


def test_a_list_of_files_is_a_stream_with_a_task_for_each(tmp_path):
    for name in "abcde":
        (tmp_path / f"{name}.npz").touch()
    two = {"kind": "domain-il", "stream": ["a.npz", "b.npz"]}
    five = {"kind": "domain-il", "stream": [f"{name}.npz" for name in "abcde"]}
    scenario, longer = found(two, five, folder=tmp_path)
    assert scenario.stream == "explicit"
    assert scenario.data == (str(tmp_path / "a.npz"), str(tmp_path / "b.npz"))
    assert scenario.settings == {"normalize": False}
    assert scenario.label == "domain-il/explicit-a+b"
    assert longer.label == "domain-il/explicit-a+b+3-more"


def test_every_missing_file_of_a_list_is_reported(tmp_path):
    messages = refused({"kind": "domain-il", "stream": ["a.npz", "b.npz"]}, folder=tmp_path)
    assert [message.partition(":")[0] for message in messages] == [
        "scenarios[0].stream[0]",
        "scenarios[0].stream[1]",
    ]


def test_different_files_that_would_share_a_label_are_refused(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.npz").touch()
    entries = [{"kind": "class-il", "stream": "split", "data": f"{name}/x.npz"} for name in ("one", "two")]
    messages = refused(*entries, folder=tmp_path)
    assert len(messages) == 1
    assert messages[0].endswith("would both be called 'class-il/split-x'; give the files different names")


def test_own_resources_are_kept_as_they_were_given():
    problems: list[Problem] = []
    entry = {"kind": "class-il", "stream": "split-digits", "resources": {"cpu": 2}}
    assert [choice.resources for choice in scenarios([entry], Path(), Names(PlugIns.refused), problems)] == [
        {"cpu": 2.0}
    ]
