"""Matrices as they were when the results version was set.

Where one of these changes, the same trial gives other numbers: raise `sweeps.trials.RESULTS_VERSION`, so
that results of before are not taken for results of now.
"""

import pytest
from small_trial import matrix, reports

from cl.registry import TrainSettings
from sweeps.trials import RESULTS_VERSION

SHORT = TrainSettings(iterations=6, batch_size=8, lr=0.02)
N = None
GOLDEN = {  # kind: method, hyperparameters, loss per task, test examples of 20 right after each task
    "class-il": (
        "joint",
        {},
        [0.63876, 1.31266, 1.70642],
        [[14, N, N], [20, N, N], [2, 15, N], [13, 6, 10]],
    ),
    "domain-il": (
        "replay",
        {"ratio": 0.25, "buffer_size": 30},
        [0.63876, 0.63203, 0.66359],
        [[14, 11, 0], [20, 18, 4], [20, 20, 10], [20, 20, 14]],
    ),
    "task-il": (
        "ewc",
        {"lambda": 100.0},
        [0.63876, 0.66611, 0.6783],
        [[14, 10, 10], [20, 10, 10], [20, 10, 10], [20, 10, 10]],
    ),
}


@pytest.mark.parametrize("kind", sorted(GOLDEN))
def test_the_numbers_are_those_of_the_results_version(blobs, kind):
    method, hyperparameters, losses, correct = GOLDEN[kind]
    run = reports(blobs, kind, method, hyperparameters, train=SHORT)
    assert RESULTS_VERSION == 1
    assert [report.loss for report in run[1:]] == pytest.approx(losses, abs=2e-5)
    assert [[a if a is None else round(20 * a) for a in row] for row in matrix(run)] == correct
