"""Synaptic Intelligence: its path integral, its importance by hand, its penalty."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from small_trial import FAST, Watch, matrix, reports, watched
from steps_by_hand import begin, derivative, logits, shift, step_gradient, trainer_on
from torch.nn import functional

from cl.batch import Batch
from cl.methods import SI
from cl.registry import KINDS, TrainSettings

NO_DATA = Batch(torch.zeros(0, 1), torch.zeros(0, dtype=torch.int64), 0)


class Surface:
    """What a method sees of a learner whose loss is any function of theta."""

    def __init__(self, theta, slope):
        self.theta = torch.tensor(theta)
        self.model = SimpleNamespace(gradient=torch.zeros_like(self.theta))
        self._slope = slope

    def mini_batch(self, data, index):
        """Nothing to draw."""
        return data, index

    def loss_gradient(self, batch):
        """The gradient where theta is."""
        del batch
        self.model.gradient.copy_(self._slope(self.theta))
        return torch.tensor(0.0)


def test_the_path_integral_is_the_drop_of_the_loss_on_a_quadratic():
    """L = 1/2 sum_i a_i (theta_i - b_i)^2: each weight's part is its own term's drop, in total that of L."""
    a, b = torch.tensor([1.0, 4.0, 0.5]), torch.tensor([2.0, -1.0, 0.0])
    start = torch.tensor([0.0, 1.0, 3.0])
    learner = Surface(start.tolist(), lambda theta: a * (theta - b))
    method = SI(xi=1e-30)
    method.begin_task(learner, NO_DATA)
    for _ in range(400):
        method.gradient(learner, NO_DATA, torch.arange(0))
        learner.theta.sub_(learner.model.gradient, alpha=1e-3)
        method.after_step(learner)
    method.consolidate(learner, NO_DATA)
    end = learner.theta
    # Undamped, Omega times the squared way is the path integral.
    path = method.importance * (end - start) ** 2
    drops = a / 2 * ((start - b) ** 2 - (end - b) ** 2)
    assert drops.sum() > 3
    # Each step's straight line overestimates by about lr * a / 2 of it.
    torch.testing.assert_close(path, drops, rtol=3e-3, atol=0)
    torch.testing.assert_close(path.sum(), drops.sum(), rtol=3e-3, atol=0)


def test_the_importance_is_what_a_calculation_by_hand_gives():
    """Two weights, two steps that the optimiser chose freely, a second task with a negative path.

    Task 0: gradients (2, -1) and (1, 1), steps (-0.5, 0.25) and (-0.1, 0.3). The paths are 1 + 0.1 = 1.1 and
    0.25 - 0.3 = -0.05, the ways -0.6 and 0.55; with xi = 0.1 the importance is 1.1 / 0.46 and -0.05 / 0.4025.
    Task 1: gradient (1, 0), step (1, 1): -1 / 1.1 and 0 are added.
    """
    slopes = iter([(2.0, -1.0), (1.0, 1.0), (1.0, 0.0)])
    learner = Surface([1.0, 0.0], lambda _: torch.tensor(next(slopes)))
    method = SI(c=3.0, xi=0.1)
    importance = []
    for steps in ([(-0.5, 0.25), (-0.1, 0.3)], [(1.0, 1.0)]):
        method.begin_task(learner, NO_DATA)
        for step in steps:
            method.gradient(learner, NO_DATA, torch.arange(0))
            learner.theta.add_(torch.tensor(step))
            method.after_step(learner)
        method.consolidate(learner, NO_DATA)
        importance.append(method.importance.tolist())
    first = [1.1 / 0.46, -0.05 / 0.4025]
    assert importance[0] == pytest.approx(first, rel=1e-5)
    assert importance[1] == pytest.approx([first[0] - 1 / 1.1, first[1]], rel=1e-5)


def slow_importance(trainer, steps, end, xi):
    """What a task adds to the importance, in float64, with the gradient of every step made anew."""
    places = [*(step.weights.double() for step in steps), end.double()]
    path = torch.zeros(len(end), dtype=torch.float64)
    for step, (before, after) in zip(steps, pairwise(places), strict=True):
        trainer.learner.theta.copy_(step.weights)
        loss = functional.cross_entropy(trainer.model(step.batch.x, task_id=step.task), step.batch.y)
        path -= derivative(loss, trainer).double() * (after - before)
    trainer.learner.theta.copy_(end)
    return path / ((places[-1] - places[0]) ** 2 + xi)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("optimizer", [{"lr": 0.1}, {"optimizer": "adam", "lr": 0.01}], ids=["sgd", "adam"])
def test_the_path_takes_the_plain_task_gradient_and_the_actual_steps(blobs, kind, optimizer):
    """Momentum, clipping and the penalty shape the steps; the gradient on the path is the task's own."""
    method, watch = SI(c=5.0, xi=0.2), Watch()
    trainer, tasks = trainer_on(blobs, method, kind, epochs=2, batch_size=16, clip_norm=0.05, **optimizer)
    watch.follow(method)
    for task in range(2):
        watch.steps.clear()
        trainer.train_task(task, tasks[task])
        old = method.importance.double()
        trainer.consolidate(task, tasks[task])
        assert watch.steps[0].gradient.norm() > 0.05
        added = slow_importance(trainer, watch.steps, watch.weights[task], xi=0.2)
        assert added.abs().max() > 1e-3
        torch.testing.assert_close(method.importance.double(), old + added, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_the_loss_with_the_penalty(blobs, kind):
    """After one step of the second task, so that there is a way back; the penalty has no factor 1/2."""
    method = SI(c=20.0)
    trainer, tasks = trainer_on(blobs, method, kind, epochs=2, batch_size=16)
    trainer.train_task(0, tasks[0])
    trainer.consolidate(0, tasks[0])
    begin(trainer, 1, tasks[1])
    anchor = trainer.learner.theta.clone()
    step_gradient(trainer, tasks[1])
    shift(trainer)
    method.after_step(trainer.learner)
    gradient, loss = step_gradient(trainer, tasks[1])

    cross_entropy = functional.cross_entropy(logits(trainer, tasks[1]), tasks[1].y[:16])
    penalty = 20.0 * (method.importance * (trainer.model.theta - anchor) ** 2).sum()
    assert penalty.abs() > 0.01
    torch.testing.assert_close(gradient, derivative(cross_entropy + penalty, trainer), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(loss, cross_entropy.detach())


@pytest.mark.parametrize("kind", ["task-il", "class-il"])
def test_new_outputs_have_no_importance_yet(blobs, kind):
    method = SI()
    trainer, tasks = trainer_on(blobs, method, kind, epochs=1, batch_size=16)
    trainer.train_task(0, tasks[0])
    trainer.consolidate(0, tasks[0])
    before = method.importance.clone()
    assert before.abs().max() > 0
    begin(trainer, 1, tasks[1])
    assert torch.equal(method.importance[: len(before)], before)
    assert torch.equal(method.importance[len(before) :], torch.zeros(2 * 9))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "train",
    [FAST, TrainSettings(epochs=2, optimizer="adam", lr=0.01, reset_optimizer=False)],
    ids=["sgd", "adam kept"],
)
def test_at_strength_0_it_is_naive_bit_for_bit(blobs, kind, train):
    ours, naive = (
        watched(blobs, kind, method, hyperparameters, train=train)
        for method, hyperparameters in (("si", {"c": 0}), ("naive", {}))
    )
    assert all(map(torch.equal, ours.weights, naive.weights))
    assert [step.loss for step in ours.steps] == [step.loss for step in naive.steps]


def test_a_strong_pull_remembers_what_naive_forgets(blobs):
    ours, naive = (
        matrix(reports(blobs, "domain-il", method, hyperparameters))[-1][0]
        for method, hyperparameters in (("si", {"c": 1000.0}), ("naive", {}))
    )
    assert ours == 1.0
    assert naive < 0.96


def test_it_reports_the_bytes_of_importance_and_anchor(blobs):
    run = reports(blobs, "class-il", "si")
    assert [report.diagnostics for report in run[1:]] == [
        {"memory_bytes": 2 * 4 * report.parameters} for report in run[1:]
    ]
