"""A trial's outcome: the accuracy matrix from its reports."""

from __future__ import annotations

import json

import numpy as np
import torch
from made import outcome, trial

from cl.training import Score, TaskReport
from orchestrator.outcome import Outcome, outcomes_of
from sweeps.trials import Resources

NAN = np.nan


def test_columns_are_tasks_trained_and_rows_tasks_evaluated():
    R = outcome([0.5, None], [0.9, None], [0.25, 1.0]).matrix()
    np.testing.assert_array_equal(R, [[0.9, 0.25], [NAN, 1.0]])


def test_what_is_not_learned_yet_is_missing():
    R = outcome([0.5, 0.4, 0.3], [0.9, 0.1, 0.2]).matrix()
    np.testing.assert_array_equal(R, [[0.9, NAN, NAN], [0.1, NAN, NAN], [0.2, NAN, NAN]])


def test_validation_scores_are_not_in_it():
    scores = (Score(0, "test", 0.5, 10), Score(0, "val", 0.75, 4))
    R = Outcome((TaskReport(-1, scores), TaskReport(0, scores)), "complete").matrix()
    np.testing.assert_array_equal(R, [[0.5]])


def test_a_trial_says_which_packages_it_ran_with_and_no_gpu_where_it_used_none(blobs):
    outcomes = list(outcomes_of(trial(iterations=1), [blobs]))
    assert outcomes[-1].status == "complete"
    assert {json.loads(each.packages)["numpy"] for each in outcomes} == {np.__version__}
    assert {each.gpu_model for each in outcomes} == {None}


def test_a_trial_on_a_gpu_says_which_even_if_it_fails(blobs, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    # Where there is no GPU it fails, and where there is one it says so all the same.
    [*_, last] = outcomes_of(trial(iterations=1, resources=Resources(gpu=1, device="cuda")), [blobs])
    assert last.gpu_model == "NVIDIA H200"


def test_a_gpu_that_fails_the_trial_and_then_does_not_say_its_name_is_the_trials_failure(blobs, monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA error: the GPU has fallen off the bus")

    monkeypatch.setattr(torch.cuda, "get_device_name", broken)
    monkeypatch.setattr("orchestrator.outcome.course_of", broken)
    [last] = outcomes_of(trial(resources=Resources(gpu=1, device="cuda")), [blobs])
    assert (last.status, last.gpu_model) == ("failed", None)
    assert last.cause == "RuntimeError: CUDA error: the GPU has fallen off the bus"
