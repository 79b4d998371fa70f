"""Which rows of a run belong to its spec as it is now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from commands import TINY
from made import outcome, recorder, trial

from orchestrator.identity import columns_of, names_of, of_spec, scenario_key, trial_of
from results.schema import TRIALS, to_table
from results.store import Store
from sweeps.plan import plan
from sweeps.spec import load_spec
from sweeps.trials import Resources, Scenario


@pytest.fixture
def recorded(tmp_path):
    """The trials table after the TINY sweep with the given overrides was run."""

    def record(*overrides):
        (tmp_path / "tiny.yaml").write_text(TINY)
        spec = load_spec(str(tmp_path / "tiny.yaml"), overrides)
        trials = plan(spec, {("digits",): "d1g175"}).trials
        recording = recorder(Store(tmp_path / "run"), {scenario_key(t): 2 for t in trials})
        for each in trials:
            recording.started(each)
            recording.reported(each, outcome([0.5, None], [1.0, None], [0.5, 1.0], status="complete"))
        recording.writer.flush()
        return spec, recording.store.trials()

    return record


def test_all_rows_of_the_spec_that_was_run_belong_to_it(recorded):
    spec, trials = recorded()
    assert trials.num_rows == 8
    assert of_spec(trials, spec)[0].equals(trials)


@pytest.mark.parametrize(
    ("override", "kept"),
    [
        ("seeds=1", 4),
        ("seeds=[1, 7]", 4),
        ("methods=[naive]", 2),
        ("train.lr=0.1", 0),
        ("model.hidden=[17]", 0),
        ("scenarios.0.class_order=seed", 0),
        ("methods.replay.buffer_size=7", 6),
        ("resources.threads=2", 0),
        ("resources.cpu=2", 8),
        ("name=other", 8),
    ],
)
def test_rows_of_other_settings_do_not_belong_to_a_spec(recorded, override, kept):
    _, trials = recorded()
    changed, both = recorded(override)
    assert of_spec(trials, changed)[0].num_rows == kept
    ours = plan(changed, {("digits",): "d1g175"}).trials
    assert sorted(of_spec(both, changed)[0]["trial_id"].to_pylist()) == sorted(trial.id for trial in ours)


@pytest.mark.parametrize("change", [{"data_digest": "other"}, {"results_version": 0}])
def test_rows_of_other_data_or_code_do_not_belong_to_a_spec_once_there_are_newer_ones(recorded, change):
    spec, trials = recorded()
    rows = trials.to_pylist()
    earlier = rows[0]["started_at"] - timedelta(days=1)
    old = [row | change | {"trial_id": f"old{k}", "started_at": earlier} for k, row in enumerate(rows)]
    both = to_table(TRIALS, [*old, *rows])
    assert of_spec(both, spec)[0].equals(trials)
    assert of_spec(to_table(TRIALS, old), spec)[0].num_rows == 8, (
        "of nothing newer, they are the present ones"
    )


def test_what_a_spec_plans_beyond_its_rows_has_not_started(recorded):
    spec, trials = recorded()
    rows = trials.to_pylist()
    assert of_spec(trials, spec)[1] == []
    [to_come] = of_spec(to_table(TRIALS, rows[1:]), spec)[1]
    assert {name: rows[0][name] for name in to_come} == to_come
    assert {row["data_digest"] for row in of_spec(TRIALS.empty_table(), spec)[1]} == {""}


def test_trials_are_named_by_what_varies_among_them():
    trials = [
        trial("ewc", tasks=tasks, hyperparameters={"lambda": strength}, seed=seed)
        for tasks in (2, 3)
        for strength in (1.0, 10.0)
        for seed in (0, 1)
    ]
    names = names_of(trials)
    assert list(names) == [each.id for each in trials]
    scenario = "class-il/split-digits"
    assert list(dict.fromkeys(names.values())) == [
        (f"{scenario} tasks=2", "ewc lambda=1"),
        (f"{scenario} tasks=2", "ewc lambda=10"),
        (f"{scenario} tasks=3", "ewc lambda=1"),
        (f"{scenario} tasks=3", "ewc lambda=10"),
    ]


def test_a_run_without_trials_has_none_that_belong(recorded):
    spec, _ = recorded()
    assert of_spec(TRIALS.empty_table(), spec)[0].num_rows == 0


def test_the_columns_of_a_trial_are_columns_of_the_table(recorded):
    spec, _ = recorded()
    for each in plan(spec, {("digits",): "d"}).trials:
        assert set(columns_of(each)) <= set(TRIALS.names)


@pytest.mark.parametrize(
    "original",
    [
        trial("ewc", 3, hyperparameters={"lambda": 2.5}, lr=0.3, val_share=0.1),
        trial(resources=Resources(cpu=2, gpu=0.5, threads=2)),
        trial(label="task-il/explicit-a+b-c", stream="explicit"),
        replace(trial(), method="mine.own:Pull", hyperparameters={"strength": 1, "source": "5e"}),
        replace(
            trial(),
            scenario=Scenario("class-il", "my.own:Split", ("digits",), {}, "class-il/my.own:Split-digits"),
        ),
    ],
)
def test_a_row_of_the_table_has_all_that_makes_the_id(original):
    assert trial_of(columns_of(original) | {"data_digest": original.data_digest}).id == original.id


@pytest.mark.parametrize("settings", ["mlp", "[1]"])
def test_settings_that_are_no_json_object_make_no_trial(settings):
    with pytest.raises(ValueError, match=r"Expecting value|JSON object"):
        trial_of(columns_of(trial()) | {"data_digest": "d", "model": settings})
