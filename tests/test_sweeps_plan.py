"""The plan: its order, what is excluded and why, which resources a trial gets."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from cl import registry
from cl.registry import MODELS
from sweeps.plan import Excluded, data_names, plan
from sweeps.spec import load_spec
from sweeps.trials import Resources

DIGESTS = {("digits",): "d1g175"}


@pytest.fixture
def spec(tmp_path):
    def load(text):
        path = tmp_path / "sweep.yaml"
        path.write_text(text)
        return load_spec(str(path))

    return load


def test_trials_of_one_seed_come_before_those_of_the_next(spec):
    trials = plan(
        spec(
            "{seeds: [7, 3], methods: [naive, joint],"
            " scenarios: [class-il/split-digits, task-il/split-digits]}"
        ),
        DIGESTS,
    ).trials
    assert [(trial.seed, trial.scenario.kind, trial.method) for trial in trials] == [
        (7, "class-il", "naive"),
        (7, "class-il", "joint"),
        (7, "task-il", "naive"),
        (7, "task-il", "joint"),
        (3, "class-il", "naive"),
        (3, "class-il", "joint"),
        (3, "task-il", "naive"),
        (3, "task-il", "joint"),
    ]


def test_every_grid_multiplies_the_trials(spec):
    trials = plan(
        spec("""
            seeds: 2
            scenarios: [{kind: domain-il, stream: permuted-digits, tasks: {grid: [5, 10]}}]
            methods: [naive, ewc: {lambda: {grid: [1, 10, 100]}}]
            model: {hidden: {grid: [[100], [256, 256]]}}
            train: {lr: {grid: [0.1, 0.01]}}
        """),
        DIGESTS,
    ).trials
    assert len(trials) == 2 * 2 * (1 + 3) * 2 * 2
    assert len({trial.id for trial in trials}) == len(trials)
    assert {tuple(trial.model["hidden"]) for trial in trials} == {(100,), (256, 256)}


def test_values_that_the_optimizer_does_not_read_make_no_trials(spec):
    trials = plan(
        spec("""
            seeds: 1
            scenarios: [class-il/split-digits]
            methods: [naive]
            train: {optimizer: {grid: [sgd, adam]}, momentum: {grid: [0, 0.5]}}
        """),
        DIGESTS,
    ).trials
    assert [(trial.train["optimizer"], trial.train["momentum"]) for trial in trials] == [
        ("sgd", 0.0),
        ("sgd", 0.5),
        ("adam", 0.9),
    ]


def test_a_method_that_cannot_run_in_a_kind_is_excluded_with_the_reason(spec, monkeypatch):
    entry = replace(registry.METHODS["ewc"], kinds=("task-il",), needs="needs the task's number at inference")
    monkeypatch.setattr(registry, "METHODS", MappingProxyType({**registry.METHODS, "ewc": entry}))
    planned = plan(
        spec("""
            seeds: 2
            scenarios: [task-il/split-digits, class-il/split-digits]
            methods: [naive, ewc: {lambda: {grid: [1, 2]}}]
        """),
        DIGESTS,
    )
    assert planned.excluded == (
        Excluded(
            "class-il/split-digits",
            "ewc",
            "ewc cannot run in class-il because it needs the task's number at inference",
        ),
    )
    assert {(trial.scenario.kind, trial.method) for trial in planned.trials} == {
        ("task-il", "naive"),
        ("task-il", "ewc"),
        ("class-il", "naive"),
    }


def test_what_one_reason_excludes_is_said_once(spec):
    planned = plan(
        spec("""
            scenarios: [task-il/split-digits, class-il/split-digits, class-il/permuted-digits]
            methods: [naive, ewc, pnn]
            model: {name: MultiHeadMLP}
        """),
        DIGESTS,
    )
    both = "class-il/split-digits, class-il/permuted-digits"
    why = MODELS["MultiHeadMLP"].fits["class-il"].reason
    assert planned.exclusions == [
        "task-il/split-digits with pnn: pnn cannot train MultiHeadMLP, only ProgressiveNeuralNet",
        f"{both} with naive, ewc: MultiHeadMLP cannot be used in class-il: {why}",
        f"{both} with pnn: pnn cannot run in class-il because it selects its column by the task id",
    ]


def test_a_model_that_a_method_or_a_kind_cannot_have_is_excluded_and_the_others_run(spec):
    planned = plan(
        spec("""
            seeds: 1
            scenarios: [task-il/split-digits, class-il/split-digits]
            methods: [naive, pnn]
            model: {grid: [{hidden: [8]}, {hidden: [9]}, {name: MultiHeadMLP}, {name: ConvNet}]}
        """),
        DIGESTS,
    )
    assert [(each.scenario, each.method, each.reason) for each in planned.excluded] == [
        ("task-il/split-digits", "pnn", "pnn cannot train MultiHeadMLP, only ProgressiveNeuralNet"),
        ("task-il/split-digits", "pnn", "pnn cannot train ConvNet, only ProgressiveNeuralNet"),
        (
            "class-il/split-digits",
            "naive",
            f"MultiHeadMLP cannot be used in class-il: {MODELS['MultiHeadMLP'].fits['class-il'].reason}",
        ),
        (
            "class-il/split-digits",
            "pnn",
            "pnn cannot run in class-il because it selects its column by the task id",
        ),
    ]
    assert planned.exclusions == [
        f"{each.scenario} with {each.method}: {each.reason}" for each in planned.excluded
    ]
    ran = [(trial.scenario.kind, trial.method, trial.model["name"]) for trial in planned.trials]
    assert ran == [
        *[("task-il", "naive", name) for name in ("mlp", "mlp", "MultiHeadMLP", "ConvNet")],
        *[("task-il", "pnn", "mlp")] * 2,
        *[("class-il", "naive", name) for name in ("mlp", "mlp", "ConvNet")],
    ]


def test_a_suboptimal_model_is_warned_of_once_for_a_scenario(spec):
    planned = plan(
        spec("""
            seeds: 2
            scenarios: [task-il/split-digits, class-il/split-digits]
            methods: [naive, ewc]
            model: {name: SingleHeadMLP, hidden: {grid: [[8], [9]]}}
        """),
        DIGESTS,
    )
    assert planned.warnings == (
        "task-il/split-digits: SingleHeadMLP is suboptimal in task-il: "
        + MODELS["SingleHeadMLP"].fits["task-il"].reason,
    )
    assert planned.excluded == ()
    assert len(planned.trials) == 2 * 2 * 2 * 2


def test_data_that_only_excluded_combinations_name_is_not_needed(spec):
    text = "{scenarios: [class-il/split-mnist, task-il/split-digits], methods: [pnn]}"
    assert data_names(spec(text)) == {("digits",)}


def test_the_more_specific_resources_win(spec):
    trials = plan(
        spec("""
            seeds: 1
            scenarios:
              - class-il/split-digits
              - {kind: task-il, stream: split-digits, resources: {cpu: 2, threads: 2}}
            methods: [naive, joint: {resources: {cpu: 4}}]
            resources: {cpu: 0.5, gpu: 0.25}
        """),
        DIGESTS,
    ).trials
    assert [trial.resources for trial in trials] == [
        Resources(0.5, 0.25, 1),
        Resources(4.0, 0.25, 1),
        Resources(2.0, 0.25, 2),
        Resources(4.0, 0.25, 2),
    ]


def test_a_longer_grid_and_more_seeds_keep_the_ids_of_the_trials_that_were_there(spec):
    text = (
        "{{seeds: {}, scenarios: [class-il/split-digits], methods: [naive, ewc: {{lambda: {{grid: {}}}}}]}}"
    )
    before = {trial.id for trial in plan(spec(text.format(2, [1, 10])), DIGESTS).trials}
    after = {trial.id for trial in plan(spec(text.format(3, [1, 5, 10])), DIGESTS).trials}
    assert before < after
    assert len(after - before) == 3 * 4 - 2 * 3


def test_other_data_gives_other_ids(spec):
    sweep = spec("{seeds: 1, scenarios: [class-il/split-digits], methods: [naive]}")
    assert plan(sweep, DIGESTS).trials[0].id != plan(sweep, {("digits",): "other"}).trials[0].id


def test_the_data_that_is_needed_is_named_once(spec, tmp_path):
    for name in ("a.npz", "b.npz"):
        (tmp_path / name).touch()
    sweep = spec("""
        scenarios:
          - class-il/split-digits
          - domain-il/permuted-digits
          - class-il/split-mnist
          - {kind: domain-il, stream: [a.npz, b.npz]}
        methods: [naive]
    """)
    assert data_names(sweep) == {
        ("digits",),
        ("mnist",),
        (str(tmp_path / "a.npz"), str(tmp_path / "b.npz")),
    }
