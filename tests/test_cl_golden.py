"""Matrices as they were when the results version was set.

Where one of these changes, the same trial gives other numbers: raise `sweeps.trials.RESULTS_VERSION`, so
that results of before are not taken for results of now.
"""

import pytest
from small_trial import matrix, reports

from cl.registry import METHODS, TrainSettings
from sweeps.trials import RESULTS_VERSION

SHORT = TrainSettings(iterations=10, batch_size=8, lr=0.02)
N = None
GOLDEN = {  # kind: method, hyperparameters, loss per task, test examples of 20 right after each task
    "class-il": (
        "joint",
        {},
        [0.63123, 1.31736, 1.69374],
        [[10, N, N], [20, N, N], [14, 20, N], [20, 15, 20]],
    ),
    "domain-il": (
        "replay",
        {"ratio": 0.25, "buffer_size": 30},
        [0.63123, 0.58407, 0.66061],
        [[10, 11, 10], [20, 10, 6], [20, 20, 8], [20, 11, 14]],
    ),
    "task-il": (
        "ewc",
        {"lambda": 100.0},
        [0.63123, 0.65153, 0.68196],
        [[10, 10, 10], [20, 10, 10], [20, 10, 9], [20, 10, 10]],
    ),
}


@pytest.mark.parametrize("kind", sorted(GOLDEN))
def test_the_numbers_are_those_of_the_results_version(blobs, kind):
    method, hyperparameters, losses, correct = GOLDEN[kind]
    run = reports(blobs, kind, method, hyperparameters, train=SHORT)
    assert RESULTS_VERSION == 4
    assert [report.loss for report in run[1:]] == pytest.approx(losses, abs=2e-5)
    assert [[a if a is None else round(20 * a) for a in row] for row in matrix(run)] == correct


LOSSES = {  # of each task's last epoch, with Adam
    "naive": [0.22037, 0.58416, 0.70197],
    "joint": [0.22037, 0.47805, 0.55853],
    "scratch": [0.22037, 0.50074, 0.54956],
    "ewc": [0.22037, 0.86362, 1.11628],
    "ewc-separate": [0.22037, 0.86362, 1.12065],
    "si": [0.22037, 0.58442, 0.70202],
    "lwf": [0.22037, 1.26240, 1.71605],
    "replay": [0.22037, 0.62837, 0.75207],
    "der": [0.34460, 0.87161, 1.24481],
    "derpp": [0.45360, 1.38118, 1.60498],
    "gem": [0.22037, 0.80328, 0.85382],
    "agem": [0.22037, 0.78529, 0.71641],
    "pnn": [0.22037, 0.12352, 0.25525],
    "packnet": [0.23872, 0.40400, 0.60376],
}


@pytest.mark.parametrize("method", METHODS)
def test_the_losses_of_every_method_are_those_of_the_results_version(blobs, method):
    train = TrainSettings(epochs=2, batch_size=8, optimizer="adam", lr=0.01)
    run = reports(blobs, METHODS[method].kinds[-1], method, train=train)
    assert [report.loss for report in run[1:]] == pytest.approx(LOSSES[method], abs=2e-5)
