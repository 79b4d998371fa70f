"""Studies: what a tuned sweep searches, and that searching trials and reporting ones never mix."""

import dataclasses
import hashlib
import json

import made
import pytest

from sweeps.plan import data_names, plan
from sweeps.spaces import Space
from sweeps.spec import load_spec
from sweeps.studies import studies
from sweeps.syntax import emit
from sweeps.trials import RESULTS_VERSION

DIGITS = "class-il/split-digits"
TASK_IL = "task-il/split-digits"
EWC = {"ewc": {"lambda": {"loguniform": [1, 1000]}}}
DEFAULT = {"lambda": 300.0, "gamma": 1.0, "lambda_decay": 1.0, "fisher": "exact", "fisher_samples": 200}
LAMBDAS = [DEFAULT | {"lambda": value} for value in (1.0, 10.0, 100.0)]


@pytest.fixture
def loaded(tmp_path):
    def load(*methods, **sections):
        content = {"scenarios": [DIGITS], "methods": [*methods], "seeds": 2, **sections}
        path = tmp_path / "sweep.yaml"
        path.write_text(emit(content), encoding="utf-8")
        return load_spec(str(path))

    return load


def digests_of(names):
    """A digest for each data set, which says what it is the digest of."""
    return {name: f"digest of {', '.join(name)}" for name in names}


def trials_of(spec):
    return plan(spec, digests_of(data_names(spec))).trials


def studies_of(spec):
    digests = digests_of(data_names(spec) | {each.data for each in spec.tune.searched.values()})
    return studies(spec, spec.tune, plan(spec, digests), digests)


@pytest.fixture
def studied(loaded):
    return lambda *methods, **sections: studies_of(loaded(*methods, **{"tune": {}, **sections}))


def named(found):
    return [(each.reported.scenario.label, each.reported.method, each.names) for each in found]


# Which studies there are


def test_there_is_a_study_for_each_scenario_and_method_in_the_order_of_the_plan(studied):
    si = {"si": {"c": {"uniform": [0, 1]}, "xi": {"choice": [0.1, 1]}}}
    found = studied("naive", EWC, si, scenarios=[DIGITS, TASK_IL])
    assert named(found) == [
        (DIGITS, "naive", []),
        (DIGITS, "ewc", ["lambda"]),
        (DIGITS, "si", ["c", "xi"]),
        (TASK_IL, "naive", []),
        (TASK_IL, "ewc", ["lambda"]),
        (TASK_IL, "si", ["c", "xi"]),
    ]
    assert [each.is_searched for each in found] == [False, True, True] * 2


def test_every_model_and_every_way_of_training_is_searched_on_its_own(studied):
    found = studied(EWC, model={"hidden": {"grid": [[8], [16]]}}, train={"lr": {"grid": [0.1, 0.2]}})
    assert [(each.reported.model["hidden"], each.reported.train["lr"]) for each in found] == [
        ([8], 0.1),
        ([8], 0.2),
        ([16], 0.1),
        ([16], 0.2),
    ]


def test_settings_of_a_stream_make_scenarios_of_their_own(studied):
    scenarios = [{"kind": "task-il", "stream": "permuted-digits", "tasks": {"grid": [3, 4]}}]
    found = studied(EWC, scenarios=scenarios, tune={"protocol": "first-k", "first_k": 2})
    assert [each.reported.scenario.settings["tasks"] for each in found] == [3, 4]
    assert [each.searched[0].settings["tasks"] for each in found] == [3, 4]


def test_what_is_excluded_is_not_searched(studied):
    pnn = {"pnn": {}}
    found = studied(EWC, pnn, scenarios=[DIGITS, TASK_IL])
    assert named(found) == [(DIGITS, "ewc", ["lambda"]), (TASK_IL, "ewc", ["lambda"]), (TASK_IL, "pnn", [])]


def test_a_method_is_searched_only_in_its_own_scenarios(studied):
    only = {"ewc": {**EWC["ewc"], "scenarios": [TASK_IL]}}
    assert named(studied("naive", only, scenarios=[DIGITS, TASK_IL])) == [
        (DIGITS, "naive", []),
        (TASK_IL, "naive", []),
        (TASK_IL, "ewc", ["lambda"]),
    ]


# What is searched


def test_a_space_is_searched_around_the_default(studied):
    (study,) = studied(
        {"ewc": {"lambda": {"loguniform": [1, 1000]}, "gamma": 0.5, "fisher": {"choice": ["exact"]}}}
    )
    assert study.default == DEFAULT | {"gamma": 0.5}
    assert (
        study.tried
        == study.space
        == {
            "lambda": Space("loguniform", (1, 1000)),
            "fisher": Space("choice", ("exact",)),
        }
    )
    assert study.grid == ()


def test_all_can_run_if_the_ends_of_every_space_can(studied):
    (study,) = studied(
        {
            "replay": {
                "ratio": {"uniform": [0.1, 0.9]},
                "buffer_size": {"randint": [20, 101]},
                "memory": {"choice": ["reservoir", "per-class"]},
            }
        }
    )
    default = {"ratio": 0.5, "buffer_size": 500, "memory": "reservoir", "loss_weight": "batch"}
    assert study.corners() == [
        default,
        default | {"ratio": 0.1},
        default | {"ratio": 0.9},
        default | {"buffer_size": 20},
        default | {"buffer_size": 100},
        default,
        default | {"memory": "per-class"},
    ]


@pytest.mark.parametrize(
    ("values", "candidates", "tried", "default"),
    [
        ({"lambda": {"grid": [1, 10, 100]}}, LAMBDAS, {"lambda": (1.0, 10.0, 100.0)}, DEFAULT),
        (
            # What all of the grid share is the method's in this sweep, the rest as where nobody searches.
            {"lambda": {"grid": [1, 10, 100]}, "gamma": 0.5},
            [each | {"gamma": 0.5} for each in LAMBDAS],
            {"lambda": (1.0, 10.0, 100.0)},
            DEFAULT | {"gamma": 0.5},
        ),
        (
            {
                "grid": [
                    {"lambda": 1},
                    {"lambda": 10, "fisher": "sampled"},
                    {"lambda": 1, "fisher": "sampled"},
                ]
            },
            [
                DEFAULT | {"lambda": 1.0},
                DEFAULT | {"lambda": 10.0, "fisher": "sampled"},
                DEFAULT | {"lambda": 1.0, "fisher": "sampled"},
            ],
            {"lambda": (1.0, 10.0), "fisher": ("exact", "sampled")},
            DEFAULT,
        ),
    ],
)
def test_a_grid_is_the_candidates_of_one_study(studied, values, candidates, tried, default):
    naive, study = studied("naive", {"ewc": values}, tune={"search": "grid"})
    assert (naive.grid, naive.is_searched) == ((), False)
    assert study.is_searched
    assert study.grid == tuple(candidates)
    assert study.space == {}
    assert study.tried == {name: Space("choice", each) for name, each in tried.items()}
    assert study.default == default
    assert study.corners() == [default, *candidates]


def test_without_a_search_every_set_of_values_is_a_study_of_its_own(studied):
    found = studied("naive", {"ewc": {"lambda": {"grid": [1, 10, 100]}}}, tune={"protocol": "fixed"})
    assert named(found) == [(DIGITS, "naive", []), *[(DIGITS, "ewc", [])] * 3]
    assert [each.default for each in found] == [{}, *LAMBDAS]
    assert [each.corners() for each in found] == [[each.default] for each in found]
    assert not any(each.is_searched or each.grid for each in found)


def test_values_by_scenario_are_not_searched_where_there_is_one_of_them(studied):
    """In the one scenario there are two candidates; in the other a single one, which is just reported."""
    grid = [
        {"lambda": 1, "scenarios": [DIGITS]},
        {"lambda": 10, "scenarios": [DIGITS]},
        {"lambda": 100, "scenarios": [TASK_IL]},
    ]
    searched, measured = studied(
        {"ewc": {"grid": grid}}, scenarios=[DIGITS, TASK_IL], tune={"search": "grid"}
    )
    assert searched.grid == tuple(LAMBDAS[:2])
    assert (measured.grid, measured.default) == ((), LAMBDAS[2])


# Trials that search and trials that report

PROTOCOLS = pytest.mark.parametrize(
    ("tune", "searched", "part"),
    [
        ({}, {"data": ("digits",), "part": None, "tasks": 5}, None),
        (
            {"protocol": "first-k", "first_k": 2},
            {"data": ("digits",), "part": "first-2", "tasks": 5},
            "after-2",
        ),
        (
            {"protocol": "transfer", "source": {"stream": "split-mnist", "tasks": 3}},
            {"data": ("mnist",), "part": None, "tasks": 3},
            None,
        ),
    ],
)


@PROTOCOLS
def test_a_trial_that_searches_holds_no_test_data(studied, tune, searched, part):
    del part
    (study,) = studied(EWC, tune={**tune, "val_share": 0.25}, train={"lr": 0.5, "val_share": 0.5})
    trial = study.search_trial(LAMBDAS[1], 1_000_003)
    assert (trial.method, trial.hyperparameters, trial.seed) == ("ewc", LAMBDAS[1], 1_000_003)
    assert (trial.scored_on, trial.data) == ("val", (*searched["data"], "val"))
    assert (trial.train["val_share"], trial.train["lr"]) == (0.25, 0.5)
    assert trial.scenario.data == searched["data"]
    assert trial.scenario.kind == "class-il"
    assert trial.scenario.settings.get("part") == searched["part"]
    assert trial.scenario.settings["tasks"] == searched["tasks"]
    assert trial.data_digest == f"digest of {searched['data'][0]}"


@PROTOCOLS
def test_a_trial_that_reports_is_scored_on_test_data(studied, tune, searched, part):
    del searched
    (study,) = studied(EWC, tune=tune, train={"lr": 0.5, "val_share": 0.5})
    trial = study.report_trial(LAMBDAS[1], 1)
    assert (trial.method, trial.hyperparameters, trial.seed) == ("ewc", LAMBDAS[1], 1)
    assert (trial.scored_on, trial.data) == ("test", ("digits",))
    assert (trial.train["val_share"], trial.train["lr"]) == (0.5, 0.5)
    assert trial.scenario.settings.get("part") == part
    assert trial.data_digest == "digest of digits"


@PROTOCOLS
def test_the_two_never_have_one_id(studied, tune, searched, part):
    """Not even with the same seed and the same share held out."""
    del searched, part
    (study,) = studied(EWC, tune=tune, train={"val_share": 0.1})
    assert study.search_trial(study.default, 0).id != study.report_trial(study.default, 0).id


@PROTOCOLS
@pytest.mark.parametrize("search", ["random", "grid"])
def test_a_reporting_trial_is_that_of_an_ordinary_sweep_with_the_winners_values(
    loaded, tune, searched, part, search
):
    del searched
    kind = "grid" if search == "grid" else "choice"
    tuned = loaded({"ewc": {"lambda": {kind: [1, 10, 100]}}}, tune={**tune, "search": search})
    (study,) = studies_of(tuned)
    winner = study.default | {"lambda": study.tried["lambda"].values[1]}
    scenario = {"kind": "class-il", "stream": "split-digits", **({"part": part} if part else {})}
    ordinary = loaded({"ewc": {"lambda": 10}}, scenarios=[scenario])
    assert [study.report_trial(winner, seed).id for seed in tuned.seeds] == [
        trial.id for trial in trials_of(ordinary)
    ]


@pytest.mark.parametrize(
    ("method", "name", "written", "drawn", "value"),
    [
        ("ewc", "lambda", {"randint": [1, 10]}, 7, 7.0),
        ("ewc", "lambda", {"uniform": [1, 1000]}, 7.0, 7.0),
        ("ewc", "fisher_samples", {"randint": [1, 10]}, 7, 7),
        ("replay", "buffer_size", {"randint": [1, 10]}, 7, 7),
    ],
)
def test_a_drawn_number_is_of_the_type_that_a_spec_gives_it(loaded, method, name, written, drawn, value):
    """Or the trial would have another id than one in which somebody writes the number down."""
    (study,) = studies_of(loaded({method: {name: written}}, tune={}))
    found = study.space[name].rounded(drawn)
    (ordinary, _) = trials_of(loaded({method: {name: value}}))
    assert type(found) is type(ordinary.hyperparameters[name]) is type(value)
    assert study.report_trial(study.default | {name: found}, 0).id == ordinary.id


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ({"choice": [1, 2.5]}, (1.0, 2.5)),
        ({"randint": [1, 10]}, (1.0, 10.0)),
        ({"loguniform": [1, 10]}, (1.0, 10.0)),
    ],
)
def test_the_values_of_a_space_are_those_that_trials_have(studied, written, values):
    (study,) = studied({"ewc": {"lambda": written}})
    found = study.space["lambda"]
    assert found.values == values
    assert [type(value) for value in found.values] == [float, float]
    assert found.ends[0] == 1.0
    assert [type(each["lambda"]) for each in study.corners()] == [float] * 3


def test_the_default_is_reported_as_in_an_ordinary_sweep_that_gives_nothing(loaded):
    for method, tune in ((EWC, {}), ({"ewc": {"lambda": {"grid": [1, 10]}}}, {"search": "grid"})):
        (study,) = studies_of(loaded(method, tune=tune))
        ids = [study.report_trial(study.default, seed).id for seed in (0, 1)]
        assert ids == [trial.id for trial in trials_of(loaded("ewc"))]


def test_configurations_and_seeds_of_a_search_are_trials_of_their_own(studied):
    (study,) = studied({"ewc": {"lambda": {"grid": [1, 10, 100]}}}, tune={"search": "grid"})
    ids = {study.search_trial(values, seed).id for values in study.grid for seed in (5, 6)}
    assert len(ids) == 6


def test_resources_of_a_method_are_those_of_all_its_trials(studied):
    (study,) = studied({"ewc": {**EWC["ewc"], "resources": {"threads": 2}}})
    for trial in (study.search_trial(study.default, 0), study.report_trial(study.default, 0)):
        assert trial.resources.threads == 2


# What a trial is scored on


def test_what_reports_has_the_id_that_it_had_before_there_were_searches():
    trial = made.trial("naive", 3)
    identity = {
        "data_digest": "d1g175",
        "device": "cpu",
        "hyperparameters": {},
        "kind": "class-il",
        "method": "naive",
        "model": trial.model,
        "results_version": RESULTS_VERSION,
        "seed": 3,
        "stream": "split",
        "stream_settings": {"normalize": False, "tasks": 2, "classes_per_task": 2, "class_order": "natural"},
        "threads": 1,
        "train": trial.train,
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    assert trial.scored_on == "test"
    assert trial.identity() == identity
    assert trial.id == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_what_searches_says_so_in_its_identity():
    trial = made.trial("naive", 3)
    searching = dataclasses.replace(trial, scored_on="val")
    assert searching.identity() == {"scored_on": "val", **trial.identity()}
    assert searching.id != trial.id
    assert (trial.data, searching.data) == (("digits",), ("digits", "val"))


def test_a_method_may_have_another_space_in_each_scenario(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(
        """
        seeds: 2
        scenarios: [class-il/split-digits, task-il/split-digits]
        methods:
          - ewc:
              grid:
                - {lambda: {loguniform: [1, 10]}, scenarios: [class-il/split-digits]}
                - {lambda: {loguniform: [100, 1000]}, scenarios: [task-il/split-digits]}
        tune: {configs: 3, seeds: 2}
        """,
        encoding="utf-8",
    )
    spec = load_spec(str(path))
    found = studies(spec, spec.tune, plan(spec, {("digits",): "d1"}), {("digits",): "d1"})
    assert {each.reported.scenario.kind: each.space["lambda"].values for each in found} == {
        "class-il": (1.0, 10.0),
        "task-il": (100.0, 1000.0),
    }
