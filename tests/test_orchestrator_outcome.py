"""A trial's outcome: the accuracy matrix from its reports."""

from __future__ import annotations

import numpy as np
from made import outcome

from cl.training import Score, TaskReport
from orchestrator.outcome import Outcome

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
