"""Online EWC: its penalty, what it accumulates, and what it reports."""

import pytest
import torch
from small_trial import reports
from steps_by_hand import begin, derivative, logits, shift, step_gradient, trainer_on
from torch.nn import functional

from cl.fisher import fisher_diagonal
from cl.methods import EWC
from cl.models import MultiHeadMLP
from cl.registry import KINDS
from cl.trainer import Trainer


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_the_loss_with_the_penalty(blobs, kind):
    method = EWC(lambda_=50.0)
    trainer, tasks = trainer_on(blobs, method, kind)
    begin(trainer, 0, tasks[0])
    trainer.method.consolidate(trainer.learner, tasks[0])
    begin(trainer, 1, tasks[1])
    shift(trainer)
    gradient, loss = step_gradient(trainer, tasks[1])

    cross_entropy = functional.cross_entropy(logits(trainer, tasks[1]), tasks[1].y[:16])
    drift = trainer.learner.model.theta - method.anchor
    penalty = 50.0 / 2 * (method.fisher * drift**2).sum()
    assert penalty > 0.01
    torch.testing.assert_close(gradient, derivative(cross_entropy + penalty, trainer))
    torch.testing.assert_close(loss, cross_entropy.detach())


@pytest.mark.parametrize(("decay", "strengths"), [(1.0, [8, 8, 8]), (0.5, [8, 4, 2]), (0.0, [8, 0, 0])])
def test_lambda_decays_after_each_consolidation(blobs, decay, strengths):
    """The penalty's part of the gradient over that of lambda 1, F (theta - theta*)."""
    method = EWC(lambda_=8.0, lambda_decay=decay)
    trainer, tasks = trainer_on(blobs, method, "domain-il")
    for task, strength in enumerate(strengths):
        begin(trainer, task, tasks[task])
        shift(trainer, seed=task)
        gradient, _ = step_gradient(trainer, tasks[task])
        plain = derivative(
            functional.cross_entropy(logits(trainer, tasks[task]), tasks[task].y[:16]), trainer
        )
        pull = method.fisher * (trainer.learner.theta - method.anchor)
        torch.testing.assert_close(gradient, plain + strength * pull, rtol=1e-5, atol=1e-6)
        assert task == 0 or pull.abs().max() > 1e-3
        trainer.method.consolidate(trainer.learner, tasks[task])


def test_the_fisher_accumulates_with_decay_and_the_anchor_is_the_latest_weights(blobs):
    method = EWC(gamma=0.25)
    trainer, tasks = trainer_on(blobs, method, "domain-il")
    parts = []
    for task in range(3):
        begin(trainer, task, tasks[task])
        shift(trainer, seed=task)
        parts.append(fisher_diagonal(trainer.learner, tasks[task], "exact", 200))
        trainer.method.consolidate(trainer.learner, tasks[task])
    torch.testing.assert_close(method.fisher, parts[0] / 16 + parts[1] / 4 + parts[2])
    assert torch.equal(method.anchor, trainer.learner.theta)


@pytest.mark.parametrize("kind", ["task-il", "class-il"])
def test_a_grown_head_keeps_its_fisher_and_takes_new_rows(blobs, kind):
    method = EWC()
    trainer, tasks = trainer_on(blobs, method, kind)
    begin(trainer, 0, tasks[0])
    trainer.method.consolidate(trainer.learner, tasks[0])
    before = method.fisher.clone()
    begin(trainer, 1, tasks[1])
    assert torch.equal(method.fisher[: len(before)], before)
    assert torch.equal(method.fisher[len(before) :], torch.zeros(2 * 9))


def test_plasticity_collapse_shows_as_the_share_of_parameters_with_a_fisher():
    """Four pixels, one lit per task, two hidden units that are always open, a head of two outputs per task.

    A task gives a Fisher to its pixel's 2 weights, to the 2 hidden biases and to the 6 parameters of its
    head: 10 of the 16 parameters after task 0, then 18 of 22, 26 of 28 and all 34.
    """
    method = EWC()
    trainer = Trainer(MultiHeadMLP(input_dim=4, hidden_dims=[2]), method)
    shares = []
    for task in range(4):
        data = torch.eye(4)[task].repeat(6, 1), torch.arange(6) % 2
        trainer.train_task(task, data)
        trainer.learner.theta[:10] = 1.0  # the trunk, so that its units are open
        trainer.model.rows[2 * task :] = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
        trainer.consolidate(task, data)
        shares.append(method.diagnostics(trainer.learner))
    assert [share["fisher_nonzero_share"] for share in shares] == [10 / 16, 18 / 22, 26 / 28, 1.0]
    assert [share["memory_bytes"] for share in shares] == [2 * 4 * size for size in (16, 22, 28, 34)]


def test_the_share_never_falls_while_tasks_add_up(blobs):
    run = reports(blobs, "domain-il", "ewc")
    shares = [report.diagnostics["fisher_nonzero_share"] for report in run[1:]]
    assert 0 < shares[0] < 1
    assert shares == sorted(shares)


@pytest.mark.parametrize("kind", KINDS)
def test_a_strong_pull_holds_the_weights_that_the_old_task_relies_on(blobs, kind):
    moved = []
    for strength in (0.0, 1000.0):
        method = EWC(lambda_=strength)
        trainer, tasks = trainer_on(blobs, method, kind, epochs=4, batch_size=16)
        for task in range(2):
            trainer.train_task(task, tasks[task])
            if task == 0:
                trainer.consolidate(0, tasks[0])
        moved.append(float((method.fisher * (trainer.learner.theta - method.anchor) ** 2).sum()))
    assert moved[1] < moved[0] / 20
