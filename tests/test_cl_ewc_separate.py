"""EWC with one penalty per task: the kept quadratic against an explicit list of penalties."""

import numpy as np
import pytest
import torch
from small_trial import FAST, matrix, reports, watched
from steps_by_hand import begin, derivative, logits, shift, step_gradient, trainer_on
from torch.nn import functional

from cl.datasets import Dataset
from cl.fisher import fisher_diagonal
from cl.methods import EWC, SeparateEWC
from cl.registry import KINDS, TrainSettings


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labels", ["exact", "empirical"])
def test_the_gradient_is_that_of_one_penalty_per_task(blobs, kind, labels):
    """Each penalty kept apart: an anchor and a Fisher as long as the parameters were when its task ended."""
    trainer, tasks = trainer_on(blobs, SeparateEWC(lambda_=50.0, fisher=labels), kind)
    penalties = []
    for task in range(3):
        begin(trainer, task, tasks[task])
        shift(trainer, seed=task)
        gradient, _ = step_gradient(trainer, tasks[task])

        theta = trainer.learner.model.theta
        loss = functional.cross_entropy(logits(trainer, tasks[task]), tasks[task].y[:16])
        for anchor, fisher in penalties:
            loss = loss + 50.0 / 2 * (fisher * (theta[: len(anchor)] - anchor) ** 2).sum()
        torch.testing.assert_close(gradient, derivative(loss, trainer), rtol=1e-4, atol=1e-5)

        fisher = fisher_diagonal(trainer.learner, tasks[task], labels, 200)
        penalties.append((theta.detach().clone(), fisher))
        trainer.method.consolidate(trainer.learner, tasks[task])
    pulls = [50.0 * fisher[:50] * (theta.detach()[:50] - anchor[:50]) for anchor, fisher in penalties[:2]]
    assert all(pull.abs().max() > 0.01 for pull in pulls)


def test_the_anchor_is_the_mean_of_the_weights_under_their_fishers(blobs, monkeypatch):
    """By hand: Fishers 3 and 1 of weights 1 and 5 keep Fisher 4 and anchor 2; without any, no pull."""
    method = SeparateEWC(lambda_=1.0)
    trainer, tasks = trainer_on(blobs, method, "domain-il")
    for task, (fisher, weight) in enumerate([(3.0, 1.0), (1.0, 5.0)]):
        begin(trainer, task, tasks[task])
        trainer.learner.theta.fill_(weight)
        given = torch.full_like(trainer.learner.theta, fisher)
        given[0] = 0.0
        monkeypatch.setattr("cl.methods.ewc_separate.fisher_diagonal", lambda *_, given=given: given.clone())
        trainer.method.consolidate(trainer.learner, tasks[task])
    assert (method.fisher[0], *method.fisher[1:].unique()) == (0.0, 4.0)
    assert method.anchor[1:].unique().tolist() == [2.0]
    assert method.anchor[0].isfinite()


def test_weights_that_no_task_relies_on_are_free():
    """Black images: the first layer's weights have no Fisher, and no gradient either."""
    x, y = np.zeros((40, 6), dtype=np.float32), np.arange(40) % 4
    method = SeparateEWC(lambda_=1e6)
    trainer, tasks = trainer_on(Dataset(x, y, x, y, scale=1.0), method)
    for task in range(2):
        begin(trainer, task, tasks[task])
        trainer.method.consolidate(trainer.learner, tasks[task])
    assert torch.equal(method.fisher[:48], torch.zeros(48))
    assert method.fisher[48:].max() > 0
    begin(trainer, 1, tasks[1])
    shift(trainer)
    gradient, _ = step_gradient(trainer, tasks[1])
    assert torch.equal(gradient[:48], torch.zeros(48))
    assert gradient.isfinite().all()


def test_after_one_task_it_is_online_ewc(blobs):
    separate, online = (
        watched(blobs, "class-il", method, {"lambda": 50.0}, settings={"tasks": 2})
        for method in ("ewc-separate", "ewc")
    )
    torch.testing.assert_close(separate.weights[1], online.weights[1])


def test_after_two_tasks_it_is_not(blobs):
    anchors = []
    for method in (SeparateEWC(), EWC()):
        trainer, tasks = trainer_on(blobs, method, "domain-il")
        for task in range(2):
            begin(trainer, task, tasks[task])
            shift(trainer, seed=task)
            trainer.method.consolidate(trainer.learner, tasks[task])
        anchors.append(method.anchor)
    assert (anchors[0] - anchors[1]).abs().max() > 0.05


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "train",
    [FAST, TrainSettings(epochs=2, optimizer="adam", lr=0.01, reset_optimizer=False)],
    ids=["sgd", "adam kept"],
)
def test_at_strength_0_it_is_naive_bit_for_bit(blobs, kind, train):
    ours = reports(blobs, kind, "ewc-separate", {"lambda": 0}, train=train)
    naive = reports(blobs, kind, train=train)
    assert matrix(ours) == matrix(naive)
    assert [report.loss for report in ours] == [report.loss for report in naive]


def test_what_is_kept_does_not_grow_with_the_tasks(blobs):
    run = reports(blobs, "domain-il", "ewc-separate")
    parameters = run[-1].parameters
    assert [report.diagnostics["memory_bytes"] for report in run[1:]] == [2 * 4 * parameters] * 3
