"""How long a sweep should take, from earlier trials and from real steps, against hand calculations."""

from __future__ import annotations

import pytest
from made import trial

from cl.datasets import load
from orchestrator.estimate import RAY_START_S, Estimate, estimate, steps_of, work_of
from orchestrator.identity import StreamFacts, columns_of, scenario_key
from sweeps.trials import Resources

DATA = {("digits",): [load("digits")]}  # 1437 training examples


def timing(of, *, train_s=3.0, eval_s=1.0, status="complete"):
    """A row of the trials table."""
    return columns_of(of) | {"status": status, "train_s": train_s, "eval_s": eval_s}


def streams(*trials):
    return {scenario_key(t): StreamFacts(2, chance=0.5) for t in trials}


@pytest.mark.parametrize(
    ("made", "count", "steps"),
    [
        # Two of ten classes are 287 of 1437 examples, 5 batches of 64 an epoch.
        (trial(epochs=5), 2, 2 * 5 * 5),
        # Joint learns 287 and then 574 examples: 5 and 9 batches an epoch.
        (trial("joint", epochs=5), 2, 5 * 5 + 5 * 9),
        (trial(iterations=7), 2, 14),
        (trial("joint", iterations=7), 2, 7 + 14),
        # Every task of a permuted stream has all examples: 23 batches of 64.
        (trial(stream="permuted", epochs=1), 3, 69),
        # One explicit task of three has a third: 8 batches.
        (trial(stream="explicit", epochs=1), 3, 24),
        # A quarter held out leaves 215: 4 batches.
        (trial(epochs=1, val_share=0.25), 2, 8),
        (trial(epochs=1, batch_size=287), 2, 2),
    ],
)
def test_steps_follow_from_the_examples_and_the_settings(made, count, steps):
    assert steps_of(made, DATA["digits",], count) == steps


@pytest.mark.parametrize(
    ("method", "hyperparameters", "times"),
    [("naive", {}, 1), ("replay", {"ratio": 0.75}, 4), ("der", {}, 2), ("agem", {"sample_size": 128}, 3)],
)
def test_what_a_step_does_beside_the_new_examples_is_work_too(method, hyperparameters, times):
    made = trial(method, iterations=10, hyperparameters=hyperparameters)
    assert work_of(made, DATA["digits",], 2) == 20 * times


def test_an_estimate_is_the_mean_of_earlier_trials_alike():
    todo = [trial(seed=seed) for seed in (2, 3, 4)]
    before = [timing(trial(seed=0)), timing(trial(seed=1), train_s=5.0)]  # 4 s and 6 s
    expected = estimate(todo, DATA, streams(*todo), before)
    assert (expected.seconds, expected.measured) == (15.0, 3)


def test_trials_that_failed_or_differ_say_nothing_about_the_time(monkeypatch):
    todo = [trial()]
    others = [
        timing(trial(seed=1), train_s=1e6, status="failed"),
        timing(trial("ewc", seed=1), train_s=1e6),
        timing(trial(seed=1, tasks=5), train_s=1e6),
        timing(trial(seed=1, lr=0.1), train_s=1e6),
        timing(trial(seed=1, label="task-il/split-digits"), train_s=1e6),
    ]
    monkeypatch.setattr("orchestrator.estimate._calibrate", lambda *_: 2.0)
    expected = estimate(todo, DATA, streams(*todo), others)
    assert (expected.seconds, expected.measured) == (2.0, 0)


def test_each_kind_of_trial_is_calibrated_once(monkeypatch):
    calibrated = []
    monkeypatch.setattr("orchestrator.estimate._calibrate", lambda t, *_: calibrated.append(t.method) or 2.0)
    todo = [trial(method, seed=seed) for seed in (0, 1) for method in ("naive", "ewc")]
    todo.append(trial("joint"))
    expected = estimate(todo, DATA, streams(*todo), [timing(trial("joint", seed=9))])
    assert calibrated == ["naive", "ewc"]
    assert (expected.seconds, expected.measured) == (4 * 2.0 + 4.0, 1)


def test_a_calibration_takes_real_steps_and_grows_with_the_work():
    short, long = trial(iterations=1000), trial(iterations=100_000)
    times = [estimate([t], DATA, streams(t), []).seconds for t in (short, long)]
    assert 0.05 < times[0] < 60, "a step takes about 0.3 ms here"
    assert 20 < times[1] / times[0] < 500, "a hundred times the steps"


def test_a_trial_that_diverges_or_fails_at_once_is_expected_to_take_no_time():
    diverging = trial(lr=1e30, clip_norm=None)
    assert estimate([diverging], DATA, streams(diverging), []) == Estimate(0.0, 0, 1)


def test_nothing_to_run_takes_no_time():
    assert estimate([], DATA, {}, []).wall_s == 0


def test_the_wall_time_is_shared_among_trials_at_a_time_after_rays_start():
    assert Estimate(seconds=60, measured=0, parallel=3).wall_s == RAY_START_S + 20


@pytest.mark.parametrize(
    ("cpu", "trials", "parallel"), [(1, 8, 4), (2, 8, 2), (3, 8, 1), (8, 8, 1), (0.5, 6, 6), (1, 3, 3)]
)
def test_so_many_trials_run_at_a_time_as_four_cores_hold(monkeypatch, cpu, trials, parallel):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    todo = [trial(seed=seed, resources=Resources(cpu=cpu)) for seed in range(trials)]
    assert estimate(todo, DATA, streams(*todo), [timing(trial(seed=99))]).parallel == parallel
