"""The section tune: what it may say, that search and report stay apart, and that it survives a file."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeps.plan import data_names, plan
from sweeps.scenarios import stream_names
from sweeps.spaces import Space
from sweeps.spec import SpecError, dump_spec, load_spec
from sweeps.syntax import emit
from sweeps.tuning import SELECTION_FROM, TuneSettings, key_of

EWC = {"ewc": {"lambda": {"loguniform": [1, 1_000_000]}}}
GRID = {"ewc": {"lambda": {"grid": [1, 10, 100]}}}
DIGITS = "class-il/split-digits"
OTHER_STREAMS = "or split, permuted, rotated with 'data', or a list of .npz files, one per task"
STREAMS = f"{', '.join(stream_names())}; {OTHER_STREAMS}"
STREAMS_IN_BRACKETS = f"{', '.join(stream_names())}); {OTHER_STREAMS}"
OUT = "is that of each scenario; leave this out"
A_GRID = "a grid is for search: grid; for search: {} write choice in place of grid"
NOTHING = (
    "methods: no method has anything to search; give one a space, such as {lambda: {loguniform: [1, 1.0e+6]}}"
)
CHOSEN = {
    "protocol": "val-stream",
    "source": DIGITS,
    "seeds": [1000, 1001],
    "search": "random, race",
    "configs": {"ewc": 30},
}


def content(tune=None, *methods, **sections):
    """A sweep that is tuned as *tune* says, of EWC with a space unless *methods* are given."""
    return {"scenarios": [DIGITS], "methods": [*methods] or [EWC], "tune": tune} | sections


@pytest.fixture
def written(tmp_path):
    def write(values):
        path = tmp_path / "sweep.yaml"
        path.write_text(values if isinstance(values, str) else emit(values), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def loaded(written):
    return lambda *arguments, **sections: load_spec(written(content(*arguments, **sections)))


@pytest.fixture
def refused(written):
    def problems(*arguments, **sections):
        with pytest.raises(SpecError) as caught:
            load_spec(written(content(*arguments, **sections)))
        return [str(problem) for problem in caught.value.problems]

    return problems


def planned(spec):
    return plan(spec, dict.fromkeys(data_names(spec), "0123456789abcdef")).trials


# What is left out, and what follows from what is there


def test_an_empty_section_searches_30_configurations_at_random_on_five_seeds_that_do_not_report(loaded):
    spec = loaded({})
    assert spec.tune.written() == {
        "protocol": "val-stream",
        "search": "random",
        "configs": 30,
        "seeds": 5,
        "search_seed": 0,
        "metric": "val_acc",
        "scheduler": "none",
        "level": 0.05,
        "val_share": 0.1,
    }
    assert spec.seeds == (0, 1, 2, 3, 4)
    assert spec.tune.seeds == (1_000_000, 1_000_001, 1_000_002, 1_000_003, 1_000_004)


@pytest.mark.parametrize("value", [None, "absent"])
def test_without_the_section_nothing_is_tuned(written, value):
    values = content(None, "naive")
    if value == "absent":
        del values["tune"]
    spec = load_spec(written(values))
    assert spec.tune is None
    assert "tune" not in dump_spec(spec)


def test_what_is_given_stays(loaded):
    given_values = {
        "search": "tpe",
        "configs": 2,
        "seeds": [7, 5],
        "search_seed": 3,
        "metric": "val_worst_task_accuracy",
        "scheduler": "halving",
        "val_share": 0.2,
    }
    spec = loaded(given_values)
    assert spec.tune.written() == {"protocol": "val-stream", "level": 0.05, **given_values}
    assert spec.tune.seeds == (7, 5)


def test_a_grid_has_no_number_of_configurations_of_its_own(loaded):
    assert "configs" not in loaded({"search": "grid"}, GRID).tune.written()
    assert "configs" not in loaded({"protocol": "fixed"}, "naive").tune.written()


@pytest.mark.parametrize(
    ("tune", "searched", "reported"),
    [
        ({}, {}, {}),
        ({"protocol": "first-k", "first_k": 2}, {"part": "first-2"}, {"part": "after-2"}),
        ({"protocol": "transfer", "source": {"stream": "split-mnist", "tasks": 3}}, {"tasks": 3}, {}),
    ],
)
def test_a_protocol_says_where_is_searched_and_where_is_reported(loaded, tune, searched, reported):
    spec = loaded(tune, scenarios=[DIGITS, "task-il/permuted-digits"])
    whole = [choice.scenario for choice in spec.scenarios]
    keys = [key_of(each) for each in whole]
    assert list(spec.tune.searched) == list(spec.tune.reported) == keys
    for key, each in zip(keys, whole, strict=True):
        found, report = spec.tune.searched[key], spec.tune.reported[key]
        assert (found.kind, report.kind) == (each.kind, each.kind)
        assert (report.label, report.data) == (each.label, each.data)
        assert report.settings == each.settings | reported
        if tune.get("protocol") == "transfer":
            assert found.label == f"{each.kind}/split-mnist"
            assert (found.stream, found.data, found.settings["tasks"]) == ("split", ("mnist",), 3)
        else:
            assert (found.label, found.data) == (each.label, each.data)
            assert found.settings == each.settings | searched


def test_settings_tell_scenarios_of_one_name_apart(loaded):
    scenarios = [{"kind": "task-il", "stream": "permuted-digits", "tasks": {"grid": [3, 4]}}]
    tune = loaded({"protocol": "first-k", "first_k": 1}, scenarios=scenarios).tune
    assert [each.settings["tasks"] for each in tune.searched.values()] == [3, 4]


# Mistakes


@pytest.mark.parametrize(
    ("tune", "problem"),
    [
        (
            5,
            (
                "tune: 5 is not allowed; give a mapping of names to values (protocol, first_k, source, "
                "search, configs, seeds, search_seed, metric, scheduler, level, val_share)"
            ),
        ),
        (
            {"serch": "tpe"},
            (
                "tune.serch: unknown setting of tune; did you mean 'search'? allowed: protocol, first_k, "
                "source, search, configs, seeds, search_seed, metric, scheduler, level, val_share"
            ),
        ),
        (
            {"protocol": "val_stream"},
            (
                "tune.protocol: 'val_stream' is not allowed; give 'val-stream' or 'first-k' or 'transfer' or "
                "'fixed'; did you mean 'val-stream'?"
            ),
        ),
        (
            {"search": "tp"},
            "tune.search: 'tp' is not allowed; give 'grid' or 'random' or 'tpe'; did you mean 'tpe'?",
        ),
        (
            {"search": {"grid": ["random", "tpe"]}},
            "tune.search: takes no grid; give 'grid' or 'random' or 'tpe'",
        ),
        (
            {"scheduler": "rase"},
            "tune.scheduler: 'rase' is not allowed; give 'none' or 'halving' or 'race'; did you mean 'race'?",
        ),
        (
            {"metric": "acc"},
            (
                "tune.metric: 'acc' is not allowed; give 'val_acc' or 'val_average_incremental_accuracy' or "
                "'val_worst_task_accuracy'; did you mean 'val_acc'?"
            ),
        ),
        ({"configs": 1}, "tune.configs: 1 is not allowed; give a whole number from 2 to 100000 or null"),
        ({"level": 0}, "tune.level: 0 is not allowed; give a number above 0 and below 0.5"),
        ({"level": 0.5}, "tune.level: 0.5 is not allowed; give a number above 0 and below 0.5"),
        ({"val_share": 0}, "tune.val_share: 0 is not allowed; give a number above 0 and below 1"),
        ({"val_share": 1}, "tune.val_share: 1 is not allowed; give a number above 0 and below 1"),
        (
            {"search_seed": -1},
            "tune.search_seed: -1 is not allowed; give a whole number from 0 to 2147483647",
        ),
        *(
            (
                {"seeds": seeds},
                (
                    f"tune.seeds: {text} is not allowed; give the number of selection seeds (1 to 100000), "
                    "or a list of different whole numbers from 0 to 2147483647"
                ),
            )
            for seeds, text in [
                (0, "0"),
                (100_001, "100001"),
                (True, "true"),
                ([], "[]"),
                ([5, 5], "[5, 5]"),
                ([-1], "[-1]"),
                ([2**31], "[2147483648]"),
            ]
        ),
        # Protocols and what they read.
        ({"protocol": "first-k"}, "tune.first_k: is missing; protocol first-k needs it"),
        ({"protocol": "transfer"}, "tune.source: is missing; protocol transfer needs it"),
        ({"first_k": 2}, "tune.first_k: is read by protocol first-k only; this is val-stream"),
        ({"source": "split-mnist"}, "tune.source: is read by protocol transfer only; this is val-stream"),
        (
            {"protocol": "transfer", "source": "split-mnist", "first_k": 2},
            "tune.first_k: is read by protocol first-k only; this is transfer",
        ),
        (
            {"protocol": "first-k", "first_k": 0},
            "tune.first_k: 0 is not allowed; give a whole number from 1 to 9999 or null",
        ),
        (
            {"protocol": "fixed"},
            "methods.ewc: protocol fixed searches nothing; give a value of lambda",
        ),
        # Searches and schedulers.
        (
            {"search": "grid"},
            "methods.ewc: search grid tries every value of a grid, and none of lambda: loguniform",
        ),
        (
            {"search": "tpe", "scheduler": "race"},
            (
                "tune.scheduler: a race needs all configurations at its start, and tpe proposes the later "
                "ones by the results of the earlier ones; give halving or none, or search: random"
            ),
        ),
        (
            {"scheduler": "race", "seeds": 4},
            "tune.seeds: 4 is not allowed; give more than 4 in a race, since nobody leaves it before 4",
        ),
        (
            {"scheduler": "race", "seeds": [11, 12, 13, 14]},
            (
                "tune.seeds: [11, 12, 13, 14] is not allowed; give more than 4 in a race, since nobody "
                "leaves it before 4"
            ),
        ),
        # Seeds that would both select and report.
        (
            {"seeds": [9, 4, 0]},
            "tune.seeds: seeds that report must not select: 0, 4 are in seeds as well",
        ),
        # Where is searched.
        (
            {"protocol": "transfer", "source": "split-digits"},
            "tune.source: is split-digits itself, on which is reported; protocol val-stream tunes on it",
        ),
        (
            {"protocol": "transfer", "source": {"stream": "split-digits", "tasks": 5, "normalize": False}},
            "tune.source: is split-digits itself, on which is reported; protocol val-stream tunes on it",
        ),
        (
            {"protocol": "transfer", "source": "split-mnst"},
            (
                "tune.source.stream: unknown stream 'split-mnst'; did you mean 'split-mnist'? "
                f"allowed: {STREAMS}"
            ),
        ),
        (
            {"protocol": "transfer", "source": 5},
            f"tune.source.stream: 5 is not allowed; give the name of a stream ({STREAMS_IN_BRACKETS}",
        ),
        (
            {"protocol": "transfer", "source": {"stream": "split-mnist", "taks": 3}},
            (
                "tune.source.taks: unknown setting of split-mnist; did you mean 'tasks'? allowed: normalize, "
                "part, tasks, classes_per_task, class_order, kind, stream, data, resources"
            ),
        ),
        (
            {"protocol": "transfer", "source": {"stream": "split-mnist", "tasks": 6}},
            "tune.source.tasks: 6 is not allowed; mnist has 10 classes: at most 5 tasks of 2",
        ),
        (
            {"protocol": "transfer", "source": {"kind": "class-il", "stream": "split-mnist"}},
            f"tune.source.kind: {OUT}",
        ),
        (
            {"protocol": "transfer", "source": {"resources": {"cpu": 2}, "stream": "split-mnist"}},
            f"tune.source.resources: {OUT}",
        ),
        (
            {"protocol": "transfer", "source": {"grid": ["split-mnist", "permuted-mnist"]}},
            "tune.source: takes no grid",
        ),
    ],
)
def test_a_mistake_is_said_once_with_its_place_and_what_is_allowed(refused, tune, problem):
    assert refused(tune) == [problem]


def test_a_source_is_wrong_once_however_many_scenarios_there_are(refused):
    tune = {"protocol": "transfer", "source": {"stream": "split-mnist", "tasks": 6}}
    assert len(refused(tune, scenarios=[DIGITS, "task-il/permuted-digits", "task-il/split-digits"])) == 1


def test_a_source_may_be_the_stream_with_other_settings(loaded):
    assert loaded({"protocol": "transfer", "source": {"stream": "split-digits", "tasks": 3}}).tune


def test_counted_selection_seeds_do_not_report_either(refused, loaded):
    seeds = [SELECTION_FROM + 4, 1]
    assert refused({}, seeds=seeds) == [
        "tune.seeds: seeds that report must not select: 1000004 are in seeds as well"
    ]
    assert loaded({"seeds": 4}, seeds=seeds).tune.seeds[-1] == SELECTION_FROM + 3


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_seeds_that_are_counted_are_always_apart(report, select):
    assert range(report)[-1] < SELECTION_FROM
    assert TuneSettings(seeds=select).seeds == select


@pytest.mark.parametrize(
    ("tune", "methods", "problem"),
    [
        ({}, ["naive"], NOTHING),
        ({}, ["naive", {"ewc": {"lambda": 3}}], NOTHING),
        ({"search": "grid"}, ["naive"], NOTHING),
        ({"search": "grid"}, [{"ewc": {"lambda": {"grid": [3]}}}], NOTHING),
        ({"search": "grid"}, [{"ewc": {"lambda": {"grid": [3, 3]}}}], NOTHING),
        ({}, [GRID], f"methods.ewc: {A_GRID.format('random')}"),
        (
            {"search": "tpe"},
            [GRID, {"si": {"c": {"uniform": [0, 1]}}}],
            f"methods.ewc: {A_GRID.format('tpe')}",
        ),
        (
            {"search": "grid"},
            [GRID, {"si": {"c": {"uniform": [0, 1]}, "xi": {"choice": [0.1, 1]}}}],
            "methods.si: search grid tries every value of a grid, and none of c: uniform, xi: choice",
        ),
        (
            {"protocol": "fixed"},
            ["naive", {"si": {"c": {"uniform": [0, 1]}, "xi": {"choice": [0.1, 1]}}}],
            "methods.si: protocol fixed searches nothing; give a value of c, xi",
        ),
        (
            {"search": "grid", "configs": 3},
            [GRID],
            "tune.configs: a grid has as many configurations as it has; leave this out",
        ),
        (
            None,
            [{"ewc": {"lambda": {"loguniform": [1, 10]}}}],
            (
                "methods.ewc.lambda: a search space needs the section tune: {tune: {search: random}}; to run "
                "every value, a grid"
            ),
        ),
    ],
)
def test_methods_and_search_must_go_together(refused, tune, methods, problem):
    assert refused(tune, *methods) == [problem]


def test_every_space_without_a_search_is_named(refused):
    spaces = {"c": {"uniform": [0, 1]}, "xi": {"choice": [0.1, 1]}}
    assert [each.partition(":")[0] for each in refused(None, EWC, {"si": spaces})] == [
        "methods.ewc.lambda",
        "methods.si.c",
        "methods.si.xi",
    ]


@pytest.mark.parametrize(
    ("tune", "methods"),
    [
        ({"protocol": "fixed"}, ["naive", GRID]),
        ({"search": "grid"}, ["naive", GRID]),
        ({"search": "grid", "scheduler": "race"}, [GRID]),
        ({"search": "tpe", "scheduler": "halving"}, ["naive", EWC]),
        ({"scheduler": "race", "seeds": [11, 12, 13, 14, 15]}, [EWC]),
        ({"level": 0.499, "val_share": 0.999, "configs": 2, "seeds": 100_000}, [EWC]),
    ],
)
def test_what_goes_together_is_accepted(loaded, tune, methods):
    assert loaded(tune, *methods).tune


def test_a_stream_that_first_k_is_to_divide_is_not_divided_already(refused):
    part = {"kind": {"grid": ["task-il", "class-il"]}, "stream": "split-digits", "part": "after-1"}
    assert refused({"protocol": "first-k", "first_k": 2}, scenarios=["task-il/permuted-digits", part]) == [
        f"tune.protocol: first-k itself divides the stream; leave part: after-1 out of {kind}/split-digits"
        for kind in ("task-il", "class-il")
    ]


def test_all_problems_come_in_one_message(written):
    path = written("""
        seeds: [3, 4]
        scenarios: [class-il/split-digits]
        methods:
          - {ewc: {lambda: {loguniform: [0, 1]}}}
          - {si: {c: {grid: [1, 2]}, scenarios: [class-il/split-digts]}}
        tune: {seeds: [4, 5], search: tpe, scheduler: race, first_k: 3}
        chosen: {protocol: fixed, source: x, seeds: [3], search: random, configs: {}}
        train: {lr: 0}
    """)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert str(caught.value).splitlines() == [
        f"{path} has 10 problems:",
        (
            "  methods.ewc.lambda.loguniform: [0, 1] is not allowed; "
            "give two numbers above 0, the lower one first"
        ),
        "  train.lr: 0 is not allowed; give a number above 0 and up to 1e30",
        "  tune.first_k: is read by protocol first-k only; this is val-stream",
        f"  methods.si: {A_GRID.format('tpe')}",
        (
            "  tune.scheduler: a race needs all configurations at its start, and tpe proposes the later ones "
            "by the results of the earlier ones; give halving or none, or search: random"
        ),
        "  tune.seeds: seeds that report must not select: 4 are in seeds as well",
        "  tune.seeds: [4, 5] is not allowed; give more than 4 in a race, since nobody leaves it before 4",
        "  chosen: says what an earlier search chose, and tune is a new one; leave one of them out",
        "  chosen.protocol: 'fixed' is not allowed; give 'val-stream' or 'first-k' or 'transfer'",
        (
            "  methods.si.scenarios: unknown scenario of this spec 'class-il/split-digts'; "
            "did you mean 'class-il/split-digits'? allowed: class-il/split-digits"
        ),
    ]


def test_settings_of_the_section_can_be_put_in_from_outside(written):
    spec = load_spec(written(content(None)), ["tune.search=tpe", "tune.seeds=[8, 9]"])
    assert (spec.tune.settings.search, spec.tune.seeds) == ("tpe", (8, 9))


# What an earlier search chose


def test_what_was_chosen_says_how(loaded):
    spec = loaded(None, "naive", chosen=CHOSEN)
    assert spec.chosen.resolved() == CHOSEN
    assert spec.tune is None


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {"seeds": [4, 7, 0]},
            "seeds: 0, 4 selected the hyperparameters, so a report must not use them; give others",
        ),
        ({"seeds": []}, "chosen.seeds: [] is not allowed; give a list of one or more, each a whole number"),
        (
            {"seed": [1]},
            (
                "chosen.seed: unknown setting of chosen; did you mean 'seeds'? allowed: protocol, source, "
                "seeds, search, configs"
            ),
        ),
        (
            {"protocol": "fixed"},
            "chosen.protocol: 'fixed' is not allowed; give 'val-stream' or 'first-k' or 'transfer'",
        ),
    ],
)
def test_a_mistake_in_what_was_chosen_is_said_with_its_place(refused, changed, problem):
    assert refused(None, "naive", chosen=CHOSEN | changed) == [problem]


def test_seeds_that_were_counted_from_0_must_not_have_selected(refused):
    problems = refused(None, "naive", chosen=CHOSEN | {"seeds": [*range(20, 0, -1)]}, seeds=50)
    assert problems == [
        (
            "seeds: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 selected the hyperparameters, so a report must not use "
            "them; give others"
        )
    ]


# Values for some of the scenarios


BY_SCENARIO = {
    "ewc": {
        "grid": [
            {"lambda": 1, "scenarios": [DIGITS]},
            {"lambda": 10, "scenarios": ["task-il/split-digits", "domain-il/rotated-digits"]},
        ]
    }
}
THREE = [DIGITS, "task-il/split-digits", "domain-il/rotated-digits"]


def test_values_for_some_scenarios_are_planned_in_these_only(loaded):
    spec = loaded(None, "naive", BY_SCENARIO, scenarios=THREE, seeds=2)
    found = [(each.scenario.label, each.method, each.hyperparameters.get("lambda")) for each in planned(spec)]
    assert found == 2 * [
        (DIGITS, "naive", None),
        (DIGITS, "ewc", 1.0),
        ("task-il/split-digits", "naive", None),
        ("task-il/split-digits", "ewc", 10.0),
        ("domain-il/rotated-digits", "naive", None),
        ("domain-il/rotated-digits", "ewc", 10.0),
    ]


def test_scenarios_of_a_method_change_no_id(loaded):
    some = loaded(None, {"ewc": {"lambda": 1, "scenarios": [DIGITS]}}, scenarios=THREE)
    only = loaded(None, {"ewc": {"lambda": 1}}, scenarios=[DIGITS])
    assert [trial.id for trial in planned(some)] == [trial.id for trial in planned(only)]


def test_data_that_only_left_out_combinations_need_is_not_needed(loaded):
    spec = loaded(
        None, {"ewc": {"lambda": 1, "scenarios": [DIGITS]}}, scenarios=[DIGITS, "class-il/split-mnist"]
    )
    assert data_names(spec) == {("digits",)}


def test_the_same_values_for_other_scenarios_are_another_choice(loaded):
    grid = [{"lambda": 1, "scenarios": [label]} for label in THREE[:2]]
    spec = loaded(None, {"ewc": {"grid": [*grid, grid[0]]}}, scenarios=THREE)
    assert [choice.scenarios for choice in spec.methods] == [(DIGITS,), ("task-il/split-digits",)]


@pytest.mark.parametrize(
    ("scenarios", "problem"),
    [
        (
            ["class-il/split-digts"],
            (
                "unknown scenario of this spec 'class-il/split-digts'; did you mean 'class-il/split-digits'? "
                "allowed: class-il/split-digits, task-il/split-digits, domain-il/rotated-digits"
            ),
        ),
        *(
            (
                value,
                (
                    f"{shown} is not allowed; give a list of scenarios that the values are for, like "
                    "[class-il/split-digits]"
                ),
            )
            for value, shown in [([], "[]"), (DIGITS, f"'{DIGITS}'"), ([3], "[3]"), ({"a": 1}, '{"a": 1}')]
        ),
    ],
)
def test_a_scenario_that_is_none_of_the_sweeps_is_refused(refused, scenarios, problem):
    method = {"ewc": {"lambda": 1, "scenarios": scenarios}}
    assert refused(None, method, scenarios=THREE) == [f"methods.ewc.scenarios: {problem}"]


def test_a_grid_within_the_scenarios_is_one_set_of_values_each(loaded):
    spec = loaded(None, {"ewc": {"scenarios": {"grid": [[THREE[0]], [THREE[1]]]}}}, scenarios=THREE)
    assert [choice.scenarios for choice in spec.methods] == [(THREE[0],), (THREE[1],)]


# Parts of a stream


@pytest.mark.parametrize("part", ["first-2", "after-2", "after-9999"])
def test_a_scenario_may_be_a_part_of_a_stream(loaded, part):
    spec = loaded(None, "naive", scenarios=[{"kind": "class-il", "stream": "split-digits", "part": part}])
    assert spec.scenarios[0].scenario.settings["part"] == part
    assert f"part: {part}" in dump_spec(spec)


def test_a_whole_stream_has_no_part_in_its_settings(loaded):
    whole = loaded(None, "naive")
    null = loaded(None, "naive", scenarios=[{"kind": "class-il", "stream": "split-digits", "part": None}])
    assert null == whole
    assert "part" not in whole.scenarios[0].scenario.settings


@pytest.mark.parametrize(("part", "shown"), [("first-0", "'first-0'"), ("last-2", "'last-2'"), (2, "2")])
def test_what_is_no_part_is_refused_with_what_is_one(refused, part, shown):
    assert refused(
        None, "naive", scenarios=[{"kind": "class-il", "stream": "split-digits", "part": part}]
    ) == [
        (
            f"scenarios[0].part: {shown} is not allowed; give first-K or after-K, such as first-2: only the "
            "first K tasks, or only those after them, the first K being the same for every seed or null"
        )
    ]


# Through a file


def test_the_dump_says_how_the_sweep_is_tuned(loaded):
    lines = dump_spec(loaded({"seeds": [8, 9], "scheduler": "halving"})).splitlines()
    assert lines[lines.index("- ewc:") : lines.index("model:")] == [
        "- ewc:",
        "    lambda:",
        "      loguniform: [1, 1000000]",
        "      default: 300.0",
        "    gamma: 1.0",
        "    lambda_decay: 1.0",
        "    fisher: exact",
        "    fisher_samples: 200",
    ]
    assert lines[lines.index("tune:") :] == [
        "tune:",
        "  protocol: val-stream",
        "  search: random",
        "  configs: 30",
        "  seeds: [8, 9]",
        "  search_seed: 0",
        "  metric: val_acc",
        "  scheduler: halving",
        "  level: 0.05",
        "  val_share: 0.1",
    ]


@pytest.mark.parametrize("source", ["mine.npz", ["mine.npz", "other.npz"]])
def test_the_files_of_a_source_are_found_from_the_folder_of_the_run(written, tmp_path, source):
    for name in ("mine.npz", "other.npz"):
        (tmp_path / name).touch()
    values = {"stream": source} if isinstance(source, list) else {"stream": "split", "data": source}
    run = tmp_path / "runs" / "sweep"
    run.mkdir(parents=True)
    for given_source in [values, source] if isinstance(source, list) else [values]:
        spec = load_spec(written(content({"protocol": "transfer", "source": given_source})))
        (run / "sweep.yaml").write_text(dump_spec(spec), encoding="utf-8")
        again = load_spec(str(run))
        assert again.tune.searched == spec.tune.searched
        assert {each.data for each in again.tune.searched.values()} == {
            tuple(str(tmp_path / name) for name in ([source] if isinstance(source, str) else source))
        }


def spaces():
    """A way to write a space of each hyperparameter of EWC."""
    numbers = st.tuples(*[st.floats(1e-6, 1e6)] * 2).map(sorted).filter(lambda ends: ends[0] < ends[1])
    ranges = st.tuples(st.sampled_from(["uniform", "loguniform"]), numbers).map(lambda pair: dict([pair]))
    choices = st.lists(st.floats(0, 1e6), min_size=1, max_size=3, unique=True).map(
        lambda each: {"choice": each}
    )
    counts = st.tuples(st.integers(1, 50), st.integers(51, 99)).map(lambda ends: {"randint": list(ends)})
    return st.fixed_dictionaries(
        {"lambda": ranges | choices},
        optional={
            "fisher": st.just({"choice": ["exact", "empirical"]}),
            "fisher_samples": counts | st.just({"choice": [50, "all"]}),
            "gamma": st.floats(0, 1),
        },
    )


grids = st.lists(st.floats(0, 1e6), min_size=2, max_size=3, unique=True).map(
    lambda each: {"lambda": {"grid": each}}
)
PROTOCOLS = st.sampled_from(
    [
        {},
        {"protocol": "first-k", "first_k": 2},
        {"protocol": "transfer", "source": "permuted-digits"},
        {"protocol": "transfer", "source": {"stream": "split-mnist", "tasks": 3, "normalize": True}},
        {"protocol": "fixed"},
    ]
)
OTHERS = st.fixed_dictionaries(
    {},
    optional={
        "seeds": st.lists(st.integers(10, 2**31 - 1), min_size=5, max_size=6, unique=True)
        | st.integers(5, 9),
        "search_seed": st.integers(0, 2**31 - 1),
        "metric": st.sampled_from(["val_average_incremental_accuracy", "val_worst_task_accuracy"]),
        "level": st.floats(0.01, 0.49),
        "val_share": st.floats(0.01, 0.99),
    },
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), protocol=PROTOCOLS, others=OTHERS, search=st.sampled_from(["grid", "random", "tpe"]))
def test_a_tuned_sweep_survives_the_way_through_a_file(written, data, protocol, others, search):
    searched = search != "grid" and protocol.get("protocol") != "fixed"
    tune = {**protocol, **others, "search": search}
    if search != "tpe":
        tune["scheduler"] = data.draw(st.sampled_from(["none", "halving", "race"]))
    if searched:
        tune["configs"] = data.draw(st.integers(2, 50))
    values = content(tune, "naive", {"ewc": data.draw(spaces() if searched else grids)}, scenarios=THREE)
    spec = load_spec(written(values))
    again = load_spec(written(dump_spec(spec)))
    assert again == spec
    assert dump_spec(again) == dump_spec(spec)
    assert [trial.id for trial in planned(again)] == [trial.id for trial in planned(spec)]
    if searched:
        written_space = {name: each for name, each in values["methods"][1]["ewc"].items() if name != "gamma"}
        assert again.methods[1].space == {
            name: Space(kind, tuple(ends))
            for name, each in written_space.items()
            for kind, ends in each.items()
        }


@pytest.mark.parametrize("ewc", [BY_SCENARIO, {"ewc": {"lambda": 3, "scenarios": THREE[:1]}}])
def test_what_was_chosen_and_for_which_scenarios_survives_the_way_through_a_file(written, ewc):
    spec = load_spec(written(content(None, "naive", ewc, scenarios=THREE, chosen=CHOSEN)))
    again = load_spec(written(dump_spec(spec)))
    assert again == spec
    assert [trial.id for trial in planned(again)] == [trial.id for trial in planned(spec)]
    assert again.chosen.resolved() == CHOSEN
