"""Learning without Forgetting: its loss by hand, its gradient by autograd, what it records and costs."""

import copy
from math import log

import pytest
import torch
from small_trial import FAST, reports, watched
from steps_by_hand import begin, derivative, logits, shift, step_gradient, trainer_on
from torch.nn import functional

import cl.methods.lwf
from cl.losses import distillation
from cl.methods import LwF
from cl.models import MultiHeadMLP
from cl.registry import KINDS, TrainSettings
from cl.trainer import Trainer, as_batch

KEPT = TrainSettings(epochs=2, batch_size=16, reset_optimizer=False)
ADAM_KEPT = TrainSettings(epochs=2, optimizer="adam", lr=0.01, reset_optimizer=False)


def test_the_distillation_of_two_examples_by_hand():
    """At T = 2 the logits (2 ln 3, 0) are softened to (3/4, 1/4), and (0, 0) to (1/2, 1/2).

    Against (1/2, 1/2) and (0.9, 0.1) the cross-entropies are -(ln 3/4 + ln 1/4) / 2 and ln 2; their mean is
    the loss. Its gradient is (new - old) / T / 2 for each example.
    """
    new = torch.tensor([[2 * log(3), 0.0], [0.0, 0.0]])
    loss, error = distillation(new, torch.tensor([[0.5, 0.5], [0.9, 0.1]]), temperature=2.0)
    assert loss.item() == pytest.approx((-(log(3 / 4) + log(1 / 4)) / 2 + log(2)) / 2)
    torch.testing.assert_close(error, torch.tensor([[0.25, -0.25], [-0.4, 0.4]]) / 4)


def test_the_distillation_adds_up_heads_and_averages_examples():
    new, old = torch.randn(5, 3, 2), torch.softmax(torch.randn(5, 3, 2), -1)
    loss, error = distillation(new, old, 3.0)
    parts = [distillation(new[:, head], old[:, head], 3.0) for head in range(3)]
    torch.testing.assert_close(loss, sum(part for part, _ in parts))
    torch.testing.assert_close(error, torch.stack([part for _, part in parts], 1))


def distilled(new, old, temperature):
    """One head's distillation, in ordinary PyTorch."""
    given = torch.softmax(old / temperature, 1)
    return -(given * torch.log_softmax(new / temperature, 1)).sum(1).mean()


OLD_HEADS = {
    "task-il": [slice(0, 2), slice(2, 4)],
    "domain-il": [slice(0, 2)],
    "class-il": [slice(0, 4)],
}
"""The outputs that compete with each other in the old model of the third task."""


def all_outputs(model, x):
    """The logits of every output of every head."""
    hidden = model.trunk.differentiable(model.theta[: model.trunk.size], x)
    rows = model.theta[model.trunk.size :].view(model.outputs, -1)
    return hidden @ rows[:, :-1].t() + rows[:, -1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weight", ["fixed", "balanced"])
def test_the_third_task_is_learned_with_the_loss_of_the_papers(blobs, kind, weight):
    """Fixed adds the old heads up; balanced is 1/3 of the new task and T^2 * 2/3 of the old heads' mean."""
    method = LwF(alpha=0.7, temperature=3.0, weight=weight)
    trainer, tasks = trainer_on(blobs, method, kind, epochs=1, batch_size=16)
    for task in range(2):
        trainer.train_task(task, tasks[task])
        trainer.consolidate(task, tasks[task])
    begin(trainer, 2, tasks[2])
    old = copy.deepcopy(trainer.model)
    shift(trainer)
    gradient, loss = step_gradient(trainer, tasks[2])

    x = trainer.learner.inputs(tasks[2].x[:16])
    new_loss = functional.cross_entropy(logits(trainer, tasks[2]), tasks[2].y[:16])
    given, answers = all_outputs(old, x).detach(), all_outputs(trainer.model, x)
    old_losses = [distilled(answers[:, head], given[:, head], 3.0) for head in OLD_HEADS[kind]]
    if weight == "fixed":
        expected = new_loss + 0.7 * sum(old_losses)
    else:
        expected = new_loss / 3 + 0.7 * 2 / 3 * 3.0**2 * sum(old_losses) / len(old_losses)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, derivative(expected, trainer))


def test_old_heads_may_differ_in_width():
    """Heads of 2, 2, 3 and 2 outputs: the old ones are distilled each for itself."""
    method = LwF(temperature=1.5)
    trainer = Trainer(MultiHeadMLP(5, [6]), method, TrainSettings(epochs=1))
    random = torch.Generator().manual_seed(0)
    for task, labels in enumerate([2, 2, 3]):
        data = torch.rand(20, 5, generator=random), torch.arange(20) % labels
        trainer.train_task(task, data)
        trainer.consolidate(task, data)
    assert method.heads == [2, 2, 3]
    trainer.learner.outputs.append(2)
    x, y = torch.rand(20, 5, generator=random), torch.arange(20) % 2
    examples = as_batch((x, y), 3)
    begin(trainer, 3, examples)
    given = all_outputs(trainer.model, x).detach()
    shift(trainer)
    gradient, _ = step_gradient(trainer, examples, 20)
    answers = all_outputs(trainer.model, x)
    expected = functional.cross_entropy(answers[:, 7:], y)
    for head in (slice(0, 2), slice(2, 4), slice(4, 7)):
        expected = expected + distilled(answers[:, head], given[:, head], 1.5)
    torch.testing.assert_close(gradient, derivative(expected, trainer))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("train", [FAST, KEPT, ADAM_KEPT], ids=["sgd", "momentum kept", "adam kept"])
def test_at_strength_0_it_is_naive_bit_for_bit(blobs, kind, train):
    ours, naive = (
        watched(blobs, kind, method, hyperparameters, train=train)
        for method, hyperparameters in (("lwf", {"alpha": 0}), ("naive", {}))
    )
    assert all(map(torch.equal, ours.weights, naive.weights))
    assert [step.loss for step in ours.steps] == [step.loss for step in naive.steps]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weight", ["fixed", "balanced"])
def test_the_first_task_is_learned_as_naive_learns_it(blobs, kind, weight):
    ours, naive = (
        watched(blobs, kind, method, hyperparameters)
        for method, hyperparameters in (("lwf", {"weight": weight}), ("naive", {}))
    )
    assert torch.equal(ours.weights[0], naive.weights[0])
    assert not torch.equal(ours.weights[1], naive.weights[1])


def test_in_task_il_old_heads_are_trained_too(blobs):
    weights = watched(blobs, "task-il", "lwf").weights
    first_head = slice(17 * 32, 17 * 32 + 66)
    assert not torch.equal(weights[0][first_head], weights[1][first_head])


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_one_pass_over_the_new_examples(blobs, kind):
    run = reports(blobs, kind, "lwf")
    assert [(report.examples, report.passes) for report in run[1:]] == [(4 * 80, 4 * 5)] * 3


@pytest.mark.parametrize(
    ("kind", "outputs"), [("task-il", [0, 2, 4]), ("domain-il", [0, 2, 2]), ("class-il", [0, 2, 4])]
)
def test_it_reports_the_bytes_of_the_recorded_answers(blobs, kind, outputs):
    """80 examples a task, four bytes for each old output."""
    run = reports(blobs, kind, "lwf")
    assert [report.diagnostics for report in run[1:]] == [
        {"memory_bytes": 80 * 4 * count} for count in outputs
    ]


def test_the_answers_do_not_depend_on_how_many_examples_go_through_at_once(blobs, monkeypatch):
    whole = watched(blobs, "task-il", "lwf").weights
    monkeypatch.setattr(cl.methods.lwf, "_CHUNK", 7)
    torch.testing.assert_close(watched(blobs, "task-il", "lwf").weights, whole)


def test_the_stronger_the_distillation_the_less_the_old_answers_change(blobs):
    """How far the answers of an old head move while the next task is learned."""
    moved = []
    for alpha in (0.0, 1.0, 10.0):
        trainer, tasks = trainer_on(blobs, LwF(alpha=alpha), "task-il", epochs=4, batch_size=16, lr=0.1)
        trainer.train_task(0, tasks[0])
        trainer.consolidate(0, tasks[0])
        x = trainer.learner.inputs(tasks[1].x)
        before = torch.softmax(trainer.model(x, task_id=0), 1)
        trainer.train_task(1, tasks[1])
        after = torch.softmax(trainer.model(x, task_id=0), 1)
        moved.append((after - before).abs().mean().item())
    assert moved[0] > 2 * moved[1]
    assert moved[1] > 1.5 * moved[2]
