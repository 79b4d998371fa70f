"""Trial ids: equal exactly when the numbers would be."""

import dataclasses
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.trials import Resources, Scenario, Trial

TRIAL = Trial(
    scenario=Scenario(
        kind="class-il",
        stream="split",
        data=("digits",),
        settings={"normalize": False, "tasks": 5, "classes_per_task": 2, "class_order": "natural"},
        label="class-il/split-digits",
    ),
    method="ewc",
    hyperparameters={"lambda": 100.0, "gamma": 1.0, "fisher": "exact", "fisher_samples": 200},
    seed=3,
    model={"hidden": [256, 256]},
    train={"epochs": 5, "iterations": None, "batch_size": 64, "lr": 0.01, "reset_optimizer": True},
    resources=Resources(cpu=1.0, gpu=0.0, threads=1),
    data_digest="0123456789abcdef",
)


def changed(**values):
    return dataclasses.replace(TRIAL, **values)


def scenario(**values):
    return changed(scenario=dataclasses.replace(TRIAL.scenario, **values))


def test_the_id_of_a_known_trial_never_changes_by_accident():
    assert TRIAL.id == "a97bdc5de19fc053"


@given(st.data())
def test_an_id_does_not_depend_on_the_order_of_names(data):
    def shuffled(values):
        return dict(data.draw(st.permutations(list(values.items()))))

    again = changed(
        scenario=dataclasses.replace(TRIAL.scenario, settings=shuffled(TRIAL.scenario.settings)),
        hyperparameters=shuffled(TRIAL.hyperparameters),
        train=shuffled(TRIAL.train),
    )
    assert again.id == TRIAL.id


@pytest.mark.parametrize(
    "other",
    [
        scenario(kind="task-il"),
        scenario(stream="permuted"),
        changed(method="replay"),
        changed(seed=4),
        changed(model={"hidden": [256]}),
        changed(data_digest="0123456789abcdee"),
        changed(resources=Resources(threads=2)),
        changed(resources=Resources(gpu=0.25)),
    ],
)
def test_an_id_differs_when_something_that_changes_the_numbers_differs(other):
    assert other.id != TRIAL.id


@given(
    st.sampled_from(["hyperparameters", "train", "settings"]),
    st.integers(0, 3),
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5) | st.none(),
)
def test_an_id_differs_when_any_single_value_differs(part, which, value):
    values = TRIAL.scenario.settings if part == "settings" else getattr(TRIAL, part)
    name = list(values)[which]
    new = {**values, name: value}
    other = scenario(settings=new) if part == "settings" else changed(**{part: new})
    assert (other.id == TRIAL.id) == (repr(value) == repr(values[name]))


@given(st.floats(0.1, 64), st.text(max_size=10))
def test_amounts_and_names_are_not_in_the_id(amount, name):
    assert changed(resources=Resources(cpu=amount)).id == TRIAL.id
    assert scenario(label=f"class-il/{name}", data=(name,)).id == TRIAL.id


def test_shares_of_a_gpu_have_one_id():
    assert changed(resources=Resources(gpu=0.25)).id == changed(resources=Resources(gpu=1.0)).id


def test_a_trial_travels_to_another_process_unchanged():
    again = pickle.loads(pickle.dumps(TRIAL))  # noqa: S301  # our own bytes
    assert again == TRIAL
    assert again.id == TRIAL.id


def test_a_value_that_is_no_number_has_no_id():
    with pytest.raises(ValueError, match="not JSON compliant"):
        _ = changed(train={"lr": float("nan")}).id
